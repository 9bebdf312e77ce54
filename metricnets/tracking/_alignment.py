"""Alignment of a patch with the target, by linear regression of its offset on its features."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve

RIDGE = 3.0  # in units of the mean squared norm of the centred features, divided by their number


class Alignment:
    """Ridge regression of the offsets of patches from the target, in the dual form as features are many.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Of patches near the target.
    offsets : ndarray of shape (n, 4)
        Of these patches from the target: rows and columns, logarithm of the scale, angle.
    """

    def __init__(self, features: np.ndarray, offsets: np.ndarray) -> None:
        mean = features.mean(axis=0)
        mean /= np.linalg.norm(mean)
        X = features - features @ mean[:, None] * mean
        K = X @ X.T
        K.flat[:: len(K) + 1] += RIDGE * np.trace(K) / len(K)
        self.largest = np.abs(offsets).max(axis=0)
        self.map = (X.T @ solve(K, offsets - offsets.mean(axis=0), assume_a="pos")).astype(np.float32)  # (d, 4)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Offsets (n, 4) of patches, within those that were learned from."""
        return np.clip(features @ self.map, -self.largest, self.largest)
