"""PairsClassifier: similar or dissimilar, by any fitted metric."""

from dataclasses import field
from typing import Annotated, Any, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from metricnets._arrays import checked_array, count_rows
from metricnets._callbacks import is_fitted
from metricnets._embedded import pair_distances
from metricnets._params import (
    Array,
    MaybeArray,
    MaybeMetric,
    MaybeRate,
    MaybeSeveral,
    NonNegative,
    Parametrized,
    Seed,
    Several,
    StrOptions,
    check_instance,
    clone_with_shared,
    fitting,
    random_state_of,
)
from metricnets._tuples import check_pair_labels
from metricnets._weights import check_weights, rows_counted
from metricnets.base import MetricMixin
from metricnets.calibration import STRATEGIES, check_strategy
from metricnets.predictors._classes.held_out_pairs import area_of_points, held_out_distances
from metricnets.predictors._on_metric import check_classes, check_learns_from, check_settable, is_learner
from metricnets.tuple_learners import PairsMixin


class PairsClassifier(PairsMixin, MetaEstimatorMixin, Parametrized):
    """Classifier of pairs, similar or dissimilar, by the distance of a fitted metric learner.

    It takes any metric learner, from points, triplets or labels, linear or deep.  ``fit`` chooses the threshold and the
    probabilities on pairs; the metric is not fitted again, nor in copies made by ``clone`` and by searches.  With
    ``n_folds`` it takes points and classes, fits the metric, and chooses them for pairs of classes that are new to it.

    Parameters
    ----------
    metric : metric learner or None, default=None
        An estimator with ``pair_distance``; or one with ``transform``, such as a pipeline that ends with a metric
        learner, for the Euclidean distance of transformed points.  None is the Euclidean distance of the points.
        It is fitted, unless ``n_folds`` is given; in a search, wrap it in scikit-learn's ``FrozenEstimator`` then.
    n_folds : int >= 2 or None, default=None
        Number of parts of the classes, held out in turn: a clone of ``metric`` that is fitted to the others measures
        pairs of these, and these choose the threshold and the probabilities; give learners a number of components.
    n_pairs : int >= 2, default=10000
        Largest number of pairs that are drawn if ``n_folds`` is given, half of them similar.
    random_state : int, RandomState or None, default=None
        Seed of the draws if ``n_folds`` is given.  Pass an int for reproducible results.
    strategy : {'accuracy', 'f_beta', 'max_tpr', 'max_tnr'}, default='accuracy'
        What ``threshold_`` maximises, see :func:`metricnets.calibration.threshold`.
    min_rate : float in [0, 1] or None, default=None
        Lower bound of the other rate for 'max_tpr' and 'max_tnr', which need it.
    beta : float >= 0, default=1.0
        Weight of recall relative to precision for 'f_beta'; 0 means precision alone.

    Attributes
    ----------
    metric_ : metric learner or None
        The fitted metric; with ``n_folds`` it is fitted to all classes.
    threshold_ : float
        Largest distance at which a pair is predicted to be similar.
    probability_ : callable
        Function of distances, the probability that a pair is similar.
    classes_ : ndarray of shape (2,)
        The label of dissimilar pairs and the label of similar pairs, as in y.

    See Also
    --------
    DDMLPairs : Network trained from pairs with a logistic loss.
    ITML : Information theoretic metric learning, from pairs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDA, PairsClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> pairs, same = X[[[0, 1], [0, 60], [60, 61], [60, 120]]], [1, -1, 1, -1]
    >>> PairsClassifier(LDA().fit(X, y)).fit(pairs, same).predict(pairs)
    array([ 1, -1,  1, -1])
    """

    metric: MaybeMetric = field(default=None, kw_only=False)
    n_folds: MaybeSeveral = None
    n_pairs: Several = 10000
    random_state: Seed = None
    strategy: Annotated[str, StrOptions({*STRATEGIES})] = "accuracy"
    min_rate: MaybeRate = None
    beta: NonNegative = 1.0

    _point_shape = None  # of the points of ``fit`` if ``n_folds`` is given

    @fitting
    def fit(self, pairs: Array, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Choose the threshold on pairs, or on pairs of held-out classes if ``n_folds`` is given.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points; indicators only if ``metric`` has a ``preprocessor``.  With ``n_folds`` points, of shape
            (n_samples, n_features), or what ``metric`` takes.
        y : array-like of shape (n_pairs,)
            +1 or True for similar, −1, 0 or False for dissimilar.  With ``n_folds`` classes, of shape (n_samples,).
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            Weights of the pairs in the choice of the threshold, non-negative.  With ``n_folds`` of the samples: a pair
            has the product of those of its samples, and ``metric`` gets them too if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If ``metric`` is not fitted, and ``n_folds`` is not given.
        ValueError
            If it is fitted and ``n_folds`` is given, or there are fewer than 2 ``n_folds`` classes.
        """
        check_instance(self.metric, "metric")
        check_strategy(self.strategy, self.min_rate, self.beta)
        if self.n_folds is not None:
            return self._fit_on_classes(pairs, y, sample_weight)
        if isinstance(self.metric, MetricMixin) and not is_fitted(self.metric):
            raise NotFittedError(
                f"metric={self.metric!r} is not fitted; fit it first, as PairsClassifier only chooses a threshold, or "
                "give n_folds, points and their classes."
            )
        signs, self.classes_ = check_pair_labels(y, count_rows(pairs, "pairs"))
        self.metric_, self._point_shape = self.metric, None
        return self._calibrate_on(self.decision_function(pairs), signs, self._options(sample_weight))

    def _options(self, weights):
        """Arguments of ``calibration.threshold``; in a search a strategy need not use all of them."""
        return {"strategy": self.strategy, "min_rate": self.min_rate, "beta": self.beta, "sample_weight": weights}

    def _fit_on_classes(self, X, y, sample_weight):
        if not is_learner(self.metric) or is_fitted(self.metric):
            raise ValueError(
                f"n_folds={self.n_folds} fits the metric to classes in turn, and metric={self.metric!r} is no learner "
                "to be fitted; give one, or pairs with n_folds=None."
            )
        X, y, weights = _weighted_classes(X, y, sample_weight)
        check_learns_from(self.metric, y)
        rng = random_state_of(self.random_state)
        self.metric_, d, signs, weights = held_out_distances(
            self.metric, X, y, weights, self.n_folds, self.n_pairs, rng
        )
        self.classes_, self._point_shape = np.array([-1, 1]), np.shape(X)[1:]
        return self._calibrate_on(-d, signs, self._options(weights))

    def pair_distance(self, pairs: Array) -> np.ndarray:
        """Compute the distance of each pair by ``metric``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
        """
        check_is_fitted(self, "classes_")
        return pair_distances(self.metric_, pairs)

    def pair_score(self, pairs: Array) -> np.ndarray:
        """Compute the negative distance of each pair; see `pair_distance`."""
        return -self.pair_distance(pairs)

    def score(self, pairs: Array, y: Array, sample_weight: MaybeArray = None) -> float:
        """Compute the area under the ROC curve of ``decision_function``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.  With ``n_folds`` also points as in ``fit``, of which at most ``n_pairs`` pairs are drawn,
            at most half of them of each kind.
        y : array-like of shape (n_pairs,)
            In {−1, +1} or {0, 1}.  Of points the classes, of shape (n_samples,).
        sample_weight : array-like of shape (n_pairs,) or None, default=None
            Weights of the pairs, or of the points.

        Returns
        -------
        score : float in [0, 1]

        Raises
        ------
        ValueError
            If there are no similar or no dissimilar pairs.
        """
        check_is_fitted(self, "classes_")
        shape = np.shape(pairs)[1:]
        if self._point_shape is None or (shape != self._point_shape and shape[:1] == (2,)):
            return super().score(pairs, y, sample_weight)
        X, y, weights = _weighted_classes(pairs, y, sample_weight)
        return area_of_points(self.metric_, X, y, weights, self.n_pairs, random_state_of(self.random_state))

    def set_params(self, **params: Any) -> Self:
        """Set parameters, except those of ``metric``, which is fitted."""
        check_settable(params, params.get("metric", self.metric))
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        learns = is_learner(self.metric) and hasattr(self.metric, "fit")
        to_be_fitted = learns and not is_fitted(self.metric)
        return super().__sklearn_clone__() if to_be_fitted else clone_with_shared(self, "metric")


def _weighted_classes(X, y, sample_weight):
    """Points and classes of positive weight, and the weights."""
    y = check_classes(checked_array(y, "y", ensure_2d=False, dtype=None))
    check_consistent_length(X, y)
    return rows_counted(check_weights(sample_weight, len(y)), X, y)
