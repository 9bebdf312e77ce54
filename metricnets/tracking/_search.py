"""Search for the target in a frame: all windows around its predicted place, and then particles around the best ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metricnets.tracking._patches import Geometry, apart, dense, features_at

N_PARTICLES, N_BEST = 50, 5  # particles around a window, those that are averaged
SPREAD = 0.7  # standard deviation of their places, in steps
SCALE_SPREAD, LOST_SCALE_SPREAD = 0.02, 0.05  # of the logarithm of their scales
OVERLAP = 0.6  # windows further away than this share of the size are other places
WIDENING, WIDEST = 0.2, 2.5  # of the radius with each frame in which the target is not seen, at most
FORGETTING = 0.3  # of the predicted place with each such frame
WIDE, EVERY = 4, 3  # every EVERY-th of such frames is searched at scales WIDE times as far apart
SCALE_UNIT = 0.3  # logarithm of a scale that is as unlikely as a distance of one size
SMALLEST, LARGEST = 0.3, 3.0  # scale of the target in relation to the first frame
DAMPING = 0.85  # of the velocity while the target is not seen


@dataclass(frozen=True)
class Motion:
    """Centre (2,) in rows and columns, scale and velocity (2,) of the target, and for how long it was not seen."""

    center: np.ndarray
    scale: float
    velocity: np.ndarray
    n_lost: int = 0

    def predicted(self) -> np.ndarray:
        """Centre in the next frame."""
        return self.center + self.velocity

    def seen(self, center: np.ndarray, scale: float) -> Motion:
        """Motion after the target was found."""
        velocity = np.zeros(2) if self.n_lost else (self.velocity + center - self.center) / 2
        return Motion(center, float(np.clip(scale, SMALLEST, LARGEST)), velocity)

    def unseen(self, shape: tuple[int, int]) -> Motion:
        """Motion after the target was not found: it goes on, more slowly, within the frame."""
        center = np.clip(self.predicted(), 0, shape)
        return Motion(center, self.scale, DAMPING * self.velocity, self.n_lost + 1)


class Windows(NamedTuple):
    """Candidates: features (n, d), centres (n, 2), scales, similarities, and penalties of their places (n,)."""

    features: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    similarities: np.ndarray
    penalties: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Similarities minus penalties."""
        return self.similarities - self.penalties

    def elsewhere(self, k: int, size: np.ndarray) -> np.ndarray:
        """Which windows are at another place than the k-th."""
        return apart(self.centers, self.centers[k], size * self.scales[k], OVERLAP)


class Found(NamedTuple):
    """Where the target is most likely: centre, scale, similarity, and the margin over all other places."""

    center: np.ndarray
    scale: float
    similarity: float
    margin: float


def windows_around(
    image: np.ndarray,
    geometry: Geometry,
    similarity: Callable[[np.ndarray], np.ndarray],
    motion: Motion,
    *,
    radius: float,
    scale_step: float,
    position_weight: float,
) -> Windows:
    """All windows around the predicted place at three scales, in a wider area if the target was not seen.

    The penalty of a place is ``position_weight`` times its squared distance from the predicted one, in sizes of the
    target, likewise for the scale, and falls with the number of frames in which it was not seen.
    """
    lost, center = motion.n_lost, motion.predicted()
    wide = WIDE if lost % EVERY == EVERY - 1 else 1
    scales = np.unique(np.clip(motion.scale * scale_step ** np.array([-wide, 0.0, wide]), SMALLEST, LARGEST))
    reach = min(radius * (1 + WIDENING * lost), max(radius, WIDEST)) * motion.scale
    features, centers = zip(*(dense(image, geometry, center, scale, reach) for scale in scales))
    scales = np.repeat(scales, [len(part) for part in centers])
    features, centers = np.vstack(features), np.vstack(centers)
    away = (((centers - center) / (geometry.size * motion.scale)) ** 2).sum(axis=1)
    away += (np.log(scales / motion.scale) / SCALE_UNIT) ** 2
    penalties = position_weight * away / (1 + FORGETTING * lost)
    return Windows(features, centers, scales, similarity(features), penalties)


def refined(
    image: np.ndarray,
    geometry: Geometry,
    similarity: Callable[[np.ndarray], np.ndarray],
    center: np.ndarray,
    scale: float,
    scale_spread: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float, float]:
    """Centre, scale and similarity of the best particles around a window."""
    centers = center + SPREAD * geometry.step * scale * rng.standard_normal((N_PARTICLES, 2))
    scales = scale * np.exp(scale_spread * rng.standard_normal(N_PARTICLES))
    centers[0], scales[0] = center, scale
    s = similarity(features_at(image, geometry, centers, scales))
    best = np.argsort(-s, kind="stable")[:N_BEST]
    return centers[best].mean(axis=0), float(np.exp(np.log(scales[best]).mean())), float(s[best].mean())


def best_of(
    image: np.ndarray,
    geometry: Geometry,
    similarity: Callable[[np.ndarray], np.ndarray],
    windows: Windows,
    lost: bool,
    rng: np.random.Generator,
) -> Found:
    """Refine the best window, and if the target was lost the best one elsewhere too, and compare with all others."""
    scores, spread = windows.scores, LOST_SCALE_SPREAD if lost else SCALE_SPREAD
    first = int(scores.argmax())
    second = int(np.where(windows.elsewhere(first, geometry.size), scores, -np.inf).argmax())
    found = []
    for k in [first, second] if lost else [first]:
        center, scale, s = refined(image, geometry, similarity, windows.centers[k], windows.scales[k], spread, rng)
        found.append((s - windows.penalties[k], k, center, scale, s))
    *others, (score, k, center, scale, s) = sorted(found, key=lambda each: each[0])
    rivals = scores[windows.elsewhere(k, geometry.size)].max(initial=0.0)
    return Found(center, scale, s, score - max([rivals, *(other[0] for other in others)]))
