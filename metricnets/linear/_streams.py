"""The shells of the linear learners whose statistics add up: ``partial_fit`` from points and from pairs."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from metricnets._batches import pair_signs, rows_of_targets, takes_batches
from metricnets._labels import check_known
from metricnets._linalg import middle, shifted
from metricnets._params import fitting
from metricnets._reservoir import Reservoir
from metricnets._tuples import FLOATS, distinct, points_of
from metricnets._weights import check_weights, rows_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.scatters import DifferenceSums, Scatters
from metricnets.linear._weakly_supervised import PairsLearner

N_KEPT = 1000  # pairs on which the threshold is calibrated


class _InBatches:
    """What ``partial_fit`` from points and from pairs share."""

    _sums = None  # those of the batches of `partial_fit`

    def _why_not_in_batches(self):
        """Hook: why the parameters need all samples at once, or None."""
        return None

    def _check_first(self):
        """Whether this is the first batch; ValueError after a ``fit`` that kept no sums."""
        if self._sums is None and hasattr(self, "components_"):
            raise ValueError(
                f"this {type(self).__name__} was fitted by a fit that kept no sums to add to, as they would be larger "
                "than the samples, or these are of several views; call partial_fit from the first batch on."
            )
        return self._sums is None

    def _solve_batches(self, dtype):
        """Keep the metric of the sums so far; whether there is one, which takes two classes, for example."""
        sums = self._sums
        try:
            L = self._solve_sums(sums)
        except ValueError as error:
            warn(f"{type(self).__name__} has no metric of the batches so far: {error} It goes on with the next batch.")
            return False
        self._keep(L, dtype)
        self._sums = sums
        return True

    def _keep(self, L, dtype):
        self._sums = None  # until a `partial_fit` sets them: those of before do not belong to a `fit`
        return super()._keep(L, dtype)

    def _solve_sums(self, sums):
        """Hook: learn L from the sums; ValueError if they do not suffice."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self):
        return hasattr(self, "components_")


class SumsOfPoints(_InBatches, LinearMetric):
    """Mahalanobis metric learned from points by sums over them.

    Hooks: ``_solve_points``; and ``_solve_sums`` of the origin of the means, `Scatters` of the groups, and `Scatters`
    of the points in no group as one.
    """

    _apart = False  # whether the scatter of each group is needed

    @available_if(takes_batches)
    @fitting
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from one more batch of samples.

        After the last batch the metric is equal to that of ``fit`` on all of them, up to rounding, whatever the order
        and the sizes of the batches.  Counts, means and scatters of the samples so far are kept, see
        :doc:`/user_guide/streams`.  Each call ends with the solution, in O(d³), so many samples at a time take less
        time.  Where there is no solution yet, as of samples of one class, there is a warning, and the learner is not
        fitted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Points, one or more.
        y : array-like of shape (n_samples,)
            Their classes, as in ``fit``; new ones may come at any time.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts, as in ``fit``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X, y or the weights do not have this form, or a ``fit`` before had fewer samples than features, and kept
            no sums.  What was learned stays.
        """
        first, X = self._check_first(), points_of(X, self.preprocessor)
        names, known = self._grouped(y)
        checks = {"reset": first, "dtype": FLOATS}
        if self._supervised:
            X, _ = validate_data(self, X, None if y is None else known.astype(int), **checks)
        else:
            X = validate_data(self, X, **checks)
        self._sums = self._added(X, names, known, sample_weight)
        self._solve_batches(X.dtype)
        return self

    def _remember(self, X, y, sample_weight):
        names, known = self._grouped(y)
        n_matrices = len(np.unique(names[known])) if self._apart else 1
        if n_matrices * X.shape[1] <= len(X):
            self._sums = self._added(X, names, known, sample_weight)

    def _grouped(self, y):
        """The name of the group of each sample, and which of them are in one; None without y."""
        if y is None or not self._supervised:
            return None, None
        return self._named(rows_of_targets(y, self._sums and self._sums[1].names))

    def _added(self, X, names, known, sample_weight):
        """The sums after samples in these groups, or in none."""
        weights, Z = check_weights(sample_weight, len(X)), self._in_double(X)
        if names is None:
            names, known = np.zeros(len(X), int), np.ones(len(X), bool)
        counts = np.ones(len(X), bool) if weights is None else weights > 0
        origin, *before = self._sums or (middle(Z), *self._none(Z.shape[1]))
        added, Z = [], shifted(Z, origin)
        for some, apart in ((counts & known, self._apart), (counts & ~known, False)):
            rows = slice(None) if some.all() else some
            groups = names[rows] if not added else np.zeros(np.count_nonzero(some), int)
            added.append(Scatters.of(Z[rows], groups, rows_of(weights, rows), apart))
        return origin, *(old.merged(new) for old, new in zip(before, added))

    def _none(self, d):
        return Scatters.of_none(d, self._apart), Scatters.of_none(d)

    def _named(self, y):
        """Hook: what `_grouped` returns, from the rows of y."""
        y = check_known(y)
        check_classification_targets(y)
        return y, np.ones(len(y), bool)


class SumsOfPairs(_InBatches, PairsLearner):
    """Mahalanobis metric learned from pairs by sums over their differences.

    Hooks: ``_solve_tuples`` and ``_solve_sums``, of `DifferenceSums`.
    """

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
        signs, classes = pair_signs(y, len(members), None if first else self._classes)
        weights = check_weights(sample_weight, len(members), of="pairs")
        weights = np.ones(len(members)) if weights is None else weights
        found = self._of_pairs(X, members, signs, weights)
        before = Reservoir(N_KEPT, np.random.default_rng(0)) if first else self._kept
        rows = weights > 0
        kept = before.joined(X[members][rows], signs[rows], weights[rows])
        self._kept = before.after(*kept, groups=np.zeros(len(kept[0]), int))
        self._sums, self._classes = found if first else self._sums.merged(found), classes
        self.n_features_in_ = X.shape[1]
        if self._solve_batches(X.dtype):
            self.classes_ = classes
            kept, signs, weights = self._kept.arrays
            if len(np.unique(signs)) == 2:
                self.calibrate_threshold(kept, signs, sample_weight=weights)
        return self

    def _of_pairs(self, X, members, signs, weights):
        rows, Z = weights > 0, self._in_double(X)
        members = members[rows]
        n_points = len(distinct(Z, members[: 8 * X.shape[1]])[0])  # more than the features need not be counted
        return DifferenceSums.of(pair_differences(Z, members), signs[rows], weights[rows], n_points)

    def _remember(self, X, members, signs, weights):
        weights = np.ones(len(members)) if weights is None else weights
        if len(X) >= X.shape[1]:
            self._sums, self._classes = self._of_pairs(X, members, signs, weights), self.classes_
            self._kept = Reservoir(N_KEPT, np.random.default_rng(0))
