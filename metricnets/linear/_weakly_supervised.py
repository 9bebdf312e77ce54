"""The shells of the linear learners from tuples, and from classes that tuples are drawn from."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets import calibration
from metricnets._blocks import check_square
from metricnets._draws import negative_pairs, positive_pairs
from metricnets._labels import partial_codes, supervised_codes
from metricnets._params import MaybeArray, MaybeCount, Seed, fitting, random_state_of
from metricnets._tuples import check_no_labels, check_pair_labels, distinct, points_and_members
from metricnets._weighted_draws import weighted_pairs
from metricnets._weights import check_weights, counted, rows_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric, MahalanobisMetric
from metricnets.tuple_learners import PairsMixin, QuadrupletsMixin, TripletsMixin


class TuplesSolver:
    """The hook of all learners from tuples, given by the user or drawn from classes."""

    def _solve_tuples(self, X, members, labels, weights):
        """Learn L from tuples.

        Parameters
        ----------
        X : ndarray of shape (n_points, n_features)
            The distinct points of all tuples, in double precision.
        members : ndarray of int of shape (n_tuples, size)
            Rows of X that form each tuple.
        labels : ndarray of shape (n_tuples,) or None
            +1 or −1 for pairs, None for others.
        weights : ndarray of shape (n_tuples,) or None
            How often each tuple counts, positive; None if all count once.

        Returns
        -------
        L : ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError


