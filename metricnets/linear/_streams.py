"""The shell of the linear learners from points whose statistics add up: ``partial_fit``."""

from collections.abc import Callable
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from metricnets._batches import rows_of_targets, takes_batches
from metricnets._blocks import LARGE, Blocks, check_square
from metricnets._labels import check_known
from metricnets._linalg import middle, shifted
from metricnets._params import fitting
from metricnets._scatters import Scatters, merged_sums, sums_of, without_rounding
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights, counted, rows_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric, check_spread, check_two_count, in_double

MATRICES = 2**23  # entries of the scatters of all groups up to which they are summed apart, by blocks


class InBatches:
    """What ``partial_fit`` from points and from pairs share."""

    _sums = None  # of the batches of `partial_fit`, or of a ``fit`` that they may follow

    def _why_not_in_batches(self):
        """Hook: why the parameters need all samples at once, or None."""
        return None

    def _check_first(self):
        """Whether this is the first batch; ValueError after a ``fit`` that kept no sums."""
        if self._sums is None and hasattr(self, "components_"):
            raise ValueError(
                f"this {type(self).__name__} was fitted by a fit that kept no sums to add to, as they would be larger "
                "than the samples, or its parameters did not suit a stream, or the samples were of several views; call "
                "partial_fit from the first batch on."
            )
        return self._sums is None

    def _solve_batches(self, sums, dtype):
        """Keep the sums and their metric; whether there is one, which takes two classes, for example."""
        self._sums = sums
        try:
            L = self._solve_sums(sums)
        except ValueError as error:
            warn(f"{type(self).__name__} has no metric of the batches so far: {error} It goes on with the next batch.")
            return False
        self._keep(L, dtype)
        return True

    def _solve_sums(self, sums):
        """Hook: learn L from the sums; ValueError if they do not suffice."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self):
        return hasattr(self, "components_")


class SumsOfPoints(InBatches, LinearMetric):
    """Mahalanobis metric learned from points by sums over them.

    Hooks: ``_solve_points``; and ``_solve_sums`` of the origin of the means, `Scatters` of the groups, and `Scatters`
    of the points in no group as one.
    """

    _sparse = "csr"
    _by_blocks = True
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
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples,) indicators
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
        first, X = self._check_first(), self._looked_up(X)
        names, known = self._grouped(y)
        checks = {"reset": first, "dtype": FLOATS, "accept_sparse": self._sparse}
        if self._supervised:
            X, _ = validate_data(self, X, None if y is None else known.astype(int), **checks)
        else:
            X = validate_data(self, X, **checks)
        weights = self._weights(sample_weight, X.shape[0])
        if not isinstance(X, np.ndarray) or X.size > LARGE:
            before = self._sums or self._none(middle(X))
            found = self._summed(Blocks(X), before[0], names, known, weights)
            self._solve_batches(without_rounding(before[0], *merged_sums(before[1:], found)), X.dtype)
            return self
        Z = in_double(X, self.n_components)
        before = self._sums or self._none(middle(Z))
        Z = check_spread(shifted(Z, before[0]))
        self._solve_batches(self._added(before, Z, names, known, weights), X.dtype)
        return self

    def _solve(self, X, labels, y, sample_weight):
        self._sums = None  # those of a fit before have nothing to do with y
        present, _ = counted(check_weights(sample_weight, len(X)))
        groups = self._grouped(y)
        groups = groups if present is None else [rows_of(each, present) for each in groups]
        X, labels, weights = self._counted(X, labels, sample_weight)
        origin, Z = middle(X), self._ready(X)
        self._sums = self._sums_of(origin, Z, *groups, weights)
        if self._sums is None:
            return self._solve_points(Z, labels, weights)
        if not self._solves_by(self._sums):
            return self._solve_points(self._ready(X), labels, weights)  # Z was overwritten
        return self._solve_sums(self._sums)

    def _solve_table(self, X, labels, y, sample_weight):
        L = self._solve_by_blocks(X, y, sample_weight)
        return self._solve(X.whole(), labels, y, sample_weight) if L is None else L

    def _solve_by_blocks(self, X, y, sample_weight):
        """L from sums over `Blocks`; None if they are an array that has to be taken as a whole."""
        self._sums = None
        names, known = self._grouped(y)
        weights = self._weights(sample_weight, len(X))
        if weights is not None:
            check_two_count(weights)
        n_matrices = len(np.unique(names[known])) if self._apart else 1
        reason = self._why_not_in_batches()
        if X.is_array and (reason or X.shape[1] > len(X)):
            return None
        if reason:
            raise ValueError(
                f"X is a {X.kind}, which is read by blocks of rows, and {reason} An array, such as X.toarray() of a "
                "sparse matrix, is taken as a whole."
            )
        if n_matrices > 1 and n_matrices * X.shape[1] ** 2 > min(len(X) * X.shape[1], MATRICES):
            return self._solve_by_sizes(X, names, known, weights)
        check_square(X.shape[1], type(self).__name__, n_matrices + 4)
        origin = X.origin()
        self._sums = without_rounding(origin, *self._summed(X, origin, names, known, weights))
        found = self._sums
        return self._solve_sums(found) if self._solves_by(found) else self._solve_again(X, names, weights)

    def _solve_again(self, X, names, weights):
        """Hook: learn L from `Blocks` and their sums, of which `_solves_by` says that they do not suffice."""
        raise NotImplementedError

    def _solve_by_sizes(self, X, names, known, weights):
        """Hook: learn L from `Blocks` of so many groups that there is no scatter of each."""
        raise NotImplementedError

    def _summed(self, X, origin, names, known, weights):
        """Scatters, as of `sums_of`, of the points of `Blocks` minus the origin."""
        sums = partial(sums_of, apart=self._apart)
        of_rows = partial(of_shifted, sums, origin=origin, n_components=self.n_components)
        return X.summed(of_rows, merged_sums, names, known, weights)

    def _sums_of(self, origin, Z, names, known, weights):
        """The sums of all points, or None if they are larger than the points, or do not suit the parameters.

        Z is overwritten unless they are None.
        """
        if self._why_not_in_batches():
            return None
        n_matrices = len(np.unique(names[known])) if self._apart else 1
        if n_matrices * Z.shape[1] > len(Z):
            return None
        return self._added(self._none(origin), Z, names, known, weights)

    def _grouped(self, y):
        """The name of the group of each sample, and which of them are in one; None without y."""
        if y is None or not self._supervised:
            return None, None
        return self._named(rows_of_targets(y, self._sums and self._sums[1].names))

    def _added(self, before, Z, names, known, weights):
        """The sums after points minus the origin, in these groups or in none."""
        origin, *sums = before
        found = sums_of(Z, names, known, weights, apart=self._apart)
        return without_rounding(origin, *merged_sums(sums, found))

    def _none(self, origin):
        """The sums of no points."""
        return origin, Scatters.of_none(len(origin), self._apart), Scatters.of_none(len(origin))

    def _solves_by(self, sums):
        """Hook: whether ``fit`` solves from the sums too, which takes less time, but squares what it sums."""
        return True

    def _named(self, y):
        """Hook: what `_grouped` returns, from the rows of y."""
        y = check_known(y)
        check_classification_targets(y)
        return y, np.ones(len(y), bool)


def of_shifted(
    sums: Callable,
    X: np.ndarray | csr_matrix,
    *columns: np.ndarray | None,
    origin: np.ndarray,
    n_components: int | None,
) -> tuple[Scatters, Scatters]:
    """Call ``sums(Z, *columns)`` of points X (n, d) minus the origin, in double precision."""
    return sums(shifted(in_double(X, n_components), origin), *columns)
