"""PairsClassifier: similar or dissimilar, by any fitted metric."""

from dataclasses import field
from typing import Annotated, Any, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import count_rows
from metricnets._embedded import pair_distances
from metricnets._params import (
    Array,
    MaybeArray,
    MaybeMetric,
    MaybeRate,
    NonNegative,
    Parametrized,
    StrOptions,
    check_instance,
    fitting,
)
from metricnets._tuples import check_pair_labels
from metricnets.base import MetricMixin
from metricnets.calibration import STRATEGIES, check_strategy
from metricnets.predictors._on_metric import check_settable, is_fitted
from metricnets.tuple_learners import PairsMixin


class PairsClassifier(PairsMixin, MetaEstimatorMixin, Parametrized):
    """Classifier of pairs, similar or dissimilar, by the distance of a fitted metric learner.

    It takes any metric learner, from points, triplets or labels, linear or deep.  ``fit`` only chooses the
    threshold: the metric is not fitted again, nor in copies made by ``clone`` and by searches, so that it does not
    depend on the pairs of ``fit``.

    Parameters
    ----------
    metric : fitted metric learner or None, default=None
        An estimator with ``pair_distance``; or one with ``transform``, such as a pipeline that ends with a metric
        learner, for the Euclidean distance of transformed points.  None is the Euclidean distance of the points.
        Among the values of a search, wrap it in scikit-learn's ``FrozenEstimator``.
    strategy : {'accuracy', 'f_beta', 'max_tpr', 'max_tnr'}, default='accuracy'
        What ``threshold_`` maximises, see :func:`metricnets.calibration.threshold`.
    min_rate : float in [0, 1] or None, default=None
        Lower bound of the other rate for 'max_tpr' and 'max_tnr', which need it.
    beta : float >= 0, default=1.0
        Weight of recall relative to precision for 'f_beta'; 0 means precision alone.

    Attributes
    ----------
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
    strategy: Annotated[str, StrOptions({*STRATEGIES})] = "accuracy"
    min_rate: MaybeRate = None
    beta: NonNegative = 1.0

    @fitting
    def fit(self, pairs: Array, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Choose the threshold on pairs.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points; indicators only if ``metric`` has a ``preprocessor``.
        y : array-like of shape (n_pairs,)
            +1 or True for similar, −1, 0 or False for dissimilar.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            Weights of the pairs in the choice of the threshold, non-negative.

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If ``metric`` is not fitted.
        """
        check_instance(self.metric, "metric")
        if isinstance(self.metric, MetricMixin) and not is_fitted(self.metric):
            raise NotFittedError(
                f"metric={self.metric!r} is not fitted; fit it first, as PairsClassifier only chooses a threshold."
            )
        check_strategy(self.strategy, self.min_rate, self.beta)
        self.classes_ = check_pair_labels(y, count_rows(pairs, "pairs"))[1]
        return self.calibrate_threshold(pairs, y, self.strategy, self.min_rate, self.beta, sample_weight)

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
        return pair_distances(self.metric, pairs)

    def pair_score(self, pairs: Array) -> np.ndarray:
        """Compute the similarity of each pair, the negative distance; see `pair_distance`."""
        return -self.pair_distance(pairs)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, except those of ``metric``, which is fitted."""
        check_settable(params, params.get("metric", self.metric))
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.get_params(deep=False))
