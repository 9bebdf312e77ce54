"""Base class of estimators that predict from nearest neighbours in a learned metric."""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from metricnets._neighbors import Neighbors
from metricnets._params import Count, Jobs, Points
from metricnets.predictors._on_metric import Measured, OnMetric


class NeighborsEstimator(OnMetric):
    """Base class of estimators that store targets, and predict from those of the nearest neighbours.

    The ``fit`` of a subclass calls ``_validated`` and then ``_index``; ``_neighbors`` returns rows.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Number of threads of a search; see :ref:`cores`.  -1 is all cores; None is that of ``joblib.parallel_config``,
        or 1.  Small searches use one, and so do those by a metric that is a function.
    """

    n_neighbors: Count = 5
    n_jobs: Jobs = None

    def _index(self, X, y, weights, n_least):
        """Fit the metric unless it is fitted, and prepare to find neighbours among the rows of X."""
        if X.shape[0] < n_least:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} needs at least {n_least} rows, but n_samples={X.shape[0]}; lower it."
            )
        z = self._fit_metric(X, y, weights)
        self._found = self._search(z, int(self.n_neighbors))
        return z

    def _search(self, z, k):
        """What finds the k nearest of these embeddings, or of these points for a metric that is a function."""
        return Neighbors(z, k) if self._embeds() else Measurements(Measured(self.metric_), z, k)

    def _neighbors(self, X=None):
        """Training rows nearest to each point, (n, k); without X, to each training row, except itself."""
        z = None if X is None else self._embedded(X)
        return self._found(z, n_jobs=self.n_jobs)


class KNeighborsMixin:
    """Mixin of estimators that show the neighbours from which they predict; ``_rows`` are their places in X."""

    def kneighbors(
        self, X: Points | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """Find the nearest training samples, which explain a prediction.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features) or None, default=None
            Points.  None finds the neighbours of each training sample, without itself.
        n_neighbors : int >= 1 or None, default=None
            Number of neighbours; None is that of the estimator.
        return_distance : bool, default=True
            Whether distances are returned.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            In the metric, ascending; not returned if ``return_distance=False``.
        rows : ndarray of int of shape (n_samples, n_neighbors)
            Indices of the samples in the X of ``fit``.
        """
        check_is_fitted(self)
        k = int(self.n_neighbors) if n_neighbors is None else n_neighbors
        rows, distances = self._found.with_distances(None if X is None else self._embedded(X), k, self.n_jobs)
        return (distances, self._rows[rows]) if return_distance else self._rows[rows]


class Measurements:
    """Search for nearest rows by a function of two rows, in the form of `Neighbors`."""

    def __init__(self, measured, X, k):
        self.index = NearestNeighbors(n_neighbors=k, metric=measured, algorithm="brute").fit(X)

    def __call__(self, queries=None, k=None, n_jobs=None):
        """Return the indices of the nearest rows, (n_queries, k), in one thread: functions of Python gain nothing."""
        return self.index.kneighbors(queries, k, return_distance=False)

    def with_distances(self, queries=None, k=None, n_jobs=None):
        """Return the indices of the nearest rows and their distances, each (n_queries, k)."""
        distances, rows = self.index.kneighbors(queries, k)
        return rows, distances


def total(rows: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Sum rows of Y, of shape (m, ...), over the columns of ``rows``, (n, k): Σ_j Y[rows[:, j]], (n, ...)."""
    sums = np.zeros((len(rows), *Y.shape[1:]), dtype=np.result_type(Y, np.int64))
    for column in rows.T:  # one neighbour at a time: n × L numbers in memory, not n × k × L
        sums += Y[column]
    return sums
