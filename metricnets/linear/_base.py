"""The shells of the linear metric learners: all that is not the method is here."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._linalg import one_thread
from metricnets._params import Parametrized, fitting
from metricnets.base import MetricMixin

FLOATS = [np.float64, np.float32]


class LinearMetric(MetricMixin, Parametrized):
    """A Mahalanobis metric d(x, x') = ‖L(x − x')‖₂ learned from points.

    Hook: ``_solve(X, y) -> L``.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        L.
    """

    _supervised = True  # whether y is needed

    @fitting
    def fit(self, X, y=None):
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Classes; not used, and not needed, by unsupervised learners.

        Returns
        -------
        self : object
        """
        if self._supervised:
            X, y = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
        else:
            X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        self.components_ = np.ascontiguousarray(self._solve(X, y), dtype=X.dtype)
        self._n_features_out = len(self.components_)
        return self

    def transform(self, X):
        """Embed points as X Lᵀ.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Of X's precision.
        """
        check_is_fitted(self)
        return self._points(validate_data(self, X, reset=False, dtype=FLOATS))

    def get_mahalanobis_matrix(self):
        """Return M = LᵀL, of shape (n_features, n_features)."""
        check_is_fitted(self)
        return self.components_.T @ self.components_

    def _embed(self, X):
        with one_thread():
            return X @ self.components_.T.astype(X.dtype, copy=False)

    def _shape(self):
        return (self.components_.shape[1],)

    def _frozen(self):
        return Linear(self.components_.astype(float))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._supervised
        return tags


class Linear:
    """x ↦ L x on rows, picklable."""

    def __init__(self, components):
        self.components = components

    def __call__(self, X):
        return X @ self.components.T
