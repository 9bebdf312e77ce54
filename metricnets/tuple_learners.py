"""Mixins of the metric learners that learn from tuples of points, and classify them."""

from __future__ import annotations

from numbers import Real
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import check_is_fitted

from metricnets import calibration
from metricnets._pair_probability import check_method, pair_probability
from metricnets._tuples import as_tuples, check_pair_labels
from metricnets._weights import check_weights, counted


class TuplesMixin(ClassifierMixin):
    """Mixin of metric learners that are fitted to tuples of points, and so have no ``fit_transform``.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        −1 and +1.
    """

    _from_labels = None  # name of the learner of the same method from points and their classes

    def _for_points(self, y):
        """What to do if ``fit`` was given points, and their classes y, instead of tuples."""
        advice = ""
        if y is not None and self._from_labels is not None:
            advice += f" {self._from_labels} learns from points and their classes."
        if hasattr(self, "classes_"):  # a pipeline fits its steps again
            advice += f" To transform points in a pipeline, wrap the fitted {type(self).__name__} in FrozenEstimator."
        return advice

    @property
    def fit_transform(self) -> NoReturn:
        """Not available: call ``fit`` with tuples, then ``transform`` with points."""
        advice = f" {self._from_labels} has fit_transform, for points and their classes." if self._from_labels else ""
        raise AttributeError(
            f"{type(self).__name__} learns from tuples of points and transforms points, so it has no fit_transform: "
            f"call fit with tuples, then transform with points.{advice}"
        )


