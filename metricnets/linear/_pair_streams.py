"""The shell of the linear learners from pairs whose statistics add up: ``partial_fit``."""

from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.metaestimators import available_if

from metricnets._arrays import lengths
from metricnets._batches import pair_signs, takes_batches
from metricnets._blocks import check_square
from metricnets._lazy import needed
from metricnets._params import fitting
from metricnets._reservoir import Reservoir
from metricnets._scatters import DifferenceSums
from metricnets._tuples import check_pair_labels, distinct
from metricnets._weights import check_weights
from metricnets.linear._base import in_double
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._streams import InBatches
from metricnets.linear._weakly_supervised import PairsLearner, check_both_kinds

N_KEPT = 1000  # pairs on which the threshold is calibrated


class SumsOfPairs(InBatches, PairsLearner):
    """Mahalanobis metric learned from pairs by sums over their differences.

    Hooks: ``_solve_tuples`` and ``_solve_sums``, of `DifferenceSums`.
    """

    _by_blocks = True
    _kept = None  # some of the pairs, their labels and weights, a `Reservoir`
    _classes = None  # as in ``classes_``, as far as the labels so far show, of a learner that is not fitted yet

    @available_if(takes_batches)
    @fitting
    def partial_fit(self, pairs: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from one more batch of pairs, and calibrate ``threshold_``.

        After the last batch the metric is equal to that of ``fit`` on all pairs, up to rounding, whatever the order and
        the sizes of the batches, if their points are more than the features.  Two d × d matrices are kept.  The
        threshold is close to that of ``fit``: it is calibrated on 1000 of the pairs so far, drawn at random, which are
        kept too.  Where there is no solution yet, as of pairs of one kind, there is a warning, and the learner is not
        fitted.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs, one or more.
        y : array-like of shape (n_pairs,)
            Their labels, as in ``fit``.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            How often each pair counts, as in ``fit``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the pairs, y or the weights do not have this form, or a ``fit`` before had fewer points than features,
            and kept no sums.  What was learned stays.
        """
        first = self._check_first()
        X, members = self._rows(pairs, y)
        n, expected = X.shape[1], getattr(self, "n_features_in_", X.shape[1])
        if not first and n != expected:
            raise ValueError(
                f"X has {n} features, but {type(self).__name__} is expecting {expected} features as input."
            )
        known = None if first else getattr(self, "classes_", self._classes)
        signs, self._classes = pair_signs(y, len(members), known)
        weights = check_weights(sample_weight, len(members), of="pairs")
        weights = np.ones(len(members)) if weights is None else weights
        found = self._sums_of(X, members, signs, weights)
        self.n_features_in_, self._kept = X.shape[1], self._kept_after(X[members], signs, weights)
        if self._solve_batches(found if first else self._sums.merged(found), X.dtype):
            self.classes_ = self._classes
            kept, signs, weights = self._kept.arrays
            if len(np.unique(signs)) == 2:
                self.calibrate_threshold(kept, signs, sample_weight=weights)
        return self

    def _solve(self, X, members, labels, weights):
        self._sums = self._kept = None
        if len(X) < X.shape[1] or self._why_not_in_batches():
            return super()._solve(X, members, labels, weights)
        self._sums = DifferenceSums.of(pair_differences(X, members), labels, weights, len(X))
        return self._solve_sums(self._sums)

    def _fit_table(self, pairs, y, calibration_params, sample_weight):
        of_pairs = needed("metricnets._dask", type(self).__name__).pairs_of_dask
        first, differences, y, sample_weight = of_pairs(pairs, y, sample_weight, n_first=8 * pairs.shape[-1])
        reason, d = self._why_not_in_batches(), differences.shape[1]
        if reason:
            raise ValueError(f"pairs are an array of Dask, which is read by blocks, and {reason}")
        check_square(d, type(self).__name__)
        signs, classes = check_pair_labels(y, len(differences))
        weights = check_weights(sample_weight, len(differences), of="pairs")
        if weights is not None:
            check_both_kinds(signs, weights)
        sums = differences.summed(sums_of_differences, DifferenceSums.merged, signs, weights)
        n_points = len(distinct(first, np.arange(len(first)))[0])
        self.n_features_in_, self.classes_, self._kept = d, classes, None
        self._sums = sums._replace(n_points=n_points)
        self._keep(self._solve_sums(self._sums), differences.dtype)
        scores = differences.summed(partial(negative_lengths, L=self.components_), appended)
        return self._calibrate_on(scores, signs, {**calibration_params, "sample_weight": weights})

    def _sums_of(self, X, members, signs, weights):
        rows, Z = weights > 0, self._ready(X)
        members = members[rows]
        n_points = len(distinct(Z, members[: 8 * X.shape[1]])[0])  # more than the features need not be counted
        return DifferenceSums.of(pair_differences(Z, members), signs[rows], weights[rows], n_points)

    def _kept_after(self, *batch):
        """What is kept of pairs, labels and weights after a batch."""
        before = self._kept or Reservoir(N_KEPT, np.random.default_rng(0))
        rows = before.joined(*(array[batch[-1] > 0] for array in batch))
        return before.after(*rows, groups=np.zeros(len(rows[0]), int))


def sums_of_differences(X: np.ndarray, signs: np.ndarray, weights: np.ndarray | None) -> DifferenceSums:
    """Sums over differences X (n_pairs, d) of similar pairs, +1, and dissimilar ones, −1."""
    return DifferenceSums.of(in_double(X), signs, weights, 0)


def negative_lengths(X: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Minus the lengths of the rows of X after the map L."""
    return -lengths(X @ L.T)


def appended(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One array after the other."""
    return np.concatenate([a, b])
