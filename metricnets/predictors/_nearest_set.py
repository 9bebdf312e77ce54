"""NearestSet: the class of the nearest set of points, by any metric."""

from typing import Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import count_rows, dense
from metricnets._checks import check_count
from metricnets._embedded import embedded
from metricnets._params import Array, Function, LearnerOrDistance, MaybeArray, Points, fitting
from metricnets._sets import check_stacked, of_each_set, set_numbers, split_sets
from metricnets.metrics._sets import distances_of
from metricnets.predictors._on_metric import OnMetric, check_classes
from metricnets.set_classifiers import SetClassifierMixin


class NearestSet(SetClassifierMixin, OnMetric):
    """Nearest-neighbour classifier of sets of points, such as the images of an object.

    It takes any set-to-set distance and any metric, in whose embedding the distance is computed.  Without ``groups``
    and with the default distance it is a 1-nearest-neighbour classifier.

    Parameters
    ----------
    metric : metric learner, what ``get_metric()`` returned, or None, default=None
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
    set_names_ : ndarray of shape (n_sets,)
        The training sets, the sorted entries of ``groups``; row numbers without ``groups``.
    set_classes_ : ndarray of shape (n_sets,)
        The class of each training set.

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

    metric: LearnerOrDistance = None
    distance: Literal["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"] | Function = "minimum"

    @fitting
    def fit(self, X: Points, y: Array, groups: MaybeArray = None) -> Self:
        """Store the training sets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points of all sets.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
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
        if self.metric is None:
            check_stacked(X)
        X, y, _ = self._validated(X, y, None)
        y = check_classes(y)
        self.set_names_, number = set_numbers(groups, len(y))
        self.set_classes_ = of_each_set(y, self.set_names_, number)
        self.classes_ = np.unique(self.set_classes_)
        self.sets_ = split_sets(dense(self._fit_metric(X, y, None)).astype(float), number)
        return self

    def kneighbors(
        self, X: Points, groups: MaybeArray = None, *, n_neighbors: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the training sets nearest to the set of each row, which explain its prediction.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points of the sets, as in ``fit``.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.
        n_neighbors : int, default=1
            Number of training sets, from 1 to as many as there are.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            Set-to-set distances, ascending, the same for all rows of a set.
        indices : ndarray of int of shape (n_samples, n_neighbors)
            Indices into ``set_names_``, ``set_classes_`` and ``sets_``; of sets at the same distance the first in
            ``set_names_`` comes first.

        Raises
        ------
        ValueError
            If X or ``groups`` does not have this form, or there are fewer training sets.
        """
        check_is_fitted(self)
        check_count(n_neighbors=n_neighbors)
        if n_neighbors > len(self.sets_):
            raise ValueError(f"n_neighbors={n_neighbors} is above {len(self.sets_)}, the number of training sets.")
        number = set_numbers(groups, count_rows(X, "X"))[1]
        d = self._distances_to_sets(X, number)
        nearest = np.argsort(d, axis=1, kind="stable")[:, :n_neighbors]
        return np.take_along_axis(d, nearest, axis=1)[number], nearest[number]

    def _embed(self, X):
        """Embeddings as the metric gives them, as angles of subspaces depend on the origin."""
        return X if self.metric_ is None else embedded(self.metric_, X)

    def _distances_to_sets(self, X, number):
        return distances_of(split_sets(dense(self._embedded(X)).astype(float), number), self.sets_, self.distance)

    def _distances_to_classes(self, X, number):
        d = self._distances_to_sets(X, number)
        return np.column_stack([d[:, self.set_classes_ == c].min(axis=1) for c in self.classes_])
