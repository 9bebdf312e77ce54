"""Weights of the rank-one metrics of SCML, few of which are not 0."""

from functools import partial

import numpy as np
from scipy.optimize import Bounds
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import gen_batches

from metricnets._linalg import squared_norms
from metricnets._progress import Report
from metricnets._weights import mean_of, total_of
from metricnets.linear._solvers.lbfgs import minimize_smooth

BLOCK = 2**15  # numbers gathered at a time, so that they stay in the cache
SPARSE_BLOCK = 2**18  # numbers of sparse rows that become dense at a time
GAIN = 1e-5  # stop when an iteration lowers the objective, which is 1 for M = 0, by less


def sparse_weights(
    Z: np.ndarray,
    triplets: np.ndarray,
    basis: np.ndarray,
    cost: np.ndarray,
    *,
    gamma: float,
    max_iter: int,
    report: Report,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, int, bool]:
    """Minimise mean_t h(1 + d²(a, b) − d²(a, c)) + Σ cost_b w_b over w >= 0, by L-BFGS-B.

    d² is the squared distance of M = Σ_b w_b basis_b basis_bᵀ, and h is `rounded_hinge`.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
    triplets : ndarray of int of shape (n_triplets, 3)
    basis : ndarray of shape (n_basis, d)
    cost : ndarray of shape (n_basis,)
    gamma : float
    max_iter : int
    report : callable
        Called with the objective and w once an iteration; stop if it returns True.
    weights : ndarray of shape (n_triplets,) or None
        Of the triplets in the mean.

    Returns
    -------
    w : ndarray of shape (n_basis,)
    n_iter : int
    converged : bool
    """
    squares = squared_norms(Z) if issparse(Z) else (Z**2).sum(axis=1)
    cost = np.minimum(cost, 8 * squares.max())  # as good as infinite: larger than any d²
    pairs = shared_pairs(triplets, Z.shape[0])
    loss = partial(triplet_loss, pairs=pairs, Z=Z, basis=basis, cost=cost, gamma=gamma, weights=weights)
    nothing, above = np.zeros(len(basis)), Bounds(0, np.inf)
    return minimize_smooth(loss, nothing, bounds=above, ftol=GAIN, gtol=0, max_iter=max_iter, report=report)


def triplet_loss(
    w: np.ndarray,
    *,
    pairs: tuple[np.ndarray, ...],
    Z: np.ndarray,
    basis: np.ndarray,
    cost: np.ndarray,
    gamma: float,
    weights: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Objective of `sparse_weights` and its gradient, for the pairs of `shared_pairs`."""
    a, b, near, far = pairs
    used = w > 0
    d2 = squared_distances(Z, (basis[used].T * w[used]) @ basis[used], a, b)
    losses, slopes = rounded_hinge(1 + d2[near] - d2[far], gamma)
    slopes = slopes if weights is None else weights * slopes
    pull = np.bincount(near, slopes, len(a)) - np.bincount(far, slopes, len(a))
    G = weighted_scatter(Z, pull / total_of(weights, len(near)), a, b)
    return mean_of(losses, weights) + cost @ w, np.einsum("ij,ij->i", basis @ G, basis) + cost


def shared_pairs(triplets: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unique pairs of rows (a, b), a <= b, sorted, in the triplets, and the places of the two pairs of each triplet."""
    a, others = triplets[:, :1].astype(np.int64), triplets[:, 1:]
    keys, places = np.unique(np.minimum(a, others) * n + np.maximum(a, others), return_inverse=True)
    near, far = places.reshape(-1, 2).T
    return keys // n, keys % n, np.ascontiguousarray(near), np.ascontiguousarray(far)


def squared_distances(Z: np.ndarray, M: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(Z[a] − Z[b])ᵀ M (Z[a] − Z[b]) of each pair; the memory is that of Z."""
    if issparse(Z):
        return sparse_distances(Z, M, a, b)
    ZM = Z @ M
    squares, products = np.einsum("ij,ij->i", ZM, Z), np.empty(len(a))
    step = max(1, BLOCK // Z.shape[1])
    for start in range(0, len(a), step):
        pairs = slice(start, start + step)
        products[pairs] = (ZM.take(a[pairs], axis=0)[:, None] @ Z.take(b[pairs], axis=0)[:, :, None])[:, 0, 0]
    return squares[a] + squares[b] - 2 * products


def sparse_distances(Z: csr_matrix, M: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`squared_distances` of sparse rows and sorted a, a block of rows at a time."""
    squares, products = np.empty(Z.shape[0]), np.empty(len(a))
    for rows in gen_batches(Z.shape[0], max(1, SPARSE_BLOCK // Z.shape[1])):
        ZM = Z[rows] @ M
        squares[rows] = np.ravel(Z[rows].multiply(ZM).sum(axis=1))
        pairs = slice(*np.searchsorted(a, [rows.start, rows.stop]))
        products[pairs] = np.ravel(Z[b[pairs]].multiply(ZM[a[pairs] - rows.start]).sum(axis=1))
    return squares[a] + squares[b] - 2 * products


def rounded_hinge(margins: np.ndarray, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed hinge and its slope: 0 for t < 0, t²/2γ in [0, γ], t − γ/2 above."""
    slopes = np.clip(margins / gamma, 0, 1)
    return slopes * (margins - gamma * slopes / 2), slopes


def weighted_scatter(Z: np.ndarray, weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ_p weights_p (Z[a_p] − Z[b_p]) (Z[a_p] − Z[b_p])ᵀ up to a skew part, for sorted a; the memory is that of Z."""
    (n, d), p = Z.shape, np.flatnonzero(weights)
    weights, a, b = weights[p], a[p], b[p]
    W = csr_matrix((weights, b, np.searchsorted(a, np.arange(n + 1))), shape=(n, n))
    degrees = np.bincount(a, weights, n) + np.bincount(b, weights, n)
    if not issparse(Z):
        forces = W @ Z
        forces *= 2
        return Z.T @ np.subtract(degrees[:, None] * Z, forces, out=forces)
    G = np.zeros((d, d))
    for rows in gen_batches(n, max(1, SPARSE_BLOCK // d)):
        G += Z[rows].T @ (degrees[rows, None] * Z[rows].toarray() - 2 * (W[rows] @ Z).toarray())
    return G
