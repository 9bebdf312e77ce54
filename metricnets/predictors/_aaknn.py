"""AAKNN: prediction of label distributions by the mean over nearest neighbours."""

from typing import Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import checked_array
from metricnets._params import Array, MaybeArray, Points, fitting
from metricnets.predictors._base import NeighborsEstimator, total


class AAKNN(RegressorMixin, NeighborsEstimator):
    """AA-kNN (algorithm adaptation k-nearest neighbors) for label distributions.

    It predicts the mean of the distributions of the k nearest neighbours, weighted by ``sample_weight`` if that was
    given, which is a distribution too.  For
    scikit-learn it is a multi-output regressor: it has no ``predict_proba``, and ``predict`` returns the
    distributions.  Other real targets, 1-D ones included, are averaged in the same way.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        Number of neighbours k, at most the number of training samples.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.

    See Also
    --------
    MLKNN : Prediction of label sets or classes from nearest neighbours.
    HRAML : Network whose distances are aligned with relations of targets, such as label distributions.

    References
    ----------
    X. Geng, "Label distribution learning", IEEE Transactions on Knowledge and Data Engineering 28,
    2016.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import AAKNN
    >>> X, Y = np.array([[0.0], [1.0], [5.0]]), np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> AAKNN(n_neighbors=2).fit(X, Y).predict([[0.4]])
    array([[0.75, 0.25]])
    """

    @fitting
    def fit(self, X: Points, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Store the training samples; fit a clone of ``metric`` first, unless it is fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training points.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
        y : array-like of shape (n_samples, n_labels) or (n_samples,)
            Distributions, or other real numbers.  Codes of classes are averaged as numbers: `MLKNN` is for classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples in the means, non-negative.  Each is one neighbour, whatever its weight; samples of
            weight 0 are left out.  A ``metric`` that is yet to be fitted gets them, if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y holds names of classes, or numbers that are not finite, or there are fewer than ``n_neighbors``
            samples.
        """
        X, y, self._weights = self._validated(X, y, sample_weight)
        check_no_classes(y)
        self._targets = checked_array(y, "y", ensure_2d=False, dtype=float)
        self._index(X, y, self._weights, self.n_neighbors)
        return self

    def predict(self, X: Points) -> np.ndarray:
        """Predict label distributions.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        y : ndarray of float of shape (n_samples, n_labels) or (n_samples,)
            The distributions, or the means of other targets, of the shape of y in ``fit``.
        """
        check_is_fitted(self)
        rows = self._neighbors(X)
        if self._weights is None:
            return total(rows, self._targets) / self.n_neighbors
        weighted = (self._targets.T * self._weights).T
        return (total(rows, weighted).T / total(rows, self._weights)).T

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def check_no_classes(y: np.ndarray) -> None:
    """Raise ValueError if y is a column of names, which have no mean."""
    if y.ndim == 1 and (y.dtype.kind in "SU" or any(isinstance(label, str) for label in y[:1])):
        raise ValueError(
            f"y holds classes, such as {y.tolist()[0]!r}, and AAKNN predicts distributions or other real numbers; use "
            "MLKNN or scikit-learn's KNeighborsClassifier for classes, or give a row of numbers for each sample, such "
            "as the one-hot rows of LabelBinarizer."
        )
