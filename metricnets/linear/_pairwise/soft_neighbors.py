"""Soft neighbours: the objective of NCA and MLKR, minimised by L-BFGS in bounded memory."""

from functools import partial

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils import gen_batches

from metricnets._cores import n_threads
from metricnets._linalg import in_span, joined, split, squared_distances, standardized
from metricnets._progress import Report, through
from metricnets._weights import mean_of, total_of
from metricnets.linear._pairwise.all_pairs import AllPairs, SoftLoss, derivatives, expected_values
from metricnets.linear._pairwise.near_pairs import NearPairs
from metricnets.linear._solvers.lbfgs import minimize_smooth

LEAST = 2**26  # pairs times components of a thread in an evaluation, below which threads gain little
N_ROWS = 4096  # rows of forces at a time
START = 4.0  # initial mean squared distance, over log(n)


def soften(
    loss: SoftLoss,
    L: np.ndarray,
    X: np.ndarray,
    *,
    rescale: bool,
    max_iter: int,
    ftol: float,
    gtol: float,
    report: Report,
    first_step: float | None = None,
    weights: np.ndarray | None = None,
    n_jobs: int | None = 1,
) -> tuple[np.ndarray, int, bool]:
    """Minimise the loss of the soft neighbours of ``X @ L.T`` over L, by L-BFGS.

    Parameters
    ----------
    loss : SoftLoss
    L : ndarray of shape (k, d)
        Initial map.
    X : ndarray or sparse matrix of shape (n, d)
        An array is overwritten.
    rescale : bool
        Whether to rescale L to a mean squared distance of 4 log(n) if it is not in [1, 8] log(n).
    ftol, gtol : float
        Stop at this change of the loss, relative to the loss or 1, or at this largest entry of its gradient.
    report : callable
        Called with the loss and L after every iteration; stop if it returns True.
    first_step : float or None
        Length of the first step over `length_in_span` of L; None for a length of 1.
    weights : ndarray of shape (n,) or None
        How often each row counts as a neighbour, positive.
    n_jobs : int or None
        Number of threads, if there are enough rows.

    Returns
    -------
    L : ndarray of shape (k, d)
    n_iter : int
    converged : bool
    """
    X, units = standardized(X, weights, overwrite=True)
    total = max(total_of(weights, X.shape[0]), 2)
    length = length_in_span(len(L), X, total)
    X, basis = in_span(X)
    L, left, rest = split(L * units, basis)
    spread = spread_of(X @ L.T, weights)
    sharpness = 2 * spread / np.log(total)  # mean squared distance over log(n)
    if rescale and sharpness > 0 and not 1 <= sharpness <= 2 * START:
        scale = np.sqrt(START / sharpness)
        L, rest, spread = scale * L, scale * rest, scale**2 * spread
    threads = n_threads(n_jobs, X.shape[0] ** 2 * len(L), LEAST)
    near, every = NearPairs(X.shape[0], weights, threads), AllPairs(X.shape[0], weights, threads)
    objective = partial(soft_loss, loss, X=X, near=near, every=every)
    to_map = partial(in_all_features, left=left, basis=basis, rest=rest, units=units)
    L, n_iter, converged = minimize_smooth(
        objective,
        L,
        ftol=ftol,
        gtol=gtol,
        max_iter=max_iter,
        report=through(report, to_map),
        first_step=first_step * length * np.sqrt(spread) if first_step else 1.0,
    )
    every.release()  # SciPy keeps the loss in a reference cycle
    return to_map(L), n_iter, converged


def in_all_features(
    L: np.ndarray, left: np.ndarray | None, basis: np.ndarray | None, rest: np.ndarray | float, units: np.ndarray
) -> np.ndarray:
    """The map of the features from one of standardised features in their span, and the parts of `split`."""
    return joined(L, left, basis, rest) / units


def spread_of(Z: np.ndarray, weights: np.ndarray | None) -> float:
    """Total variance of rows, weighted unless ``weights`` is None."""
    return Z.var(axis=0).sum() if weights is None else mean_of((Z - mean_of(Z, weights)) ** 2, weights).sum()


