"""AAKNN: label distributions, the mean of those of the nearest neighbours."""

from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import checked_array
from metricnets._params import fitting
from metricnets.predictors._base import NeighborsEstimator, total


class AAKNN(RegressorMixin, NeighborsEstimator):
    """Predict label distributions: the mean of the k nearest neighbours' distributions.

    A mean of distributions is one.  To scikit-learn this is a regressor of several outputs, so there
    is no ``predict_proba``: ``predict`` returns the distributions.  Other real targets, 1-D ones too,
    are averaged alike.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        k, at most the number of training rows.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted ``metric``.

    See Also
    --------
    MLKNN : Label sets or classes from nearest neighbours.
    HRAML : Network aligned with graded relations of targets.

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
    def fit(self, X, y):
        """Keep the distributions, having fitted ``metric`` if it is not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Sparse too, unless the metric says otherwise.
        y : array-like of shape (n_samples, n_labels) or (n_samples,)
            Distributions, or other real numbers.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y is not of finite numbers, or there are fewer than ``n_neighbors`` rows.
        """
        X, y = self._validated(X, y)
        self._targets = checked_array(y, "y", ensure_2d=False, dtype=float)
        self._index(X, y, self.n_neighbors)
        return self

    def predict(self, X):
        """Distributions, ndarray of float of shape (n_samples, n_labels), or (n_samples,) as y was."""
        check_is_fitted(self)
        return total(self._neighbors(X), self._targets) / self.n_neighbors
