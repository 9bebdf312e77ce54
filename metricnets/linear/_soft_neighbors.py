"""Soft neighbours: what NCA and MLKR minimise, by L-BFGS, without n x n arrays."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from metricnets._linalg import standardized
from metricnets.linear._all_pairs import AllPairs
from metricnets.linear._descent import minimize_smooth
from metricnets.linear._near_pairs import NearPairs

START = 4.0  # mean squared distance to begin with, over log(n)


class SoftLoss(NamedTuple):
    """A loss of the expected values e_i = sum_j p_ij v_ij of soft neighbours.

    Attributes
    ----------
    value : callable
        Of arrays of rows, i and j; gives v_ij, pair by pair.
    factors : callable
        Of two slices of rows; gives F of shape (n_rows, r) and G of shape (n_columns, r), and v = F G^T.
    total : callable
        Of e; gives the loss, and its derivatives with respect to e.
    """

    value: Callable
    factors: Callable
    total: Callable


def soften(loss, L, X, *, rescale, max_iter, ftol, gtol, report):
    """Minimise the loss of the soft neighbours of ``X @ L.T`` over L, by L-BFGS.

    Parameters
    ----------
    loss : SoftLoss
    L : ndarray of shape (k, d)
        The start.
    X : ndarray of shape (n, d)
    rescale : bool
        Whether to multiply L, where the mean squared distance is not in [1, 8] log(n), to make it 4 log(n).
    ftol, gtol : float
        Change of the loss, relative to the loss or 1, and greatest entry of its gradient, at which to stop.
    report : callable
        Called with the loss after every iteration.

    Returns
    -------
    L : ndarray of shape (k, d)
    n_iter : int
    converged : bool
    """
    X, units = standardized(X)
    L = L * units
    sharpness = 2 * (X @ L.T).var(axis=0).sum() / np.log(len(X))  # mean squared distance over log(n)
    if rescale and sharpness > 0 and not 1 <= sharpness <= 2 * START:
        L *= np.sqrt(START / sharpness)
    near, every = NearPairs(len(X)), AllPairs(len(X))
    L, n_iter, converged = minimize_smooth(
        lambda L: soft_loss(loss, L, X, near, every), L, ftol=ftol, gtol=gtol, max_iter=max_iter, report=report
    )
    return L / units, n_iter, converged


def soft_loss(loss, L, X, near, every):
    """Loss of the expected values e of soft neighbours, and its gradient with respect to L.

    e_i = sum_j p_ij v_ij, p_ij = softmax over j != i of -|z_i - z_j|^2, Z = X L^T.

    Parameters
    ----------
    loss : SoftLoss
    L : ndarray of shape (k, d)
    X : ndarray of shape (n, d)
    near : NearPairs
    every : AllPairs

    Returns
    -------
    loss : float
    gradient : ndarray of shape (k, d)
    """
    Z = X @ L.T
    pairs = near(Z)
    return dense_loss(loss, L, X, Z, every) if pairs is None else sparse_loss(loss, X, Z, *pairs)


def sparse_loss(loss, X, Z, i, j, log_p):
    """Compute `soft_loss` from the pairs whose weights count."""
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


def dense_loss(loss, L, X, Z, every):
    """Compute `soft_loss` from all pairs, block by block: products of matrices, and the exponentials."""
    every.start(Z)
    weights, e = expected_values(loss, every)
    if not every.reaches(weights):
        every.start(Z, by_rows=True)
        weights, e = expected_values(loss, every)
    objective, slopes = loss.total(e)
    shares = (slopes / weights)[:, None]
    shifts, ones = -shares * e[:, None], np.ones((len(X), 1))
    ends, pulls = np.zeros_like(X), np.zeros(len(X))

    def w_over_p(rows, columns):  # derivatives with respect to -d^2, over P, are a product of these
        F, G = loss.factors(rows, columns)
        return np.hstack([shares[rows] * F, shifts[rows]]), np.hstack([G, ones[columns]])

    for rows, columns, P, mirrored in every:
        A, B = w_over_p(rows, columns)
        if mirrored:
            B2, A2 = w_over_p(columns, rows)
            A, B = np.hstack([A, A2]), np.hstack([B, B2])
        W = np.matmul(A, B.T, out=every.scratch(P.shape))
        W *= P
        ends[rows] += W @ X[columns]
        pulls[rows] += W.sum(axis=1)  # the derivatives of a row have the sum 0, in the end
        pulls[columns] += W.sum(axis=0)
    return objective, 2 * (Z.T @ ends + L @ (ends.T @ X) - (pulls[:, None] * Z).T @ X)


def expected_values(loss, every):
    """Sums of the weights of all rows, shape (n,), and the expected values e, shape (n,)."""
    sums, ones = np.zeros((2, every.n)), np.ones((every.n, 1))
    for rows, columns, P, mirrored in every:
        both = [(rows, columns, P), (columns, rows, P.T)]
        for these, those, weights in both if mirrored else both[:1]:
            F, G = loss.factors(these, those)
            found = weights @ np.hstack([ones[those], G])
            sums[0, these] += found[:, 0]
            sums[1, these] += np.einsum("ij,ij->i", F, found[:, 1:])
    return sums[0], sums[1] / sums[0]
