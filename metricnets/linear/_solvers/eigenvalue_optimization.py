"""Eigenvalue optimisation: the smoothed minimum of squared distances that DML-eig maximises.

The smallest distance is largest where the largest eigenvalue of a weighted scatter, its upper bound, is smallest.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from metricnets._linalg import components_from_metric
from metricnets._progress import Report
from metricnets._weights import mean_of, total_of
from metricnets.linear._solvers.lbfgs import minimize_smooth

ROUNDING = 1e-13  # relative growth of the objective that may be rounding


def apart(T: np.ndarray) -> np.ndarray:
    """Which of the differences (n, d) are not zero up to rounding, a boolean array (n,)."""
    sizes = np.abs(T).max(axis=1, initial=0.0)
    return sizes > T.shape[1] * np.finfo(T.dtype).eps * sizes.max()


def smooth_least(squares: np.ndarray, mu: float, weights: np.ndarray | None = None) -> float:
    """The smoothed minimum −μ log mean exp(−squares/μ), at most μ log(n) above the minimum."""
    return mu * (np.log(total_of(weights, len(squares))) - logsumexp(-squares / mu, b=weights))


def shares_of(squares: np.ndarray, mu: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The derivatives of `smooth_least`, which sum to 1."""
    return softmax(-squares / mu if weights is None else np.log(weights) - squares / mu)


def least_and_gradient(
    L: np.ndarray, T: np.ndarray, mu: float, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """`smooth_least` of the squared distances ‖Lτ‖²/‖L‖² of the rows τ of T, and its gradient.

    Parameters
    ----------
    L : ndarray of shape (k, d)
    T : ndarray of shape (n, d)
    mu : float
    weights : ndarray of shape (n,) or None

    Returns
    -------
    least : float
    by_L : ndarray of shape (k, d)
    """
    z, size = T @ L.T, (L**2).sum()
    squares = np.einsum("ij,ij->i", z, z) / size
    u = shares_of(squares, mu, weights)
    near = u > np.finfo(float).eps * u.max()  # for a small μ most pairs do not count
    by_L = (u[near, None] * z[near]).T @ T[near] - (u @ squares) * L
    return smooth_least(squares, mu, weights), 2 * by_L / size


def climb(
    L: np.ndarray,
    T: np.ndarray,
    weights: np.ndarray | None,
    *,
    mu: float,
    max_iter: int,
    tol: float,
    report: Report,
) -> tuple[np.ndarray, int, bool]:
    """Maximise `least_and_gradient` from L on; return L of norm 1, the number of iterations, and whether to stop."""
    cost, gains = partial(cost_and_gradient, T=T, mu=mu, weights=weights), Gains(report)
    found, n_iter, _ = minimize_smooth(cost, L, ftol=0.0, gtol=tol, max_iter=max_iter, report=gains)
    return found / np.linalg.norm(found), n_iter, gains.stopped


def cost_and_gradient(L: np.ndarray, T: np.ndarray, mu: float, weights: np.ndarray | None) -> tuple[float, np.ndarray]:
    """`least_and_gradient`, negative, to be minimised."""
    least, by_L = least_and_gradient(L, T, mu, weights)
    return -least, -by_L


@dataclass
class Gains:
    """Report what is maximised, and remember whether to stop."""

    report: Report
    stopped: bool = False

    def __call__(self, cost: float, L: np.ndarray) -> bool:
        self.stopped = bool(self.report(-cost, L / np.linalg.norm(L)))
        return self.stopped


def widest(
    T: np.ndarray,
    n_directions: int,
    *,
    mu: float,
    max_iter: int,
    tol: float,
    report: Report,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, int, float, bool]:
    """Maximise the smoothed minimum of τᵀMτ over the rows τ of T, for M ⪰ 0 of trace 1.

    For non-negative weights u of the rows that sum to 1, the largest eigenvalue of Σ u ττᵀ is an upper bound
    of the smallest τᵀMτ, for every M; the weights are those of the gradient.

    Parameters
    ----------
    T : ndarray of shape (n, d)
    n_directions : int
        Dimension of the space of which T has coordinates; d, or more if that is the span.
    mu : float
        Relative to the mean of ‖τ‖² / n_directions.
    max_iter : int
    tol : float
        Relative gap at which to stop, of the minimum or of the smoothed minimum.
    report : callable
        Called with the objective and L once an iteration of L-BFGS; stop if it returns True.
    weights : ndarray of shape (n,) or None
        How often each row counts.

    Returns
    -------
    L : ndarray of shape (d, d)
        M = LᵀL.
    n_iter : int
    gap : float
        The relative gap that was reached.
    converged : bool
        Whether it is at most ``tol``, or the last steps raised the smoothed minimum by rounding alone.
    """
    d = T.shape[1]
    T = T / np.sqrt(mean_of((T**2).sum(axis=1), weights) / n_directions)
    L, smoothing, n_iter, slope, highest = np.eye(d) / np.sqrt(d), max(1.0, mu), 0, 0.1 * tol, -np.inf
    while True:
        L, n_climbs, stop = climb(L, T, weights, mu=smoothing, max_iter=max_iter - n_iter, tol=slope, report=report)
        n_iter += n_climbs
        squares = ((T @ L.T) ** 2).sum(axis=1)
        bound, v = leading(T, shares_of(squares, smoothing, weights))
        gap, stalled = (bound - squares.min()) / bound, False
        if smoothing <= mu:
            gap = min(gap, (bound - shares_of(squares, smoothing, weights) @ squares) / bound)
            slope /= 10
            least = smooth_least(squares, smoothing, weights)
            stalled, highest = least - highest <= ROUNDING * bound, max(least, highest)
        if gap <= tol or stalled or stop or n_iter >= max_iter:
            return L, n_iter, gap, gap <= tol or stalled
        smoothing = max(mu, smoothing / 10)
        L = toward(v, L, T, smoothing, weights)
        n_iter += 1


def leading(T: np.ndarray, u: np.ndarray) -> tuple[float, np.ndarray]:
    """Largest eigenvalue of Σ u ττᵀ and its eigenvector (d,)."""
    d = T.shape[1]
    values, vectors = eigh((T.T * u) @ T, subset_by_index=[d - 1, d - 1])
    return values[0], vectors[:, 0]


def toward(v: np.ndarray, L: np.ndarray, T: np.ndarray, mu: float, weights: np.ndarray | None = None) -> np.ndarray:
    """Frank-Wolfe step, (1 − a) LᵀL + a vvᵀ with the best a in [0, 1]; return its root (d, d)."""
    here, there = ((T @ L.T) ** 2).sum(axis=1), (T @ v) ** 2
    a = minimize_scalar(cost_along, args=(here, there, mu, weights), bounds=(0, 1), method="bounded").x
    return components_from_metric((1 - a) * L.T @ L + a * np.outer(v, v))


def cost_along(a: float, here: np.ndarray, there: np.ndarray, mu: float, weights: np.ndarray | None) -> float:
    """The cost at a share a of the way from squared distances ``here`` to those ``there``."""
    return -smooth_least(here + a * (there - here), mu, weights)
