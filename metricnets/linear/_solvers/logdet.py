"""Log-determinant problems: the convex solver of ITML and LSML.

Newton's method with conjugate gradients, in coordinates where the current metric is the identity.
The Hessian of the divergence is the identity there, so the condition number of the metric does not slow
the solver down; a loss that far outweighs the divergence does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import block_diag, cholesky, eigvalsh, qr, solve_triangular
from scipy.optimize import brentq

from metricnets._progress import Report, through
from metricnets.linear._solvers.conjugate_gradient import conjugate_gradient

TINY = np.finfo(float).tiny
ROUNDING = 1e-13
PATIENCE = 8  # steps without any decrease: the loss is too steep for the precision of p
UNIT = 1e-4  # norm of the gradient from which steps have length 1: the slope along them is lost in rounding
STIFF = 1e30  # upper limit of the curvature of the loss, for single precision
MOST_PRODUCTS = 200  # of conjugate gradients in one step; a few are enough unless the problem is ill-posed

# If the loss outweighs the divergence, only a share of it is minimised at first, and the share grows: otherwise
# iterates stay at the boundary of the definite matrices, where steps are short.
MODERATE = 10.0  # initial ratio of the loss and the divergence
GROWTH = 10.0  # factor by which the share grows
NEAR = 2.0  # norm of the gradient at which it grows


def minimize_logdet(
    V: np.ndarray,
    prior: np.ndarray,
    loss: Callable,
    *,
    tol: float,
    max_iter: int,
    report: Report,
) -> tuple[np.ndarray, int, bool]:
    """Minimise tr(M M₀⁻¹) − log det(M M₀⁻¹) − d + loss(p), p_c = v_cᵀ M v_c, over positive definite M.

    With M = LLᵀ and the gradient G = M₀⁻¹ − M⁻¹ + Σ_c ∂loss/∂p_c v_c v_cᵀ, iterations stop when
    ‖LᵀGL‖ is at most ``tol``.  That is the distance from M, relative to M, to the metric implied by its
    multipliers ∂loss/∂p.  As the Hessian is at least that of the divergence, it bounds the relative
    error of M to first order, and half its square the duality gap.  Iterations also stop at a gap below
    the rounding error of the objective.

    Parameters
    ----------
    V : ndarray of shape (m, d)
        Differences v_c.
    prior : ndarray of shape (d, d)
        M₀, positive definite.
    loss : callable
        A convex function of p (m,), all positive.  Returns its value, the force p ∂loss/∂p (m,), and its curvature,
        with which ``loss.bend(curvature, change, rows)`` maps the relative change of p[rows], those with a force,
        to the product of p[rows], the Hessian, and the change of p.
    tol : float
    max_iter : int
    report : callable
        Called with the objective and M after every step; stop if it returns True, which counts as converged.

    Returns
    -------
    M : ndarray of shape (d, d)
    n_iter : int
        At least 1, as in scikit-learn, even if no step was needed.
    converged : bool
    """
    m, d = V.shape
    if m == 0:
        return prior, 1, True
    W = cholesky(prior, lower=True)
    U = V @ W  # (m, d)
    if m < d:  # outside of the span of the differences M is M₀
        Q, _ = qr(U.T)
        W, U = W @ Q, U @ Q[:, :m]  # (m, m)
    to_metric = partial(_metric, W)
    L, n_iter, converged = _newton(U, loss, tol, max_iter, through(report, to_metric))
    return to_metric(L), max(n_iter, 1), converged


def _metric(W, L):
    """The metric of the features, from a root L of that in coordinates W; outside of its rows it is the identity."""
    W = W @ block_diag(L, np.eye(len(W) - len(L)))
    return W @ W.T


def _newton(U, loss, tol, max_iter, report):
    """Solve for the prior I; return L (d, d), the number of steps, and whether they were enough."""
    L, U, log_det, share = _start(U, loss)
    least, n_stalled = np.inf, 0
    for n_iter in range(max_iter + 1):
        p = np.maximum(_squares(U), TINY)
        value, force, curvature = loss(p)
        objective = value + np.vdot(L, L) - log_det - len(L)
        if n_iter and report(objective, L):
            return L, n_iter, True
        rows = np.flatnonzero(force)
        G, share = _gradient(L, U[rows], (force / p)[rows], share)
        norm = np.linalg.norm(G)
        enough = max(tol, ROUNDING * (np.vdot(L, L) + np.abs(force).sum()), np.sqrt(2 * ROUNDING * abs(objective)))
        if share == 1:
            n_stalled = 0 if objective < least - ROUNDING * abs(objective) else n_stalled + 1
            least = min(least, objective)
        if share == 1 and (norm <= enough or n_stalled == PATIENCE):
            return L, n_iter, True
        if n_iter == max_iter:
            return L, n_iter, False
        step = _step(L, U, p, G, rows, loss, curvature, share)
        if np.abs(step).max() <= ROUNDING:  # no step lowers the objective by more than its rounding
            return L, n_iter, share == 1
        C = cholesky(np.eye(len(L)) + step, lower=True)
        L, U, log_det = L @ C, U @ C, log_det + 2 * np.log(np.diag(C)).sum()


@dataclass
class Hessian:
    """The Hessian at the metric I, with a share of the loss: E ↦ E + Σ_c (bend(û_cᵀEû_c))_c û_c û_cᵀ."""

    units: np.ndarray  # û, of shape (n_rows, d), in single precision, which is enough for a direction
    rows: np.ndarray
    loss: Callable
    curvature: object
    share: float

    def __call__(self, E: np.ndarray) -> np.ndarray:
        change = _squares(self.units @ E.astype(np.float32), self.units)
        bent = np.clip(self.share * self.loss.bend(self.curvature, change, self.rows), -STIFF, STIFF)
        return E + self.units.T @ (bent.astype(np.float32)[:, None] * self.units)


def _step(L, U, p, G, rows, loss, curvature, share):
    """Return the Newton step, a relative change of the metric."""
    units = np.empty(U.shape, np.float32)  # halves the time of the products
    np.divide(U, np.sqrt(p)[:, None], out=units, casting="same_kind")
    norm = np.linalg.norm(G)
    hessian = Hessian(units[rows], rows, loss, curvature, share)
    E = conjugate_gradient(hessian, -G / norm, tol=min(0.1, 0.1 * norm), max_iter=MOST_PRODUCTS)
    E = (E + E.T) / 2
    change = norm * _squares(units @ E.astype(np.float32), units)
    E *= norm
    if norm <= UNIT:
        return E
    return E * _length(eigvalsh(E), np.vdot(L.T @ L, E), change, p, loss, share)


def _squares(U, V=None):
    """Inner products of the rows of U with those of V, or U, in double precision."""
    return np.einsum("ij,ij->i", U, U if V is None else V).astype(float)


def _start(U, loss):
    """Return L to start from, U @ L, log det LLᵀ, and the share of the loss to start with.

    The metric is c (I + Σ_c k_c u_c u_cᵀ)⁻¹, with the best factor c, and k_c the share of
    ∂loss/∂p_c at I where that is positive: of the right order of magnitude for data of any scale.
    """
    d = U.shape[1]
    p = np.maximum(_squares(U), TINY)
    force = loss(p)[1]
    share = min(1.0, MODERATE * d / max(np.abs(force).sum(), 1.0))
    rates = force / p
    rows = np.flatnonzero(rates > 0)
    stacked = np.vstack([np.eye(d), np.sqrt(share * rates[rows])[:, None] * U[rows]])
    R = qr(stacked, mode="r")[0][:d]  # RᵀR is the inverse, up to c
    L = solve_triangular(R, np.eye(d))
    U = U @ L
    p = np.maximum(_squares(U), TINY)
    c = _scale(np.vdot(L, L), d, p, loss, share)
    return np.sqrt(c) * L, np.sqrt(c) * U, d * np.log(c) - 2 * np.log(np.abs(np.diag(R))).sum(), share


def _scale(trace, d, p, loss, share):
    """Return c near the minimum of trace c − d log c + share loss(c p)."""
    start = _slope_of_scale(0.0, trace, d, p, loss, share)
    if abs(start) <= 0.1 * d:
        return 1.0
    end = -np.sign(start)
    while _slope_of_scale(end, trace, d, p, loss, share) * start > 0:
        end *= 2
    return np.exp(brentq(_slope_of_scale, 0.0, end, args=(trace, d, p, loss, share), xtol=0.1))


def _slope_of_scale(log_c, trace, d, p, loss, share):
    c = np.exp(log_c)
    return trace * c - d + share * loss(c * p)[1].sum()


def _gradient(L, U, slopes, share):
    """Local gradient of the divergence and a share of the loss, which grows if M is near the optimum of the last."""
    divergence, loss = L.T @ L - np.eye(len(L)), U.T @ (slopes[:, None] * U)
    while share < 1 and np.linalg.norm(divergence + share * loss) <= NEAR:
        share = min(1.0, GROWTH * share)
    return divergence + share * loss, share


def _length(values, trace, change, p, loss, share):
    """Return t near the minimum of the objective at I + t E, within the definite matrices.

    Parameters
    ----------
    values : ndarray of shape (d,)
        Eigenvalues of E, ascending.
    trace : float
        Slope of the trace.
    change : ndarray of shape (m,)
        Relative change of p at t = 1.
    p, loss, share
        The objective has this share of loss(p).
    """
    of = values, trace, change, p, loss, share
    low, high = 0.0, (1 - 1e-9) / max(-values[0], 1e-9)
    low_slope, high_slope = _slope_of_length(0.0, *of), np.inf
    goal = -0.1 * low_slope
    if goal <= 0:  # only rounding is left
        return 0.0
    t = min(1.0, 0.99 * high)
    for _ in range(50):
        now = _slope_of_length(t, *of)
        if abs(now) <= goal:
            break
        if now < 0:
            low, low_slope = t, now
        else:
            high, high_slope = t, now
        ratio = low_slope / (low_slope - high_slope)  # of the way to high, where a linear slope is 0
        t = low + (high - low) * np.clip(ratio, 0.1, 0.9) if high_slope < np.inf else min(2 * t, (t + high) / 2)
    return t


def _slope_of_length(t, values, trace, change, p, loss, share):
    ratios = np.maximum(1 + t * change, 1e-12)
    forces = share * loss(p * ratios)[1]
    return trace - (values / (1 + t * values)).sum() + forces @ (change / ratios)
