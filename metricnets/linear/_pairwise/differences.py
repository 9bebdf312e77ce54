"""Differences of the two points of each pair, and their units."""

import numpy as np
from scipy.sparse import issparse

from metricnets._weights import mean_of


def pair_differences(X: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """X[i] − X[j] for pairs (n_pairs, 2) of rows i, j, which may be sparse; of shape (n_pairs, d)."""
    return X[pairs[:, 0]] - X[pairs[:, 1]]


def in_units(differences: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Divide differences by their root mean square, feature by feature.

    Returns
    -------
    differences : ndarray of shape (n_pairs, d)
    units : ndarray of shape (d,)
        1 for a feature in which no pair differs.
    """
    units = np.sqrt(mean_of(differences**2, weights))
    units[units == 0] = 1.0
    return differences / units, units


def check_dissimilar(differences: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError if no pair with y < 0 has two different points."""
    apart = differences[y < 0]
    if not (apart.data if issparse(apart) else apart).any():
        raise ValueError("no dissimilar pair has two different points; the metric has nothing to separate.")