class TuplesLearner(TuplesSolver, MahalanobisMetric):
    """Mahalanobis metric learned from tuples.  Hook: ``_solve_tuples``."""

    def _rows(self, tuples, y):
        X, members = points_and_members(tuples, self._tuple_size, self.preprocessor, self._for_points(y))
        if X.ndim != 2:
            raise ValueError(f"points should be rows of features; those of the tuples have shape {X.shape[1:]}.")
        return X, members

    def _learn(self, X, members, labels, weights):
        self.n_features_in_, self.classes_ = X.shape[1], np.array([-1, 1])
        present, weights = counted(weights)
        if present is not None:
            members, labels = members[present], rows_of(labels, present)
        rows = members.ravel()[:: max(1, members.size // 1000)]  # the same points, however the tuples are given
        points, members = distinct(self._ready(X, rows), members)
        return self._keep(self._solve(points, members, labels, weights), X.dtype)

    def _solve(self, X, members, labels, weights):
        return self._solve_tuples(X, members, labels, weights)


class PairsLearner(PairsMixin, TuplesLearner):
    """Mahalanobis metric learned from pairs that are similar or dissimilar; a classifier of pairs.

    Attributes
    ----------
    threshold_ : float
        Largest distance of a pair that is predicted to be similar.
    probability_ : callable
        Function of distances, the probability that a pair is similar.
    classes_ : ndarray of shape (2,)
        The labels of dissimilar and of similar pairs, as in y.
    """

    @fitting
    def fit(
        self,
        pairs: ArrayLike,
        y: ArrayLike,
        calibration_params: dict[str, object] | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the metric from pairs, then calibrate ``threshold_`` on them.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Training pairs; GMML and KISSME also take an array of Dask.
        y : array-like of shape (n_pairs,)
            +1 for similar, −1 or 0 for dissimilar; or True and False.
        calibration_params : dict or None, default=None
            Keyword arguments of ``calibrate_threshold``.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            How often each pair counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the pairs, y or sample_weight do not have this form, or all pairs that count have the same label.
        """
        calibration_params = calibration.check_params(calibration_params, self._check_strategy)
        if self._by_blocks and hasattr(pairs, "__dask_graph__"):
            return self._fit_table(pairs, y, calibration_params, sample_weight)
        X, members = self._rows(pairs, y)
        signs, classes = check_pair_labels(y, len(members))
        weights = check_weights(sample_weight, len(members), of="pairs")
        if weights is not None:
            check_both_kinds(signs, weights)
        self._learn(X, members, signs, weights)
        self.classes_ = classes
        return self.calibrate_threshold(pairs, y, **calibration_params, sample_weight=weights)

    def _fit_table(self, pairs, y, calibration_params, sample_weight):
        """Hook: do what ``fit`` does by blocks of an array of Dask."""
        raise NotImplementedError

    def _take(self, L, task):
        super()._take(L, task)
        pairs, y, params, weights = map(task.arguments.get, ("pairs", "y", "calibration_params", "sample_weight"))
        _, self.classes_ = check_pair_labels(y, len(pairs))
        params = calibration.check_params(params, self._check_strategy)
        self.calibrate_threshold(pairs, y, **params, sample_weight=weights)


def check_both_kinds(signs: np.ndarray, weights: np.ndarray) -> None:
    """Raise ValueError unless pairs of both kinds have a weight above 0."""
    if len(np.unique(signs[weights > 0])) == 1:
        raise ValueError("sample_weight is 0 for all similar or for all dissimilar pairs; both kinds are needed.")


class TripletsLearner(TripletsMixin, TuplesLearner):
    """Mahalanobis metric learned from triplets (a, b, c): a should be nearer to b than to c."""

    @fitting
    def fit(self, triplets: ArrayLike, y: None = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the metric from triplets.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets.
        y : Ignored
            Not used, present for API consistency by convention; labels of −1 are refused, as the order says what is
            wrong.
        sample_weight : array-like of shape (n_triplets,), float or None, default=None
            How often each triplet counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the triplets or the weights do not have this form, or y is −1 for some of them.
        """
        check_no_labels(y, "triplets")
        X, members = self._rows(triplets, y)
        return self._learn(X, members, None, check_weights(sample_weight, len(members), of="triplets"))


class QuadrupletsLearner(QuadrupletsMixin, TuplesLearner):
    """Mahalanobis metric learned from quadruplets (a, b, c, d): a and b should be nearer than c and d."""

    @fitting
    def fit(
        self, quadruplets: ArrayLike, weights: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn the metric from quadruplets.

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Training quadruplets.
        weights : array-like of shape (n_quadruplets,) or None, default=None
            Weights of the quadruplets; only their proportions matter.  None gives all the same weight.
        sample_weight : array-like of shape (n_quadruplets,) or None, default=None
            Another name for ``weights``; give one of them.

        Returns
        -------
        self : object
            The fitted learner.
        """
        X, members = self._rows(quadruplets, weights)
        if weights is not None and sample_weight is not None:
            raise ValueError("weights and sample_weight are two names of the same argument; give one of them.")
        given, name = (weights, "weights") if sample_weight is None else (sample_weight, "sample_weight")
        return self._learn(X, members, None, check_weights(given, len(members), name, of="quadruplets"))


class FromLabels(TuplesSolver, LinearMetric):
    """A learner from tuples that draws them from classes.

    Labels that are None, NaN or negative numbers are unknown: these samples are left out.  Hooks:
    ``_tuples`` and ``_solve_tuples``.

    Parameters
    ----------
    n_constraints : int >= 1 or None, default=None
        Number of similar pairs to draw, and of dissimilar pairs.  None takes 20 times the squared
        number of classes.  If there are fewer pairs, all are taken: with a warning, unless None.
    random_state : int, RandomState or None, default=None
        Determines which pairs are drawn.  Pass an int for reproducible results.
    """

    n_constraints: MaybeCount = None
    random_state: Seed = None

    _labels = staticmethod(supervised_codes)
    _sparse = "csr"
    _by_blocks = True

    def _solve_points(self, X, codes, weights):
        members, labels, weights = self._drawn(codes, weights)
        points, members = distinct(X, members)
        return self._solve_tuples(points, members, labels, weights)

    def _solve_table(self, X, codes, y, sample_weight):
        check_square(X.shape[1], type(self).__name__)
        members, labels, weights = self._drawn(*self._counted_codes(codes, sample_weight))
        rows, places = np.unique(members.ravel(), return_inverse=True)
        points, members = distinct(self._ready(X.rows(rows)), places.reshape(members.shape))
        return self._solve_tuples(points, members, labels, weights)

    def _drawn(self, codes, weights):
        """Tuples as rows, (n_tuples, size), their labels and weights."""
        codes = partial_codes(codes)  # there may be fewer classes that count
        rng = random_state_of(self.random_state)
        n_pairs = self.n_constraints or 20 * (codes.max(initial=-1) + 1) ** 2
        if weights is None:
            drawn, counts = (positive_pairs(codes, n_pairs, rng), negative_pairs(codes, n_pairs, rng)), None
        else:
            both = (weighted_pairs(codes, weights, n_pairs, rng, similar=similar) for similar in (True, False))
            drawn, counts = zip(*both)
        for kind, pairs in zip(("similar", "dissimilar"), drawn):
            if len(pairs) == 0:
                raise ValueError(f"y gives no {kind} pairs; it needs two classes, and two samples in one of them.")
            if self.n_constraints is not None and len(pairs) < n_pairs:
                warn(f"only {len(pairs)} {kind} pairs drawn, for n_constraints={n_pairs}.")
        return self._tuples(*drawn, counts)

    def _tuples(self, similar, dissimilar, counts):
        """Hook: make tuples, as rows of X, (n_tuples, size), their labels and weights from pairs, each (n_pairs, 2).

        ``counts`` are how often each similar and each dissimilar pair counts, or None if all count once.
        """
        raise NotImplementedError


class PairsFromLabels(FromLabels):
    """A learner from pairs that draws them from classes."""

    def _tuples(self, similar, dissimilar, counts):
        labels = np.repeat([1, -1], [len(similar), len(dissimilar)])
        return np.concatenate([similar, dissimilar]), labels, counts and np.concatenate(counts)


class QuadrupletsFromLabels(FromLabels):
    """A learner from quadruplets that draws them from classes: a similar pair and a dissimilar pair.

    Parameters
    ----------
    weights : array-like of shape (n_constraints,) or None, default=None
        Weights of the quadruplets; only their proportions matter.  None gives all the same weight.
    """

    weights: MaybeArray = None

    def _tuples(self, similar, dissimilar, counts):
        n = min(len(similar), len(dissimilar))
        weights = check_weights(None if self.weights is None else self.weights[:n], n, "weights", "quadruplets")
        if counts is not None:
            weights = counts[0][:n] * counts[1][:n] * (1.0 if weights is None else weights)
        return np.hstack([similar[:n], dissimilar[:n]]), None, weights
