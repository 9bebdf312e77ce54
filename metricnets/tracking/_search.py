"""Search for the target in a frame: all windows around its predicted place, of which the best ones are aligned."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from metricnets.tracking._motion import LARGEST, OVERLAP, SMALLEST, Motion, part_of
from metricnets.tracking._patches import Geometry, apart, dense, features_at, turned

N_STEPS = 3  # of the alignment
WIDENING, WIDEST = 0.2, 2.5  # of the radius with each frame in which the target is not seen, at most
FORGETTING = 0.3  # of the predicted place with each such frame
WIDTHS = 1, 3, 2  # steps of the scales that are searched in turn in such frames
TURNS = np.array([0.0, -0.25, 0.25])  # angles at which a lost target is looked for, beside the last one
N_LOST = 3  # places at which it is looked for
SCALE_UNIT = 0.3  # logarithm of a scale that is as unlikely as a distance of one size


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
    """Where the target is most likely: centre, scale, angle, similarity, and the margin over all other places."""

    center: np.ndarray
    scale: float
    angle: float
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
    """All windows around the predicted place, in a wider area and at three scales if the target was not seen.

    The penalty of a place is ``position_weight`` times its squared distance from the predicted one, in sizes of the
    target, likewise for the scale, and falls with the number of frames in which it was not seen.
    """
    lost, center = motion.n_lost, motion.predicted()
    if motion.is_sweeping:
        part = WIDEST * motion.scale * geometry.size
        center, position_weight = part_of(image.shape[1:], part, center, lost // 2), 0.0
    wide = WIDTHS[(lost // 2) % len(WIDTHS)]
    powers = np.array([-wide, 0.0, wide]) if lost else np.zeros(1)
    scales = np.unique(np.clip(motion.scale * scale_step**powers, SMALLEST, LARGEST))
    reach = min(radius * (1 + WIDENING * lost), max(radius, WIDEST)) * motion.scale
    features, centers = zip(*(dense(image, geometry, center, scale, reach, motion.angle) for scale in scales))
    scales = np.repeat(scales, [len(part) for part in centers])
    features, centers = np.vstack(features), np.vstack(centers)
    away = (((centers - center) / (geometry.size * motion.scale)) ** 2).sum(axis=1)
    away += (np.log(scales / motion.scale) / SCALE_UNIT) ** 2
    penalties = position_weight * away / (1 + FORGETTING * lost)
    return Windows(features, centers, scales, similarity(features), penalties)


def best_of(
    image: np.ndarray,
    geometry: Geometry,
    similarity: Callable[[np.ndarray], np.ndarray],
    alignment: Callable[[np.ndarray], np.ndarray],
    windows: Windows,
    motion: Motion,
) -> Found:
    """Align the best window, and if the target was lost the best ones elsewhere too, and compare with all others."""
    starts = places(windows, N_LOST if motion.n_lost else 1, geometry.size)
    angles = motion.angle + (TURNS if motion.n_lost else TURNS[:1])
    found = [aligned(image, geometry, alignment, windows.centers[k], windows.scales[k], angles) for k in starts]
    centers, scales, angles, features = (np.concatenate(parts) for parts in zip(*found))
    s = similarity(features)
    scores = s - np.repeat(windows.penalties[starts], len(s) // len(starts))
    i = int(scores.argmax())
    size = geometry.size * scales[i]
    rivals = np.concatenate([scores, windows.scores])
    rivals = rivals[apart(np.vstack([centers, windows.centers]), centers[i], size, OVERLAP)]
    return Found(centers[i], scales[i], angles[i], s[i], scores[i] - rivals.max(initial=0.0))


def aligned(
    image: np.ndarray,
    geometry: Geometry,
    alignment: Callable[[np.ndarray], np.ndarray],
    center: np.ndarray,
    scale: float,
    angles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centres, scales, angles and features of patches that begin as a window at several angles."""
    centers, scales, first = np.tile(center, (len(angles), 1)), np.full(len(angles), scale), scale
    for _ in range(N_STEPS):
        offsets = alignment(features_at(image, geometry, centers, scales, angles, first))
        centers = centers - geometry.step * scales[:, None] * turned(offsets[:, :2], angles)
        scales, angles = np.clip(scales * np.exp(-offsets[:, 2]), SMALLEST, LARGEST), angles - offsets[:, 3]
    return centers, scales, angles, features_at(image, geometry, centers, scales, angles, first)


def places(windows: Windows, n: int, size: np.ndarray) -> list[int]:
    """Indices of up to n windows at different places with the largest scores."""
    chosen, scores = [], windows.scores
    while len(chosen) < n and np.isfinite(scores).any():
        chosen.append(int(scores.argmax()))
        scores = np.where(windows.elsewhere(chosen[-1], size), scores, -np.inf)
    return chosen
