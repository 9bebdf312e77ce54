"""Votes of the classes by kernel ridge regression on nearest neighbours."""

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics.pairwise import euclidean_distances

from metricnets._neighbors import Neighbors

RIDGE = 0.2
NUMBERS = 2**22  # in memory at a time


class LocalVotes:
    """Kernel ridge regression of the classes, fitted to the nearest neighbours of each query.

    With the kernel k(x, z) = exp(−‖x − z‖² / h²), its matrix K of the neighbours z₁, ..., z_m of x and the indicators Y
    of their classes, the votes are (k(x, z₁), ..., k(x, z_m)) (K + 0.2 I)⁻¹ Y: large for a class that surrounds x,
    small for one that is far away, or farther than another.

    Parameters
    ----------
    search : Neighbors
        The search for neighbours among training points.
    codes : ndarray of int of shape (n,)
        The class of each training point.
    width : float > 0
        The distance h.
    """

    def __init__(self, search: Neighbors, codes: np.ndarray, width: float) -> None:
        self.search, self.codes, self.width = search, codes, width

    def with_neighbors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the largest vote of each query, (n,), the rows of its neighbours and their distances, (n, m)."""
        rows, distances = self.search.with_distances(z)
        size = max(1, NUMBERS // (rows.shape[1] * (rows.shape[1] + z.shape[1])))
        starts = range(0, len(rows), size)
        votes = [self._largest(rows[start : start + size], distances[start : start + size]) for start in starts]
        return np.concatenate(votes), rows, distances

    def _largest(self, rows, distances):
        d2 = squared_among(self.search.points, rows, self.width)
        weights, codes = ridge_weights(d2, distances / self.width), self.codes[rows]
        return np.max([np.where(codes == code, weights, 0).sum(axis=1) for code in np.unique(codes)], axis=0)


def squared_among(points: np.ndarray, rows: np.ndarray, unit: float) -> np.ndarray:
    """Squared distances of rows (n, m) of points to each other, in some unit, (n, m, m)."""
    if issparse(points):
        return np.stack([euclidean_distances(points[chosen] / unit, squared=True) for chosen in rows])
    z = points[rows].astype(float)
    z = (z - z[:, :1]) / unit
    norms = (z**2).sum(axis=2)
    return np.maximum(norms[:, :, None] + norms[:, None] - 2 * z @ z.transpose(0, 2, 1), 0)


def ridge_weights(d2: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Weights of the targets of neighbours in kernel ridge regression.

    Parameters
    ----------
    d2 : ndarray of shape (n, m, m)
        Squared distances of neighbours to each other, in units of the kernel.
    distances : ndarray of shape (n, m)
        Their distances to the query.

    Returns
    -------
    weights : ndarray of shape (n, m)
    """
    kernel = np.exp(-d2) + RIDGE * np.eye(d2.shape[1])
    return np.linalg.solve(kernel, np.exp(-(distances**2))[:, :, None])[:, :, 0]