def length_in_span(k: int, X: np.ndarray, n: float) -> float:
    """Length of a map to k dimensions in the span of standardised rows X, if its embeddings have a total variance of 1.

    It is that of min(k, rank) rows of the multiple of the identity that gives this variance: unlike the norm of L it
    is the same in all coordinates of the span, and features that do not vary have no part in it.
    """
    n_varying = np.count_nonzero(abs(X).sum(axis=0))
    return np.sqrt(min(k, n - 1) / max(n_varying, 1))


def soft_loss(
    loss: SoftLoss, L: np.ndarray, X: np.ndarray, near: NearPairs, every: AllPairs
) -> tuple[float, np.ndarray]:
    """Loss of the expected values e of soft neighbours, and its gradient with respect to L.

    e_i = sum_j p_ij v_ij, p_ij = softmax over j != i of -|z_i - z_j|^2, Z = X L^T, with the weights of ``every``.

    Parameters
    ----------
    loss : SoftLoss
    L : ndarray of shape (k, d)
    X : ndarray or sparse matrix of shape (n, d)
    near : NearPairs
    every : AllPairs

    Returns
    -------
    loss : float
    gradient : ndarray of shape (k, d)
    """
    Z = X @ L.T
    Z -= Z.mean(axis=0)
    pairs = near(Z)
    if pairs is None:
        return dense_loss(loss, L, X, Z, every)
    every.release()
    return sparse_loss(loss, X, Z, *pairs, every.weights)


def sparse_loss(
    loss: SoftLoss,
    X: np.ndarray,
    Z: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    log_p: np.ndarray,
    weights: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Compute `soft_loss` from the pairs whose weights are not negligible."""
    n = len(Z)
    if weights is not None:
        i, j, log_p = with_copies(Z, i, j, log_p, weights)
    p = np.exp(log_p)
    p /= np.bincount(i, p, n)[i]
    v = loss.value(i, j)
    e = np.bincount(i, p * v, n)
    objective, slopes = loss.total(e)
    w = slopes[i] * p * (v - e[i])  # derivatives with respect to -d^2; their sum over j is 0
    W = csr_array((w, (i, j)), shape=(n, n))
    forces = W @ Z
    forces += W.T @ Z
    forces -= np.bincount(j, w, n)[:, None] * Z
    forces *= 2
    return objective, forces.T @ X


def with_copies(
    Z: np.ndarray, i: np.ndarray, j: np.ndarray, log_p: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight the pairs, whose nearest ones have log_p = 0, by w_j, and add w_i - 1 copies of each row to itself."""
    first, several = np.flatnonzero(log_p == 0), np.flatnonzero(weights > 1)
    nearest = np.zeros(len(Z))
    nearest[i[first]] = squared_distances(Z, i[first], j[first])
    log_copies = nearest[several] + np.log(weights[several] - 1)
    above = np.zeros(len(Z))  # so that no exponential overflows
    above[several] = log_copies.clip(0)
    log_p = np.concatenate([log_p + np.log(weights[j]) - above[i], log_copies - above[several]])
    return np.concatenate([i, several]), np.concatenate([j, several]), log_p


def dense_loss(
    loss: SoftLoss, L: np.ndarray, X: np.ndarray, Z: np.ndarray, every: AllPairs
) -> tuple[float, np.ndarray]:
    """Compute `soft_loss` from all pairs, block by block, by matrix products and exponentials."""
    every.start(Z)
    weights, e = expected_values(loss, every)
    objective, slopes = loss.total(e)
    embedded = issparse(X) or 2 * Z.shape[1] < X.shape[1]  # two products with Z instead of one with X
    Y = Z if embedded else X
    ends, pulls, ones = np.zeros(Y.shape), np.zeros(len(Z)), np.ones(len(Z))

    def forces(rows, columns, W):
        back = W.T @ Y[rows] if embedded else None
        return rows, columns, W @ Y[columns], back, W @ ones[columns], ones[rows] @ W

    for rows, columns, force, back, pull, pull_back in derivatives(loss, e, slopes / weights, every, forces):
        ends[rows] += force
        if embedded:
            ends[columns] += back
        pulls[rows] += pull
        pulls[columns] += pull_back
    factors = pulls if embedded else pulls / 2
    for rows in gen_batches(len(Z), N_ROWS):
        ends[rows] -= factors[rows, None] * Y[rows]
    if embedded:
        ends *= 2
        return objective, ends.T @ X
    half = X.T @ ends
    return objective, 2 * L @ (half + half.T)
