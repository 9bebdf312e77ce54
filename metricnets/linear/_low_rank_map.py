"""Base class of maps of points that add a change of low rank, and may keep norms."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._params import Array, Parametrized
from metricnets._runtime import one_blas_thread
from metricnets._tuples import FLOATS
from metricnets.linear._pairwise.units import norm_ratios


class LowRankMap(OneToOneFeatureMixin, TransformerMixin, Parametrized):
    """Base class of maps of queries, W = I + Pᵀ Q.

    The ``fit`` of a subclass sets ``query_components_`` Q, ``document_components_`` P and ``keeps_norm_``.
    """

    def transform(self, X: Array) -> np.ndarray:
        """Map queries.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        Z : ndarray of shape (n_queries, n_features)
            Adapted queries, in the precision of X, for a search among the documents as they are.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        P, Q = (part.astype(X.dtype, copy=False) for part in (self.document_components_, self.query_components_))
        with one_blas_thread:
            Z = X + (X @ Q.T) @ P
        return Z * norm_ratios(X, Z)[:, None] if self.keeps_norm_ else Z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
