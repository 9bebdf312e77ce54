"""NearestSet: the class of the nearest set of points, by any metric."""

from dataclasses import field
from typing import Literal, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from metricnets._arrays import count_rows
from metricnets._embedded import embedded
from metricnets._labels import check_known, plain
from metricnets._params import Array, Function, MaybeArray, MaybeMetric, Parametrized, Points, check_instance, fitting
from metricnets._sets import check_stacked, of_each_set, set_numbers, split_sets
from metricnets.metrics._sets import distances_of
from metricnets.predictors._on_metric import check_learns_from, check_settable, is_fitted, is_learner
from metricnets.set_classifiers import SetClassifierMixin


class NearestSet(SetClassifierMixin, MetaEstimatorMixin, Parametrized):
    """Nearest-neighbour classifier of sets of points, such as the images of an object.

    It takes any set-to-set distance and any metric, in whose embedding the distance is computed.  Without ``groups``
    and with the default distance it is a 1-nearest-neighbour classifier.

    Parameters
    ----------
    metric : metric learner or None, default=None
        An estimator with ``transform``, such as a pipeline that ends with a metric learner.  If it is not fitted, a
        clone is fitted on the same X and y, and its parameters can be searched as ``metric__margin``.  If it is fitted,
        it is used unchanged.  None is the Euclidean distance of the points.
    distance : {'minimum', 'mean_nearest', 'mutual_subspace', 'affine_hull', 'convex_hull'} or callable, \
default='minimum'
        Distance of a set to a training set, see :mod:`metricnets.metrics`.  A callable takes the points of both;
        parameters are set with :func:`functools.partial`, as in ``partial(mutual_subspace_distance, center=True)``.

    Attributes
    ----------
    metric_ : estimator or None
        The fitted metric.
    sets_ : list of ndarray of shape (n_samples_of_set, n_components)
        The embedded points of each training set.
    n_features_in_ : int
        Number of features seen during ``fit``.

    See Also
    --------
    MMDML : Networks for sets of points, one for each class.
    AAKNN : Mean of the label distributions of the nearest neighbours.

    Examples
    --------
    >>> from metricnets import NearestSet
    >>> X, y, groups = [[0.0], [1.0], [4.0], [5.0]], ["a", "a", "b", "b"], [0, 0, 1, 1]
    >>> NearestSet().fit(X, y, groups=groups).predict([[2.0], [6.0]], groups=["new", "new"])
    array(['a', 'a'], dtype='<U1')
    """

    metric: MaybeMetric = field(default=None, kw_only=False)
    distance: Literal["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"] | Function = "minimum"

    @fitting
    def fit(self, X: Points, y: Array, groups: MaybeArray = None) -> Self:
        """Store the training sets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points of all sets.
        y : array-like of shape (n_samples,)
            Classes, the same for all rows of a set.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the rows of a set have several classes, or the arrays do not have this form.
        """
        check_instance(self.metric, "metric")
        if self.metric is None:
            check_stacked(X)
        count_rows(X, "X")
        validate_data(self, X, y, skip_check_array=True)
        X = self._checked(X)
        check_consistent_length(X, y)
        y = check_known(plain(column_or_1d(y, warn=True)))
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        names, number = set_numbers(groups, len(y))
        self.classes_, self._of_sets = np.unique(of_each_set(y, names, number), return_inverse=True)
        self.metric_ = self.metric
        if self.metric is not None and not is_fitted(self.metric):
            check_learns_from(self.metric, y)
            self.metric_ = clone(self.metric).fit(X, y)
        self.sets_ = split_sets(embedded(self.metric_, X).astype(float), number)
        return self

    def _checked(self, X):
        return X if self.metric is not None else validate_data(self, X, reset=False)

    def _distances_to_classes(self, X, number):
        sets = split_sets(embedded(self.metric_, self._checked(X)).astype(float), number)
        d = distances_of(sets, self.sets_, self.distance)
        return np.column_stack([d[:, self._of_sets == c].min(axis=1) for c in range(len(self.classes_))])

    def set_params(self, **params: object) -> Self:
        """Set parameters; those of the metric, as ``metric__margin``, only if it is not fitted."""
        check_settable(params, params.get("metric", self.metric))
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        copy = super().__sklearn_clone__()
        if self.metric is not None and is_fitted(self.metric):
            copy.metric = self.metric
        return copy

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if is_learner(self.metric):
            tags.input_tags = get_tags(self.metric).input_tags
        return tags