class PairsMixin(TuplesMixin):
    """Mixin of metric learners from pairs: predict whether two points are similar.

    Similar pairs have the larger of the two labels, dissimilar pairs the smaller one.
    ``threshold_`` is the largest distance at which a pair is predicted to be similar.
    ``probability_`` gives the probability that a pair is similar, for `predict_proba`.
    """

    _tuple_size = 2
    _check_strategy = staticmethod(calibration.check_used)

    def decision_function(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the similarity of each pair, the negative distance; the same as ``pair_score``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        scores : ndarray of shape (n_pairs,)
            The larger, the more similar.
        """
        return self.pair_score(pairs)

    def predict(self, pairs: ArrayLike) -> np.ndarray:
        """Predict whether each pair is similar: whether its distance is at most ``threshold_``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        y : ndarray of shape (n_pairs,)
            ``classes_[1]`` for similar pairs, ``classes_[0]`` for dissimilar pairs.

        Raises
        ------
        AttributeError
            If no threshold has been set.
        """
        check_is_fitted(self)
        if not hasattr(self, "threshold_"):
            raise AttributeError("no threshold has been set; call set_threshold or calibrate_threshold.")
        return self.classes_[(self.pair_distance(pairs) <= self.threshold_).astype(int)]

    def predict_proba(self, pairs: ArrayLike) -> np.ndarray:
        """Predict the probability that each pair is similar, which does not increase with its distance.

        ``fit`` and `calibrate_threshold` fit p = σ(b − a d − c log d) with a, c ≥ 0 to the pairs on which they choose
        the threshold; `calibrate_proba` fits it to other pairs, for another share of similar pairs, or by another
        method.  `predict` follows ``threshold_``, which may be set for what errors cost, and `set_threshold` leaves the
        probabilities as they are: at the threshold the probability need not be ½.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        p : ndarray of shape (n_pairs, 2)
            The probabilities of ``classes_``: of dissimilar, and of similar.

        Raises
        ------
        AttributeError
            If the learner is fitted and has no probabilities, as one that an earlier version saved.
        """
        check_is_fitted(self)
        if not hasattr(self, "probability_"):
            raise AttributeError(
                f"this {type(self).__name__} has no probabilities, as if fitted by an earlier version; call "
                "calibrate_proba with pairs and their labels, or fit it again."
            )
        p = self.probability_(self.pair_distance(pairs))
        return np.stack([1 - p, p], axis=1)

    def score(self, pairs: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the area under the ROC curve of ``decision_function``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.
        y : array-like of shape (n_pairs,)
            In {−1, +1} or {0, 1}.
        sample_weight : array-like of shape (n_pairs,) or None, default=None
            Weights of the pairs.

        Returns
        -------
        score : float in [0, 1]
        """
        scores = self.decision_function(pairs)
        return roc_auc_score(check_pair_labels(y, len(scores))[0], scores, sample_weight=sample_weight)

    def set_threshold(self, threshold: float) -> Self:
        """Set ``threshold_``, the largest distance at which a pair is predicted to be similar.

        Parameters
        ----------
        threshold : float
            A distance.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If ``threshold`` is not a number.
        """
        check_is_fitted(self)
        if not isinstance(threshold, Real) or np.isnan(threshold):
            raise ValueError(f"threshold={threshold!r} is not a number; give a distance.")
        self.threshold_ = float(threshold)
        return self

    def calibrate_threshold(
        self,
        pairs_valid: ArrayLike,
        y_valid: ArrayLike,
        strategy: str = "accuracy",
        min_rate: float | None = None,
        beta: float = 1.0,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Choose ``threshold_`` on validation pairs, and fit the probabilities of `predict_proba` to them.

        Parameters
        ----------
        pairs_valid : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs that were not used in ``fit``.
        y_valid : array-like of shape (n_pairs,)
            Their labels, in {−1, +1} or {0, 1}.
        strategy, min_rate, beta
            What the threshold maximises, see :func:`metricnets.calibration.threshold`.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            Weights of the pairs.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the arguments do not fit together, ``strategy`` does not use one that is given, or ``y_valid`` does not
            hold both labels.
        """
        check_is_fitted(self)
        self._check_strategy(strategy, min_rate, beta)
        scores = self.decision_function(pairs_valid)
        signs, _ = check_pair_labels(y_valid, len(scores))
        options = {"strategy": strategy, "min_rate": min_rate, "beta": beta, "sample_weight": sample_weight}
        return self._calibrate_on(scores, signs, options)

    def _calibrate_on(self, scores, signs, options):
        """Threshold and probabilities from scores of pairs, by the arguments of ``calibration.threshold``."""
        threshold = -calibration.threshold(scores, signs, **options)
        self._fit_probability(scores, signs, options["sample_weight"])
        return self.set_threshold(threshold)

    def calibrate_proba(
        self,
        pairs_valid: ArrayLike,
        y_valid: ArrayLike,
        method: str = "gamma",
        prior: float | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the probabilities of `predict_proba` to validation pairs; ``threshold_`` stays as it is.

        Parameters
        ----------
        pairs_valid : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs that were not used in ``fit``, of classes that were not either if new pairs will be of new classes.
        y_valid : array-like of shape (n_pairs,)
            Their labels, in {−1, +1} or {0, 1}.
        method : {'gamma', 'sigmoid', 'isotonic'}, default='gamma'
            How the probability depends on the distance d:

            - 'gamma' is σ(b − a d − c log d) with a, c ≥ 0, as for distances with gamma distributions, by logistic
              regression with Platt's targets; d is bounded away from 0 by a hundredth of its mean;
            - 'sigmoid' is the same with c = 0, Platt's scaling;
            - 'isotonic' is isotonic regression, which has any decreasing shape and needs about a thousand pairs.
        prior : float in (0, 1) or None, default=None
            Share of similar pairs among those to be predicted.  None is their share in ``y_valid``.  Otherwise the
            log-odds are shifted by the difference of those of both shares.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            Weights of the pairs.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If ``method`` or ``prior`` is not valid, or ``y_valid`` does not hold both labels.
        """
        check_is_fitted(self)
        check_method(method, prior)
        scores = self.decision_function(pairs_valid)
        self._fit_probability(scores, check_pair_labels(y_valid, len(scores))[0], sample_weight, method, prior)
        return self

    def _fit_probability(self, scores, signs, sample_weight, method="gamma", prior=None):
        present, weights = counted(check_weights(sample_weight, len(signs), of="pairs"))
        if present is not None:
            scores, signs = scores[present], signs[present]
        if len(np.unique(signs)) < 2:
            raise ValueError("y_valid holds pairs of one kind that count; similar and dissimilar pairs are needed.")
        self.probability_ = pair_probability(-scores, signs, method, prior, weights)


class TripletsMixin(TuplesMixin):
    """Mixin of metric learners from triplets (a, b, c): predict whether a is nearer to b than to c."""

    _tuple_size = 3

    def decision_function(self, triplets: ArrayLike) -> np.ndarray:
        """Compute d(a, c) − d(a, b) for each triplet (a, b, c).

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.

        Returns
        -------
        scores : ndarray of shape (n_triplets,)
            Positive where a is nearer to b than to c.
        """
        check_is_fitted(self)
        triplets = as_tuples(triplets, 3, getattr(self, "preprocessor", None))
        return self.pair_score(triplets[:, :2]) - self.pair_score(triplets[:, ::2])

    def predict(self, triplets: ArrayLike) -> np.ndarray:
        """Predict whether a is nearer to b than to c for each triplet (a, b, c).

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.

        Returns
        -------
        y : ndarray of int of shape (n_triplets,)
            +1 where a is nearer to b, otherwise −1.
        """
        return np.where(self.decision_function(triplets) > 0, 1, -1)

    def score(self, triplets: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy: the share of triplets (a, b, c) in which a is nearer to b than to c.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_triplets,) or None, default=None
            Weights of the triplets.

        Returns
        -------
        score : float in [0, 1]
        """
        return float(np.average(self.predict(triplets) == 1, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


class QuadrupletsMixin(TuplesMixin):
    """Mixin of metric learners from quadruplets (a, b, c, d): predict whether d(a, b) < d(c, d)."""

    _tuple_size = 4

    def decision_function(self, quadruplets: ArrayLike) -> np.ndarray:
        """Compute d(c, d) − d(a, b) for each quadruplet (a, b, c, d).

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.

        Returns
        -------
        scores : ndarray of shape (n_quadruplets,)
            Positive where a and b are nearer to each other than c and d.
        """
        check_is_fitted(self)
        quadruplets = as_tuples(quadruplets, 4, getattr(self, "preprocessor", None))
        return self.pair_score(quadruplets[:, :2]) - self.pair_score(quadruplets[:, 2:])

    def predict(self, quadruplets: ArrayLike) -> np.ndarray:
        """Predict whether d(a, b) < d(c, d) for each quadruplet (a, b, c, d).

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.

        Returns
        -------
        y : ndarray of float of shape (n_quadruplets,)
            +1 where d(a, b) < d(c, d), −1 where d(a, b) > d(c, d), 0 for ties.
        """
        return np.sign(self.decision_function(quadruplets))

    def score(self, quadruplets: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy: the share of quadruplets (a, b, c, d) with d(a, b) < d(c, d).

        A tie counts one half.

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_quadruplets,) or None, default=None
            Weights of the quadruplets.

        Returns
        -------
        score : float in [0, 1]
        """
        return float(np.average(self.predict(quadruplets), weights=sample_weight) / 2 + 0.5)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags
