"""Soft neighbours: the objective of NCA and MLKR, minimised by L-BFGS in bounded memory."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array, issparse

from metricnets._linalg import centered, in_span, joined, split, standardized
from metricnets.linear._pairwise.all_pairs import AllPairs
from metricnets.linear._pairwise.near_pairs import NearPairs
from metricnets.linear._solvers.lbfgs import minimize_smooth

START = 4.0  # initial mean squared distance, over log(n)


class SoftLoss(Protocol):
    """A loss of the expected values e_i = sum_j p_ij v_ij of soft neighbours."""

    def value(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Compute v_ij, pair by pair, for arrays of rows i and j."""

    def factors(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Factor v = F G^T for two slices of rows.

        Returns
        -------
        F, G : ndarrays of shape (n_rows, r + 1) and (n_columns, r + 1)
            With ones as their last columns, which the product leaves out.
        """

    def total(self, e: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute the loss, and its derivatives with respect to e."""


def soften(
    loss: SoftLoss,
    L: np.ndarray,
    X: np.ndarray,
    *,
    rescale: bool,
    max_iter: int,
    ftol: float,
    gtol: float,
    report: Callable[[float], None],
) -> tuple[np.ndarray, int, bool]:
    """Minimise the loss of the soft neighbours of ``X @ L.T`` over L, by L-BFGS.

    Parameters
    ----------
    loss : SoftLoss
    L : ndarray of shape (k, d)
        Initial map.
    X : ndarray or sparse matrix of shape (n, d)
    rescale : bool
        Whether to rescale L to a mean squared distance of 4 log(n) if it is not in [1, 8] log(n).
    ftol, gtol : float
        Stop at this change of the loss, relative to the loss or 1, or at this largest entry of its gradient.
    report : callable
        Called with the loss after every iteration.

    Returns
    -------
    L : ndarray of shape (k, d)
    n_iter : int
    converged : bool
    """
    X, units = standardized(X)
    X, basis = (X, None) if issparse(X) else in_span(X)
    L, left, rest = split(L * units, basis)
    n = X.shape[0]
    sharpness = 2 * (X @ L.T).var(axis=0).sum() / np.log(n)  # mean squared distance over log(n)
    if rescale and sharpness > 0 and not 1 <= sharpness <= 2 * START:
        scale = np.sqrt(START / sharpness)
        L, rest = scale * L, scale * rest
    near, every = NearPairs(n), AllPairs(n)
    objective = partial(soft_loss, loss, X=X, near=near, every=every)
    L, n_iter, converged = minimize_smooth(objective, L, ftol=ftol, gtol=gtol, max_iter=max_iter, report=report)
    every.release()  # SciPy keeps the loss in a reference cycle
    return joined(L, left, basis, rest) / units, n_iter, converged


def soft_loss(
    loss: SoftLoss, L: np.ndarray, X: np.ndarray, near: NearPairs, every: AllPairs
) -> tuple[float, np.ndarray]:
    """Loss of the expected values e of soft neighbours, and its gradient with respect to L.

    e_i = sum_j p_ij v_ij, p_ij = softmax over j != i of -|z_i - z_j|^2, Z = X L^T.

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
    Z = centered(X @ L.T)
    pairs = near(Z)
    if pairs is None:
        return dense_loss(loss, L, X, Z, every)
    every.release()
    return sparse_loss(loss, X, Z, *pairs)


def sparse_loss(
    loss: SoftLoss, X: np.ndarray, Z: np.ndarray, i: np.ndarray, j: np.ndarray, log_p: np.ndarray
) -> tuple[float, np.ndarray]:
    """Compute `soft_loss` from the pairs whose weights are not negligible."""
    n = len(Z)
    p = np.exp(log_p)
    p /= np.bincount(i, p, n)[i]
    v = loss.value(i, j)
    e = np.bincount(i, p * v, n)
    objective, slopes = loss.total(e)
    w = slopes[i] * p * (v - e[i])  # derivatives with respect to -d^2; their sum over j is 0
    W = csr_array((w, (i, j)), shape=(n, n))
    forces = W @ Z + W.T @ Z - np.bincount(j, w, n)[:, None] * Z
    return objective, 2 * forces.T @ X


def dense_loss(
    loss: SoftLoss, L: np.ndarray, X: np.ndarray, Z: np.ndarray, every: AllPairs
) -> tuple[float, np.ndarray]:
    """Compute `soft_loss` from all pairs, block by block, by matrix products and exponentials."""
    every.start(Z)
    weights, e = expected_values(loss, every)
    if every.miss(weights):
        every.start(Z)
        weights, e = expected_values(loss, every)
    objective, slopes = loss.total(e)
    embedded = issparse(X) or 2 * Z.shape[1] < X.shape[1]  # two products with Z instead of one with X
    Y = Z if embedded else X
    ends, pulls = np.zeros_like(Y), np.zeros(len(Z))
    for rows, columns, W in derivatives(loss, e, slopes / weights, every):
        ends[rows] += W @ Y[columns]
        if embedded:
            ends[columns] += W.T @ Y[rows]
        pulls[rows] += W.sum(axis=1)
        pulls[columns] += W.sum(axis=0)
    if embedded:
        return objective, 2 * (ends - pulls[:, None] * Z).T @ X
    half = X.T @ (ends - pulls[:, None] / 2 * X)
    return objective, 2 * L @ (half + half.T)


def expected_values(loss: SoftLoss, every: AllPairs) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the weights of all rows, shape (n,), and the expected values e, shape (n,)."""
    sums = np.zeros((2, every.n))
    for rows, columns, P, mirrored in every:
        both = [(rows, columns, P), (columns, rows, P.T)]
        for these, those, weights in both if mirrored else both[:1]:
            F, G = loss.factors(these, those)
            found = weights @ G
            sums[0, these] += found[:, -1]
            sums[1, these] += np.einsum("ij,ij->i", F[:, :-1], found[:, :-1])
    return sums[0], sums[1] / sums[0]


def derivatives(
    loss: SoftLoss, e: np.ndarray, shares: np.ndarray, every: AllPairs
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield rows, columns and W, the derivatives with respect to -d^2 of both directions together, by blocks.

    W is P times a product of two matrices, and so is its sum with the mirrored term.  The derivatives of a row in
    one direction sum to 0.
    """
    for rows, columns, P, mirrored in every:
        A, B = over_p(loss, e, shares, rows, columns)
        if mirrored:
            B_back, A_back = over_p(loss, e, shares, columns, rows)
            A, B = np.concatenate([A, A_back], axis=1), np.concatenate([B, B_back], axis=1)
        W = np.matmul(A, B.T, out=every.scratch(P.shape))
        W *= P
        yield rows, columns, W


def over_p(
    loss: SoftLoss, e: np.ndarray, shares: np.ndarray, rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Factor shares_i (v_ij - e_i), the derivatives in one direction over P_ij, into A B^T."""
    F, G = loss.factors(rows, columns)
    A = shares[rows, None] * F
    A[:, -1] *= -e[rows]
    return A, G
