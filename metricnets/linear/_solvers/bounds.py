"""Bounds of distances of pairs, and the loss of distances that violate them: ITML."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import euclidean_distances

MOST_POINTS = 2000  # whose distances give the default bounds
LEAST_BOUND = 1e-9


def check_bounds(bounds: ArrayLike | None) -> np.ndarray | None:
    """Validate bounds that the user gave, two positive numbers, or None."""
    if bounds is None:
        return None
    checked = np.asarray(bounds)
    if checked.dtype.kind not in "iuf" or checked.size != 2 or not (np.isfinite(checked) & (checked > 0)).all():
        raise ValueError(f"bounds should be two positive numbers, for similar and dissimilar pairs; got {bounds!r}.")
    return checked.astype(float).ravel()


def default_bounds(X: np.ndarray) -> np.ndarray:
    """Take the 5th and 95th percentile of the distances between all rows of X (n, d), each to itself too.

    If the 5th percentile is 0, as for few rows, only distances above 0 count.  Of more than
    `MOST_POINTS` rows, every k-th is taken.
    """
    X = X[:: -(-len(X) // MOST_POINTS)]
    distances = euclidean_distances(X - X.mean(axis=0)).ravel()
    bounds = np.percentile(distances, [5, 95])
    if bounds[0] == 0:
        bounds = np.percentile(distances[distances > 0], [5, 95]) if distances.any() else bounds
    return np.maximum(bounds, LEAST_BOUND)


@dataclass
class SlackLoss:
    """Loss of distances that violate their bound: γ h(p) for p in units of the bound, h(p) = p − log p − 1.

    It has the form that `minimize_logdet` expects.

    Attributes
    ----------
    similar : ndarray of bool of shape (m,)
        Whether p should be at most 1 (True) or at least 1 (False).
    gamma : float, or ndarray of shape (m,) of a γ for each pair
    """

    similar: np.ndarray
    gamma: float | np.ndarray

    def __call__(self, p: np.ndarray) -> tuple[float, np.ndarray, float | np.ndarray]:
        p = np.where((p > 1) == self.similar, p, 1.0)
        losses = p - np.log(p) - 1
        return (
            self.gamma @ losses if np.ndim(self.gamma) else self.gamma * losses.sum(),
            self.gamma * (p - 1),
            self.gamma,
        )

    def bend(self, curvature: float | np.ndarray, change: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Curvature along a relative change of p[rows]: that of h is p² h'' = 1."""
        return (curvature[rows] if np.ndim(curvature) else curvature) * change
