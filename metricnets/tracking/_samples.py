"""Patches to learn from: variations of the target, and its background."""

from __future__ import annotations

import numpy as np

from metricnets.tracking._motion import OVERLAP, Motion
from metricnets.tracking._patches import Geometry, apart, dense, features_at, turned
from metricnets.tracking._search import Windows

SPREAD = np.array([1.5, 1.5, 0.08, 0.15])  # largest offsets of a variation: steps, logarithm of the scale, angle
AROUND, SCALES = 2.5, (0.75, 1.0, 1.3)  # where the background of the first frame is from, in sizes of the target
N_HARD = N_RANDOM = 10  # windows of the background that a frame adds


def variations(
    image: np.ndarray, geometry: Geometry, motion: Motion, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the target and of n pairs of random variations, and their offsets (2 n + 1, 4) from it.

    The offsets of a pair are opposite, so that what they have in common does not seem to depend on the offset.
    """
    offsets = rng.uniform(-SPREAD, SPREAD, (n, 4))
    offsets = np.vstack([np.zeros(4), offsets, -offsets])
    centers = motion.center + geometry.step * motion.scale * turned(offsets[:, :2], motion.angle)
    scales, angles = motion.scale * np.exp(offsets[:, 2]), motion.angle + offsets[:, 3]
    return features_at(image, geometry, centers, scales, angles, motion.scale), offsets


def first_background(
    image: np.ndarray, geometry: Geometry, center: np.ndarray, target: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Features of up to n windows around the target at several scales: those most like it, and random ones."""
    chosen, n_each = [], max(1, n // (2 * len(SCALES)))
    for scale in SCALES:
        features, centers = dense(image, geometry, center, scale, AROUND)
        features = features[apart(centers, center, geometry.size, OVERLAP)]
        order = np.argsort(-(features @ target), kind="stable")
        chosen.append(features[np.union1d(order[:n_each], rng.permutation(order)[:n_each])])
    return np.vstack(chosen)


def background(windows: Windows, motion: Motion, size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Features of the windows besides the target that score best, and of random ones."""
    rows = np.flatnonzero(apart(windows.centers, motion.center, size * motion.scale, OVERLAP))
    hard = rows[np.argsort(-windows.scores[rows], kind="stable")[:N_HARD]]
    return windows.features[np.concatenate([hard, rng.permutation(rows)[:N_RANDOM]])]
