"""The shell of learners from all pairs of samples of one class and of two, in all views or across views."""

from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length

from metricnets._blocks import Blocks, check_square
from metricnets._labels import known_classes, plain, read, supervised_codes
from metricnets._lazy import needed
from metricnets._linalg import centered, in_span, middle
from metricnets._params import fitting
from metricnets._scatters import merged_sums, of_pairs, pair_scatters, sums_by_size, without_rounding
from metricnets._weights import counted, rows_of, total_of
from metricnets.linear._pairwise.class_pairs import class_scatters
from metricnets.linear._streams import SumsOfPoints, of_shifted


class CrossViewMetric(SumsOfPoints):
    """Mahalanobis metric learned from the scatters of all similar and of all dissimilar pairs of samples.

    Labels that are None, NaN or negative numbers are unknown: these samples are left out.  Hook: ``_solve_scatters``.
    """

    __metadata_request__fit = {"view": True}

    _labels = staticmethod(supervised_codes)
    _apart = True  # the pairs of a class are as many as its samples will be

    @fitting
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        view: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the metric from classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points; without ``view`` also a sparse matrix, or an array of Dask, see :ref:`large_linear`.
        y : array-like of shape (n_samples,)
            Classes, such as persons; None, NaN or a negative number where the class is unknown.
        view : array-like of shape (n_samples,) or None, default=None
            The view of each sample, such as the number or the name of its camera.  Pairs are then of samples of two
            views only.  None takes the pairs of all samples.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X, y, view or sample_weight do not have this form, or there is no similar or no dissimilar pair.
        """
        if hasattr(X, "__dask_graph__"):
            X, y, sample_weight = needed("metricnets._dask", type(self).__name__).of_dask(X, y, sample_weight)
        X, codes = self._validated(X, y)
        if isinstance(X, Blocks):
            L = self._solve_by_blocks(X, y, sample_weight) if view is None else None
            if L is not None:
                return self._keep(L, X.dtype)
            if not X.is_array:
                raise ValueError(
                    f"X is a {X.kind}, and pairs across views need an array; leave view out, or give an array."
                )
            X = X.whole()
        self._sums = None  # those of a fit before have nothing to do with y
        weights, Z = self._weights(sample_weight, len(X)), self._ready(X)
        self._sums = self._sums_of(middle(X), Z, *self._grouped(y), weights) if view is None else None
        if self._sums is not None:
            return self._keep(self._solve_sums(self._sums), X.dtype)
        known = codes >= 0 if weights is None else (codes >= 0) & (weights > 0)
        _, weights = counted(rows_of(weights, known))
        views = None if view is None else view_codes(view, known)
        Z, basis = in_span(centered(Z[known]))
        S, D, *counts = class_scatters(Z, codes[known], views, weights)
        check_counts(counts, "" if view is None else " across views")
        rank = max(min(total_of(weights, len(Z)) - 1, X.shape[1]), 1)
        return self._keep(self._solve_scatters(S, D, rank, basis), X.dtype)

    def _named(self, y):
        classes, codes = known_classes(y)
        known = codes >= 0
        names = np.zeros(len(codes), classes.dtype)
        names[known] = classes[codes[known]]
        return names, known

    def _solve_sums(self, sums):
        _, classes, _ = sums
        if not len(classes.names):
            raise ValueError("y has no known class.")
        S, D, *counts = pair_scatters(classes)
        check_counts(counts)
        return self._solve_scatters(S, D, max(min(classes.counts.sum() - 1, len(S)), 1), None)

    def _solve_by_sizes(self, X, names, known, weights):
        check_square(X.shape[1], type(self).__name__)
        w, number = known * (1.0 if weights is None else weights), np.unique(names, return_inverse=True)[1]
        sizes, origin = np.bincount(number, w), X.origin()
        sums = partial(of_shifted, sums_by_size, origin=origin, n_components=self.n_components)
        found = X.summed(sums, merged_sums, names, w, sizes[number])
        _, same, total = without_rounding(origin, *found)
        n = total.counts[0]
        S, D, *counts = of_pairs(same.within, n * total.within, sizes[sizes > 0], total.own[0])
        check_counts(counts)
        return self._solve_scatters(S, D, max(min(n - 1, len(S)), 1), None)

    def _solve_scatters(self, S, D, rank, basis):
        """Learn L from scatters of differences.

        Parameters
        ----------
        S, D : ndarray of shape (r, r)
            Mean outer products of the differences of similar and of dissimilar pairs, in coordinates of the span.
        rank : float >= 1
            Number of directions in which samples can differ, at most the number of samples, by their weights, minus 1.
        basis : ndarray of shape (n_features, r), or None if the coordinates are the features

        Returns
        -------
        L : ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError


def check_counts(counts: list[float], where: str = "") -> None:
    """Raise ValueError unless there are similar and dissimilar pairs."""
    for kind, count in zip(("similar", "dissimilar"), counts):
        if count == 0:
            raise ValueError(
                f"y gives no {kind} pairs{where}; it needs two classes, and two samples{where} in one of them."
            )


def view_codes(view: ArrayLike, known: np.ndarray) -> np.ndarray:
    """Number the views of the samples that are ``known``; ValueError unless each has one, and there are two views."""
    if np.ndim(view) != 1:
        raise ValueError(f"view should hold one value for each sample; got an array of shape {np.shape(view)}.")
    names, missing, _ = read(view)
    check_consistent_length(known, names)
    if missing.any():
        raise ValueError(f"view is None or NaN for {missing.sum()} samples; every sample needs one.")
    views, codes = np.unique(plain(names, "view"), return_inverse=True)
    if len(views) < 2:
        raise ValueError(f"view has one value only, {views[0]!s}; leave it None to compare all samples.")
    return codes[known]
