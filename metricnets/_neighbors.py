"""Neighbours in the same class and in other classes, and batches with neighbours."""

import copy
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from metricnets._arrays import dense, lengths
from metricnets._cores import n_threads
from metricnets._linalg import middle, shifted
from metricnets._runtime import openmp_threads

LIGHT = 4  # neighbours of small weights that may count instead of one of weight 1
HUGE = 250  # power of two beyond which squares may overflow or vanish
LEAST = 2**27  # multiplications of a thread in a search, below which starting it may take longer
SMALL = 64  # rows of a class up to which it gets no search of its own


def neighborhoods(X: np.ndarray, codes: np.ndarray, n_within: int, n_between: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest neighbours of every row: in the same class, and in other classes.

    If there are fewer, or the class is unknown (a negative code), the missing ones are replaced by the row itself.

    Returns
    -------
    within : ndarray of shape (n, n_within)
    between : ndarray of shape (n, n_between)
    """
    X = X if issparse(X) else X.reshape(len(X), -1)
    itself = np.arange(X.shape[0])[:, None]
    within, between = np.repeat(itself, n_within, axis=1), np.repeat(itself, n_between, axis=1)
    rows = np.flatnonzero(codes >= 0)
    if len(rows):
        within[rows] = rows[nearest_within(X[rows], codes[rows], n_within)]
        between[rows] = rows[nearest_between(X[rows], codes[rows], n_between)]
    return within, between


def nearest_within(X: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """Nearest rows of the same class, (n, k), for known classes; the row itself replaces a missing one."""
    found = np.repeat(np.arange(X.shape[0])[:, None], k, axis=1)
    order, sizes = np.argsort(codes, kind="stable"), np.unique(codes, return_counts=True)[1]
    for own in np.split(order, np.cumsum(sizes)[:-1]):
        n_near = min(k, len(own) - 1)
        if len(own) > SMALL and n_near:
            found[own, :n_near] = own[nearest(X[own], None, n_near)]
        elif n_near:
            near = dense(X[own])
            d = cdist(near, near, "sqeuclidean")
            np.fill_diagonal(d, np.inf)
            found[own, :n_near] = own[np.argsort(d, axis=1, kind="stable")[:, :n_near]]
    return found


def counted_within(X: np.ndarray, codes: np.ndarray, k: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest rows of the same class up to a total weight of k, a weight counting as copies of a row.

    The nearest neighbours of a row of weight w > 1 are its w - 1 copies.

    Returns
    -------
    found : ndarray of int of shape (n, n_near)
        The row itself stands for its copies, and replaces missing ones.
    counts : ndarray of shape (n, n_near)
        How much of the weight of each counts; 0 for missing ones.  Rows of less weight than 1 / `LIGHT` have counts
        that sum to less than k.
    """
    enough = [np.searchsorted(np.cumsum(np.sort(weights[codes == code])), k) + 1 for code in np.unique(codes)]
    n_near = min(max(enough), int(np.unique(codes, return_counts=True)[1].max()) - 1, LIGHT * k)
    found = np.column_stack([np.arange(X.shape[0]), nearest_within(X, codes, n_near)])
    counts = np.where(found == np.arange(X.shape[0])[:, None], 0, weights[found])
    counts[:, 0] = np.maximum(weights - 1, 0)
    counts = np.clip(k - (np.cumsum(counts, axis=1) - counts), 0, counts)
    used = counts.any(axis=0)
    return found[:, used], counts[:, used]


def nearest_between(X: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """Nearest rows of other classes, as in `nearest_within`, with one search for all small classes."""
    found = np.repeat(np.arange(X.shape[0])[:, None], k, axis=1)
    classes, codes, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    if not k or len(classes) < 2:
        return found
    for code in np.flatnonzero(sizes > SMALL):
        own, other = np.flatnonzero(codes == code), np.flatnonzero(codes != code)
        n_near = min(k, len(other))
        found[own, :n_near] = other[nearest(X[other], X[own], n_near)]
    rows = np.flatnonzero(sizes[codes] <= SMALL)
    if len(rows):
        near = nearest(X, X[rows], min(X.shape[0], k + sizes[sizes <= SMALL].max()))
        of_own = codes[near] == codes[rows, None]
        first = np.argsort(of_own, axis=1, kind="stable")[:, :k]  # rows of other classes first, by distance
        itself, near = np.take_along_axis(of_own, first, axis=1), np.take_along_axis(near, first, axis=1)
        found[rows, : first.shape[1]] = np.where(itself, rows[:, None], near)
    return found


def nearest(X: np.ndarray, queries: np.ndarray | None, k: int) -> np.ndarray:
    """Indices of the k rows of X nearest to each query, or to each row of X, without itself, if it is None."""
    return Neighbors(X, k)(queries)


class Neighbors:
    """Search for k nearest rows of X that is accurate far from the origin, and for numbers of any size.

    Scikit-learn subtracts squared norms, which loses digits of far points, so the origin is moved near to them; squares
    of huge or tiny numbers overflow or vanish, so these are multiplied by a power of two first.
    """

    def __init__(self, X: np.ndarray, k: int) -> None:
        self.origin = middle(X)
        self.points = shifted(X, self.origin)
        numbers = self.points.data if issparse(self.points) else self.points
        power = int(np.frexp(np.abs(numbers).max(initial=0))[1])
        self.power = power if abs(power) > HUGE else 0  # of two, of the largest number
        with openmp_threads():
            self.index = NearestNeighbors(n_neighbors=k).fit(self._sized(self.points))

    def __call__(self, queries: np.ndarray | None = None, k: int | None = None, n_jobs: int | None = 1) -> np.ndarray:
        """Return the indices of the nearest rows, (n_queries, k), as `nearest`; of another k if it is given."""
        queries = None if queries is None else self._sized(self._checked(queries))
        (n, d), index = self.points.shape, self.index
        threads = n_threads(n_jobs, d * n * (n if queries is None else queries.shape[0]), LEAST)
        if threads > 1:
            index = copy.copy(index)
            index.n_jobs = threads  # of trees, which are searched without OpenMP
        with openmp_threads(threads):
            return index.kneighbors(queries, k, return_distance=False)

    def with_distances(
        self, queries: np.ndarray | None = None, k: int | None = None, n_jobs: int | None = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices and the distances of the nearest rows, each (n_queries, k), computed from differences."""
        rows, own = self(queries, k, n_jobs), self.points if queries is None else self._checked(queries)
        distances = np.stack([lengths(dense(own - self.points[column])) for column in rows.T], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)

    def _checked(self, queries):
        if queries.shape[1] != len(self.origin):
            raise ValueError(
                f"points have {queries.shape[1]} components, and {len(self.origin)} in training; metric should "
                "embed all points into one space."
            )
        return shifted(queries, self.origin)

    def _sized(self, points):
        if not self.power:
            return points
        return points * 2.0**-self.power if issparse(points) else np.ldexp(points, -self.power)


class WithNeighbors:
    """Batches of rows, followed by a random neighbour of each row, of each kind of neighbours.

    Parameters
    ----------
    sampler : iterable of index arrays
    neighbors : sequence of ndarray of shape (n_rows, k)
        For each kind, such as those in the same class and those in other classes.
    rng : numpy.random.Generator
    """

    def __init__(
        self, sampler: Collection[np.ndarray], neighbors: Sequence[np.ndarray], rng: np.random.Generator
    ) -> None:
        self.sampler, self.neighbors, self.rng = sampler, neighbors, rng

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[np.ndarray]:
        for rows in self.sampler:
            drawn = [near[rows, self.rng.integers(near.shape[1], size=len(rows))] for near in self.neighbors]
            yield np.concatenate([rows, *drawn])
