"""Scores of how well points agree with a known class."""

from collections.abc import Callable

import numpy as np

from metricnets._local_votes import LocalVotes
from metricnets._neighbors import Neighbors

CHUNK = 4096  # points whose distances to all classes are in memory at a time
N_LOCAL, WIDTH = 100, 1.25  # neighbours in the kernel ridge regression, and the width of its kernel
AUTO = ("kernel", "relative", "distance")  # the first that a metric allows is the default


class KernelScore:
    """−d₁ exp(−2 v) / √u: distance to the nearest sample, largest vote of a class, and spacing of the neighbours.

    Parameters
    ----------
    search : Neighbors
        For the neighbours that vote.
    codes : ndarray of int of shape (n,)
    n_neighbors : int
    unit : float
        Of the distances.
    spacing : ndarray of shape (n,)
        Mean distance of each training sample to its neighbours.
    """

    def __init__(
        self, search: Neighbors, codes: np.ndarray, n_neighbors: int, unit: float, spacing: np.ndarray
    ) -> None:
        self.votes = LocalVotes(search, codes, WIDTH * unit)
        self.n_neighbors, self.unit, self.spacing = n_neighbors, unit, spacing / unit

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Compute the scores of points, (n,); the better a point agrees with a class, the larger."""
        votes, rows, distances = self.votes.with_neighbors(z)
        around = self.spacing[rows[:, : self.n_neighbors]].mean(axis=1)
        nearest = distances[:, 0] / self.unit
        return -nearest * np.exp(-2 * votes) / np.sqrt(np.where(around > 0, around, 1))


class ClassScore:
    """−t₁, or −t₁² / t₂, with the mean distances t₁ ≤ t₂ to the k nearest samples of the nearest two classes.

    Parameters
    ----------
    searches : list
        For each class a search like `Neighbors`, for k samples or all.
    unit : float
        Of the distances.
    relative : bool
    """

    def __init__(self, searches: list, unit: float, relative: bool) -> None:
        self.searches, self.unit, self.relative = searches, unit, relative and len(searches) > 1

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Compute the scores of points, (n,); the better a point agrees with a class, the larger."""
        starts = range(0, z.shape[0], CHUNK)
        return np.concatenate([self._scores(z[start : start + CHUNK]) for start in starts])

    def _scores(self, z):
        t = np.stack([search.with_distances(z)[1].mean(axis=1) for search in self.searches], axis=1) / self.unit
        if not self.relative:
            return -t.min(axis=1)
        nearest, second = np.partition(t, 1, axis=1)[:, :2].T
        return -nearest * np.divide(nearest, second, out=np.ones_like(second), where=second > 0)


def scores_of(
    names: tuple[str, ...], search: Callable, z: np.ndarray, codes: np.ndarray, n_neighbors: int
) -> dict[str, Callable]:
    """Prepare scores, functions of embeddings, with these names.

    Parameters
    ----------
    names : tuple of str
    search : callable
        Takes embeddings and a number of neighbours, and returns a search like `Neighbors`.
    z : ndarray or sparse matrix of shape (n, d)
        Of the training samples.
    codes : ndarray of int of shape (n,)
        Their classes.
    n_neighbors : int
    """
    k = min(n_neighbors, len(codes) - 1)
    near = search(z, k).with_distances()[1] if k else np.ones((1, 1))
    unit, found = float(np.median(near)) or 1.0, {}
    of_classes = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    searches = [search(z[rows], min(n_neighbors, len(rows))) for rows in of_classes if names != ("kernel",)]
    for name in names:
        found[name] = ClassScore(searches, unit, name == "relative")
        if name == "kernel":
            local = search(z, min(N_LOCAL, len(codes)))
            found[name] = KernelScore(local, codes, n_neighbors, unit, near.mean(axis=1))
    return found
