"""Graphical lasso, min tr(P M) − log det M + penalty ‖M‖₁ off the diagonal, solved to a known duality gap."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, eigh, eigvalsh

from metricnets._progress import Report, through
from metricnets.linear._solvers.conjugate_gradient import conjugate_gradient

DEFINITE = 1e-8  # smallest eigenvalue of a positive definite matrix with a unit diagonal
GAP = 1e-8  # duality gap for each feature at which Newton steps stop
MAX_ITER = 60  # Newton steps
SPLIT_GAP = 1e-6
MAX_SPLITS = 1000  # steps of ADMM, if Newton's method does not converge
MOST_PRODUCTS = 50  # of conjugate gradients in one step


def definite(P: np.ndarray) -> bool:
    """Whether P is numerically positive definite, independently of the units of its rows."""
    own = np.diag(P)
    return bool((own > 0).all()) and eigvalsh(P / np.sqrt(np.outer(own, own)))[0] > DEFINITE


def sparse_inverse(P: np.ndarray, penalty: float, report: Report) -> tuple[np.ndarray, int, bool]:
    """Minimise tr(P M) − log det M + λ Σ_{i≠j} |M_ij| over positive definite M.

    P is scaled to a unit diagonal, and eigenvalues below `DEFINITE` are raised.

    Parameters
    ----------
    P : ndarray of shape (d, d)
    penalty : float
        λ.
    report : callable
        Called with the objective and M once an iteration; stop if it returns True, which counts as converged.

    Returns
    -------
    M : ndarray of shape (d, d)
    n_iter : int
    converged : bool
    """
    unit = np.sqrt(np.diag(P))
    P = P / np.outer(unit, unit)
    if not definite(P):
        values, vectors = eigh(P)
        P = (vectors * np.maximum(values, 2 * DEFINITE)) @ vectors.T
    weights = penalty / np.outer(unit, unit)
    np.fill_diagonal(weights, 0.0)
    units = np.outer(unit, unit)
    report = through(report, partial(_divided_by, units))
    M, n_iter, converged = _newton(P, weights, report)
    if not converged:
        M, n_more, converged = _split(M, P, weights, report)
        n_iter += n_more
    return M / units, n_iter, converged


def _divided_by(units, M):
    return M / units


def _newton(P, weights, report):
    """Solve the graphical lasso with ``weights`` (d, d) of the entries; return M, n_iter, converged."""
    starts = [np.diag(1 / np.diag(P)), inverse_of(P)]
    value, M = min(((objective(M, P, weights), M) for M in starts), key=lambda pair: pair[0])
    for n_iter in range(1, MAX_ITER + 1):
        if report(value, M):
            return M, n_iter, True
        W = inverse_of(M)
        if value - bound(W - P, P, weights) <= GAP * len(P):
            return M, n_iter, True
        G = P - W
        slope = np.where(M != 0, G + weights * np.sign(M), np.sign(G) * np.maximum(np.abs(G) - weights, 0))
        signs = np.where(M != 0, np.sign(M), -np.sign(slope))  # of the entries of the orthant to stay in
        free = signs != 0
        step = conjugate_gradient(
            Sandwich(W, free), -slope * free, M=Sandwich(M, free), tol=0.1, max_iter=MOST_PRODUCTS
        )
        step = (step + step.T) / 2
        M, before = _search(M, step, slope, signs, value, P, weights)
        value = objective(M, P, weights)
        if value >= before:
            break
    return M, n_iter, False


@dataclass
class Sandwich:
    """The map E ↦ A E A on the free entries, 0 elsewhere: the Hessian for A = M⁻¹, nearly its inverse for A = M."""

    A: np.ndarray
    free: np.ndarray

    def __call__(self, E: np.ndarray) -> np.ndarray:
        return self.free * (self.A @ E @ self.A)


def _search(M, step, slope, signs, value, P, weights):
    """Backtracking line search from M along the step; entries that would leave the orthant stop at 0."""
    t = 1.0
    while t > 1e-12:
        new = M + t * step
        new[new * signs < 0] = 0.0
        if objective(new, P, weights) <= value + 1e-4 * np.vdot(slope, new - M):
            return new, value
        t /= 2
    return M, value


def _split(M, P, weights, report):
    """Solve the same problem by ADMM: slower, but more robust than `_newton` for an ill-conditioned P.

    It starts from the M of `_newton`, and returns the same things.
    """
    best, least = M, objective(M, P, weights)
    Z, U, rho = M, np.zeros_like(P), 1.0  # M for the log-determinant, Z for the norm; rho U is the dual variable
    for n_iter in range(1, MAX_SPLITS + 1):
        values, vectors = eigh(rho * (Z - U) - P)
        M = (vectors * ((values + np.sqrt(values**2 + 4 * rho)) / (2 * rho))) @ vectors.T
        A, before = 1.6 * M - 0.6 * Z + U, Z  # over-relaxed
        Z = np.sign(A) * np.maximum(np.abs(A) - weights / rho, 0)
        U = A - Z
        value = objective(Z, P, weights)
        if value < least:
            best, least = Z, value
        if report(value, best):
            return best, n_iter, True
        if least - bound(rho * U, P, weights) <= SPLIT_GAP * len(P):
            return best, n_iter, True
        if n_iter % 20 == 0:
            factor = _imbalance(M - Z, Z, Z - before, U)
            rho, U = rho * factor, U / factor
    return best, n_iter, False


def _imbalance(apart, Z, moved, U):
    """Factor of rho that balances the relative primal and dual residuals."""
    apart, Z, moved, U = (max(np.linalg.norm(A), np.finfo(float).tiny ** 0.25) for A in (apart, Z, moved, U))
    return np.clip(np.sqrt(apart / Z * U / moved), 0.2, 5)


def bound(U: np.ndarray, P: np.ndarray, weights: np.ndarray) -> float:
    """Lower bound of the minimum, the value of the dual problem at U clipped to ±``weights``."""
    return len(P) + log_det(P + np.clip(U, -weights, weights))


def objective(M: np.ndarray, P: np.ndarray, weights: np.ndarray) -> float:
    """Value of tr(P M) − log det M + Σ w_ij |M_ij|; infinite where M is not positive definite."""
    return np.vdot(P, M) - log_det(M) + np.vdot(weights, np.abs(M))


def log_det(M: np.ndarray) -> float:
    """Logarithm of the determinant; −∞ where M is not positive definite."""
    try:
        return 2 * np.log(np.diag(cholesky(M, lower=True))).sum()
    except LinAlgError:
        return -np.inf


def inverse_of(M: np.ndarray) -> np.ndarray:
    """Inverse of a positive definite matrix."""
    inverse = cho_solve((cholesky(M, lower=True), True), np.eye(len(M)))
    return (inverse + inverse.T) / 2
