"""Mixin of the classifiers of sets of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from metricnets._arrays import count_rows
from metricnets._labels import plain
from metricnets._sets import of_each_set, set_numbers
from metricnets._weights import check_weights


class SetClassifierMixin(ClassifierMixin):
    """Mixin of classifiers of sets of points: the class with the smallest set-to-set distance.

    A set is given as the rows that have the same entry in ``groups``, and all of its rows get the same label, so
    scorers and cross-validation of scikit-learn can be used.  :func:`metricnets.metrics.one_per_set` takes one label
    for each set from them.  ``groups`` is routed as metadata.

    A subclass sets ``classes_`` and defines ``_distances_to_classes(X, number)``, from points and the number of the set
    of each to distances of shape (n_sets, n_classes).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    """

    __metadata_request__fit = {"groups": True}
    __metadata_request__predict = {"groups": True}
    __metadata_request__score = {"groups": True}

    def class_distances(self, X: ArrayLike, groups: ArrayLike | None = None) -> np.ndarray:
        """Compute the distance of the set of each row to each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points of the sets, as in ``fit``.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.  Names of sets have no meaning beyond this call.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``, the same for all rows of a set.

        Raises
        ------
        ValueError
            If X or ``groups`` does not have this form.
        """
        check_is_fitted(self)
        number = set_numbers(groups, count_rows(X, "X"))[1]
        return self._distances_to_classes(X, number)[number]

    def predict(self, X: ArrayLike, groups: ArrayLike | None = None) -> np.ndarray:
        """Predict the class of the set of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points of the sets, as in ``fit``.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The same class for all rows of a set.
        """
        nearest = self.class_distances(X, groups).argmin(axis=1)
        return self.classes_[nearest]

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Compute the share of the sets whose class is predicted correctly.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points of the sets, as in ``fit``.
        y : array-like of shape (n_samples,)
            True classes, the same for all rows of a set.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, non-negative; a set has the mean weight of its rows.

        Returns
        -------
        accuracy : float in [0, 1]
            Without weights each set counts once, however many rows it has.

        Raises
        ------
        ValueError
            If the rows of a set have several classes, or the arrays do not have this form.
        """
        check_is_fitted(self)
        check_consistent_length(X, y)
        names, number = set_numbers(groups, count_rows(X, "X"))
        truth = of_each_set(plain(column_or_1d(y)), names, number)
        right = self.classes_[self._distances_to_classes(X, number).argmin(axis=1)] == truth
        weights = check_weights(sample_weight, len(number))
        if weights is not None:
            weights = np.bincount(number, weights) / np.bincount(number)
        return float(np.average(right, weights=weights))
