"""PairsClassifier: same or different, from any learned metric."""

from dataclasses import field
from typing import Annotated

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import count_rows, embeddings, lengths, one_each
from metricnets._params import MaybeMetric, MaybeRate, NonNegative, Parametrized, StrOptions, check_instance, fitting
from metricnets._tuples import check_pair_labels, check_tuples
from metricnets.base import MetricMixin, PairsMixin
from metricnets.calibration import STRATEGIES, check_strategy
from metricnets.predictors._base import check_settable, is_fitted


class PairsClassifier(PairsMixin, MetaEstimatorMixin, Parametrized):
    """Say of pairs of points whether they are similar, by the distance of a fitted metric learner.

    Any learner of this package serves, from points, triplets or labels, linear or deep.  ``fit``
    only chooses the threshold; the metric stays as it is, in copies made by ``clone`` and by
    searches too, so that pairs held back for validation say nothing to it.

    Parameters
    ----------
    metric : fitted metric learner or None, default=None
        What has ``pair_distance``, or ``transform``, such as a pipeline that ends with a metric
        learner: the Euclidean distance is then that of transformed points.  None transforms nothing.
        Among the values of a search, wrap it in scikit-learn's ``FrozenEstimator``.
    strategy : {'accuracy', 'f_beta', 'max_tpr', 'max_tnr'}, default='accuracy'
        How ``threshold_`` is chosen, see :func:`metricnets.calibration.threshold`.
    min_rate : float in [0, 1] or None, default=None
        The smallest rate kept by 'max_tpr' and 'max_tnr'.
    beta : float >= 0, default=1.0
        Weight of recall in 'f_beta'; 0 is precision alone.

    Attributes
    ----------
    threshold_ : float
        Largest distance that counts as similar.
    classes_ : ndarray of shape (2,)
        The labels of dissimilar and of similar pairs, as in y.

    See Also
    --------
    DDMLPairs : Network trained with a logistic loss of given pairs.
    ITML : Least change of a metric that bounds distances, from pairs.

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
    def fit(self, pairs, y):
        """Choose the threshold.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or indicators if ``metric`` looks them up
        y : array-like of shape (n_pairs,)
            +1 for similar, −1 or 0 for dissimilar; or True and False.

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
                f"metric={self.metric!r} is not fitted; fit it first, here a threshold is chosen only."
            )
        check_strategy(self.strategy, self.min_rate, self.beta)
        self.classes_ = check_pair_labels(y, count_rows(pairs, "pairs"))[1]
        return self.calibrate_threshold(pairs, y, self.strategy, self.min_rate, self.beta)

    def pair_distance(self, pairs):
        """Distances of pairs in the metric, shape (n_pairs,)."""
        check_is_fitted(self, "classes_")
        name = f"metric={type(self.metric).__name__}()"
        if hasattr(self.metric, "pair_distance"):
            return one_each(self.metric.pair_distance(pairs), count_rows(pairs, "pairs"), f"{name}.pair_distance")
        left, right = np.swapaxes(check_tuples(pairs, 2), 0, 1)
        if self.metric is not None:
            left, right, name = self.metric.transform(left), self.metric.transform(right), f"{name}.transform"
        n_pairs = count_rows(pairs, "pairs")
        return lengths(embeddings(left, n_pairs, name) - embeddings(right, n_pairs, name))

    def pair_score(self, pairs):
        """Similarities of pairs of points, the negative distances."""
        return -self.pair_distance(pairs)

    def set_params(self, **params):
        """Set parameters, but none of ``metric``, which is fitted."""
        check_settable(params, params.get("metric", self.metric))
        return super().set_params(**params)

    def __sklearn_clone__(self):
        return type(self)(**self.get_params(deep=False))
