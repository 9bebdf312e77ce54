"""The shell of learners of the metric that is nearest to a prior: it takes their problem to the span of the points."""

from functools import partial

import numpy as np
from scipy.linalg import cho_solve, cholesky

from metricnets._initialization import metric_in_span
from metricnets._linalg import components_from_metric, extended_components, in_span
from metricnets._params import Parametrized, Prior, Seed, random_state_of
from metricnets._progress import progress, through
from metricnets.linear._weakly_supervised import TuplesSolver


class NearPrior(TuplesSolver, Parametrized):
    """Learner from tuples of the metric with the least log-determinant divergence from a prior, plus a loss.

    The loss is a function of distances between the points.  If there are fewer points than features, the problem
    is solved in their span.  Hook: ``_solve_near``.

    Parameters
    ----------
    prior : {'identity', 'covariance', 'random'} or array-like of shape (n_features, n_features), default='identity'
        The prior metric M₀, positive definite; 'covariance' is the inverse covariance of the points.
    random_state : int, RandomState or None, default=None
        Seed of ``prior='random'``.  Pass an int for reproducible results.
    """

    prior: Prior = "identity"
    random_state: Seed = None

    def _solve_tuples(self, X, members, labels, weights):
        Z, basis = in_span(X)
        small, prior = metric_in_span(self.prior, X, basis, random_state_of(self.random_state))
        to_map = partial(in_all_features, small=small, prior=prior, basis=basis, n_components=self.n_components)
        with progress(self, "raise max_iter or tol, or scale the features") as report:
            M, self.n_iter_, report.converged = self._solve_near(
                small, Z, members, labels, weights, through(report, to_map)
            )
        return to_map(M)

    def _solve_near(self, prior, X, members, labels, weights, report):
        """Learn M from tuples.

        Parameters
        ----------
        prior : ndarray of shape (d, d)
        X : ndarray of shape (n_points, d)
            As in ``_solve_tuples``, in coordinates of their span.
        members, labels, weights
            As in ``_solve_tuples``.
        report : callable
            Called with the objective and M once an iteration; stop if it returns True.

        Returns
        -------
        M : ndarray of shape (d, d)
        n_iter : int
        converged : bool
        """
        raise NotImplementedError


def in_all_features(
    M: np.ndarray, small: np.ndarray, prior: np.ndarray | None, basis: np.ndarray | None, n_components: int | None
) -> np.ndarray:
    """The map of the features for a metric of their span, whose prior is ``small``, and a prior of all features."""
    if basis is None or prior is None:
        return extended_components(M, basis, 1.0, n_components)
    return components_from_metric(nearest_extension(M, small, prior, basis), n_components)


def nearest_extension(M: np.ndarray, small: np.ndarray, prior: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The metric nearest to a prior M₀ among those that agree with M in a span, Q.

    These are the metrics A with QᵀAQ = M.  As the log-determinant divergence is that of normal distributions with
    these covariances, the nearest one keeps the prior's conditional distribution given the span:
    M₀ + G (M − QᵀM₀Q) Gᵀ with G = M₀ Q (QᵀM₀Q)⁻¹; its divergence is that of M from QᵀM₀Q.

    Parameters
    ----------
    M, small : ndarray of shape (r, r)
        ``small`` is QᵀM₀Q.
    prior : ndarray of shape (d, d)
    basis : ndarray of shape (d, r)
        Q.

    Returns
    -------
    M : ndarray of shape (d, d)
    """
    G = cho_solve((cholesky(small, lower=True), True), basis.T @ prior).T
    return prior + G @ (M - small) @ G.T
