"""Covariance: the Mahalanobis distance of the inverse covariance matrix."""

import numpy as np
from scipy.linalg import eigh, svd

from metricnets._initialization import warn_if_few
from metricnets._linalg import (
    components_from_metric,
    components_of_root,
    inverse_root,
    inverse_root_of_few,
    with_fixed_signs,
)
from metricnets._weights import mean_of, scaled_rows, total_of
from metricnets.exceptions import warn
from metricnets.linear._streams import SumsOfPoints

ENOUGH = 1.001  # samples, by their weights; the covariance is divided by their number minus 1


class Covariance(SumsOfPoints):
    """Mahalanobis distance of the inverse covariance, M = Σ⁻¹.

    The transformed points are white: they have the identity as covariance.  Labels are not used.  If Σ is
    singular, its pseudo-inverse is used, with a warning.  There is also a warning with fewer than twice as many
    samples as features, since the estimate of Σ⁻¹ is inaccurate then.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Number of directions to keep, those of the largest variance of the points.

    See Also
    --------
    RCA : Whitening within chunks of similar points.
    LDA : Linear discriminant analysis.

    References
    ----------
    P. C. Mahalanobis, "On the generalised distance in statistics", 1936.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import Covariance
    >>> X = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [1.0, 2.0]])
    >>> Covariance().fit(X).get_mahalanobis_matrix().round(3)
    array([[1.  , 0.  ],
           [0.  , 0.25]])
    """

    _supervised = False

    def _solve_points(self, X, y, weights):
        spread = np.ptp(X, axis=0)
        X, n = X - mean_of(X, weights), total_of(weights, len(X))
        check_enough(n)
        Z = scaled_rows(X, weights)
        if len(Z) < Z.shape[1]:
            return self._solve_few(Z, n)
        return self._solve_scatter(Z.T @ Z, n, spread)  # takes half the time of numpy.cov

    def _solve_few(self, Z, n):
        """L from fewer rows than features, which have the scatter ZᵀZ about the mean of n points."""
        W = np.sqrt(n - 1) * inverse_root_of_few(Z)  # (d, rank)
        d, rank = W.shape
        warn(f"the covariance of X has rank {rank} < {d}; its pseudo-inverse is used.")
        if self.n_components is None:
            return components_of_root(W)
        k = min(self.n_components, rank)
        _, values, vectors = svd(Z, full_matrices=False)
        L = np.zeros((self.n_components, d))
        L[:k] = with_fixed_signs(vectors[:k] / values[:k, None] * np.sqrt(n - 1))
        return L

    def _solve_sums(self, sums):
        _, total, _ = sums
        check_enough(total.counts[0])
        return self._solve_scatter(total.within, total.counts[0], total.within.diagonal())

    def _solve_scatter(self, scatter, n, spread):
        """L from the scatter (d, d) of n points about their mean, and the spread of each feature."""
        covariance = scatter / (n - 1)
        W = inverse_root(covariance)  # (d, rank)
        d, rank = W.shape
        if rank < d:
            warn(f"the covariance of X has rank {rank} < {d}; its pseudo-inverse is used.")
        else:
            warn_if_few(spread, n - 1, "covariance of X", "Use fewer features.")
        if self.n_components is None:
            return components_from_metric(W @ W.T)
        k = min(self.n_components, rank)
        values, vectors = eigh(covariance)
        L = np.zeros((self.n_components, d))
        L[:k] = with_fixed_signs((vectors[:, d - k :] / np.sqrt(values[d - k :])).T[::-1])
        return L


def check_enough(n):
    """Raise ValueError if n samples, the sum of their weights, have no covariance."""
    if n < ENOUGH:
        raise ValueError(
            f"a covariance needs two samples, and these count as {n:.3g}; a weight counts samples, so scale weights to "
            "a mean of 1."
        )
