"""The largest sum of distances for a given norm of the map: the convex problem of MMC."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigvalsh

from metricnets._progress import Report, through
from metricnets.linear._solvers.lbfgs import MEMORY, NearEnough, minimize_smooth


def widest(
    E: np.ndarray, start: np.ndarray, *, tol: float, max_iter: int, report: Report
) -> tuple[np.ndarray, int, bool]:
    """Maximise Σ ‖L e‖ over ‖L‖ = 1, L square or diagonal, for the rows e of E.

    In M = LᵀL the sum is concave on the matrices of trace 1, with the slope G / 2, G = Σ eeᵀ / ‖Le‖, so
    that the maximum is at most Σ ‖Le‖ + (λ_max(G) − tr(G M)) / 2, where tr(G M) = Σ ‖Le‖.

    Parameters
    ----------
    E : ndarray of shape (m, d)
    start : ndarray of shape (d, d) or, of a diagonal L, (d,)
    tol : float
    max_iter : int
    report : callable
        Called with the cost of `Spread` and L once an iteration; stop if it returns True.

    Returns
    -------
    L : ndarray
        Of the shape of ``start``; 0 if no row of E has a length.
    n_iter : int
    converged : bool
    """
    E = E[np.einsum("ij,ij->i", E, E) > 0]
    if len(E) == 0:
        return np.zeros_like(start), 1, True
    memory = 50 if start.ndim == 1 else MEMORY
    L, n_iter, converged = minimize_smooth(
        Spread(E, tol), start, ftol=0.0, gtol=0.0, max_iter=max_iter, report=through(report, of_norm_1), memory=memory
    )
    return of_norm_1(L), n_iter, converged


def of_norm_1(L: np.ndarray) -> np.ndarray:
    """A multiple of L."""
    return L / np.linalg.norm(L)


@dataclass
class Spread:
    """The cost log ‖L‖ − log Σ ‖Le‖ over the rows e of E and its slope, until the relative gap is at most ``tol``."""

    E: np.ndarray
    tol: float

    def __call__(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        total, G = distances(self.E, L)
        size, diagonal = np.vdot(L, L), L.ndim == 1
        largest = G.max() if diagonal else eigvalsh(G, subset_by_index=[len(G) - 1] * 2)[0]
        if (largest * size / total - 1) / 2 <= self.tol:
            raise NearEnough
        slope = L / size - (L * G if diagonal else L @ G) / total
        return np.log(size) / 2 - np.log(total), slope


def distances(E: np.ndarray, L: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of ‖Le‖ over the rows of E, and its slope Σ eeᵀ / ‖Le‖ (d, d); its diagonal (d,) for the diagonal L (d,)."""
    Z = E * L if L.ndim == 1 else E @ L.T
    d = np.maximum(np.sqrt(np.einsum("ij,ij->i", Z, Z)), np.finfo(float).tiny ** 0.5)
    B = E / np.sqrt(d)[:, None]
    return d.sum(), np.einsum("ij,ij->j", B, B) if L.ndim == 1 else B.T @ B
