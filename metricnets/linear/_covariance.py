"""Covariance: the Mahalanobis metric in its first meaning."""

import warnings

import numpy as np

from metricnets._linalg import components_from_metric, inverse_root
from metricnets.linear._base import LinearMetric


class Covariance(LinearMetric):
    """The metric M = Σ⁻¹, the inverse covariance of the points; labels are not used.

    After the transform the points are white.  Where Σ is singular its pseudo-inverse serves, with a
    warning.

    References
    ----------
    P. C. Mahalanobis, "On the generalised distance in statistics", 1936.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import Covariance
    >>> X = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    >>> Covariance().fit(X).get_mahalanobis_matrix().round(3)
    array([[0.75 , 0.   ],
           [0.   , 0.188]])
    """

    _supervised = False

    def _solve(self, X, y):
        W = inverse_root(np.atleast_2d(np.cov(X, rowvar=False)))  # (d, rank)
        d, rank = W.shape
        if rank < d:
            warnings.warn(f"the covariance of X has rank {rank} < {d}; its pseudo-inverse is used.", stacklevel=4)
        return components_from_metric(W @ W.T)
