"""Search for the target in a frame: all windows around its predicted place, and then particles around the best ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from metricnets.tracking._patches import Geometry, apart, dense, features_at, turned

N_STEPS = 3  # of the alignment
OVERLAP = 0.6  # windows further away than this share of the size are other places
WIDENING, WIDEST = 0.2, 2.5  # of the radius with each frame in which the target is not seen, at most
FORGETTING = 0.3  # of the predicted place with each such frame
RATE = 0.2  # of the last frame in the mean of scales and angles
WIDTHS = 1, 3, 2  # steps of the scales that are searched in turn in such frames
TURNS = np.array([0.0, -0.25, 0.25])  # angles at which a lost target is looked for, beside the last one
N_LOST = 3  # places at which it is looked for
SCALE_UNIT = 0.3  # logarithm of a scale that is as unlikely as a distance of one size
SMALLEST, LARGEST = 0.3, 3.0  # scale of the target in relation to the first frame
PATIENCE = 6  # frames after which every other one is searched at another part of the frame
DAMPING = 0.85  # of the velocity while the target is not seen


@dataclass(frozen=True)
class Motion:
    """Centre (2,) in rows and columns, scale, angle and velocity (2,) of the target, for how long it was not seen.

    Then ``hint`` is the best place in the last frame, and ``evidence`` what speaks for it; ``steady`` is the mean of the
    last logarithms of the scale and angles, as the very last ones are wrong if something begins to hide the target.
    """

    center: np.ndarray
    scale: float
    angle: float
    velocity: np.ndarray
    n_lost: int = 0
    hint: np.ndarray | None = None
    evidence: float = 0.0
    steady: np.ndarray | None = None

    def predicted(self) -> np.ndarray:
        """Centre in the next frame."""
        return self.center + self.velocity

    @property
    def is_sweeping(self) -> bool:
        """Whether the target is looked for elsewhere than where it is expected."""
        return self.n_lost > PATIENCE and self.n_lost % 2 == 1

    def seen(self, center: np.ndarray, scale: float, angle: float) -> Motion:
        """Motion after the target was found."""
        velocity = np.zeros(2) if self.n_lost else (self.velocity + center - self.center) / 2
        scale, pose = float(np.clip(scale, SMALLEST, LARGEST)), np.array([np.log(scale), angle])
        steady = pose if self.n_lost or self.steady is None else (1 - RATE) * self.steady + RATE * pose
        return Motion(center, scale, angle, velocity, steady=steady)

    def unseen(self, shape: tuple[int, int], hint: np.ndarray, evidence: float) -> Motion:
        """Motion after the target was not found: it goes on, more slowly, within the frame."""
        if self.is_sweeping:
            hint, evidence = self.hint, self.evidence
        found = {"hint": hint, "evidence": evidence, "n_lost": self.n_lost + 1}
        if self.steady is not None:
            found |= {"scale": float(np.exp(self.steady[0])), "angle": float(self.steady[1])}
        return replace(self, center=np.clip(self.predicted(), 0, shape), velocity=DAMPING * self.velocity, **found)

    def evidence_for(self, center: np.ndarray, margin: float, size: np.ndarray) -> float:
        """Sum of the margins of a place over the last frames in which it was the best one."""
        again = self.hint is not None and not apart(center[None], self.hint, size * self.scale, OVERLAP)[0]
        return max(0.0, margin) + (self.evidence if again else 0.0)


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


def part_of(shape: tuple[int, int], reach: np.ndarray, center: np.ndarray, turn: int) -> np.ndarray:
    """Centre of one of the parts of a frame, each of which reaches so far: in turn, those near a point first."""
    n = np.maximum(1, np.ceil(shape / (2 * reach))).astype(int)
    parts = (np.indices(n).reshape(2, -1).T + 0.5) * shape / n
    order = np.argsort(np.linalg.norm(parts - center, axis=1), kind="stable")
    return parts[order[turn % len(parts)]]


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
        center, position_weight = part_of(image.shape[1:], WIDEST * motion.scale * geometry.size, center, lost // 2), 0.0
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
    others = [found[apart(where, centers[i], size, OVERLAP)] for found, where in ((scores, centers), (windows.scores, windows.centers))]
    return Found(centers[i], scales[i], angles[i], s[i], scores[i] - np.concatenate(others).max(initial=0.0))


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
