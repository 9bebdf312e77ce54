"""Soft neighbours: what NCA and MLKR minimise, by L-BFGS, without n x n arrays."""

import numpy as np
from scipy.sparse import csr_array

from metricnets._linalg import standardized
from metricnets.linear._descent import minimize_smooth
from metricnets.linear._near_pairs import NearPairs, bilinear, tiles

START = 4.0  # mean squared distance to begin with, over log(n)
FAR = 700.0  # squared distance whose weight is still a normal number


def soften(loss, L, X, *, rescale, max_iter, ftol, gtol, report):
    """Minimise the loss of the soft neighbours of ``X @ L.T`` over L, by L-BFGS.

    Parameters
    ----------
    loss : (value, total)
        See `soft_loss`.
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
    near = NearPairs(len(X))
    L, n_iter, converged = minimize_smooth(
        lambda L: soft_loss(loss, L, X, near), L, ftol=ftol, gtol=gtol, max_iter=max_iter, report=report
    )
    return L / units, n_iter, converged


def soft_loss(loss, L, X, near):
    """Loss of the expected values e of soft neighbours, and its gradient with respect to L.

    e_i = sum_j p_ij v_ij, p_ij = softmax over j != i of -|z_i - z_j|^2, Z = X L^T.

    Parameters
    ----------
    loss : (value, total)
        ``value(i, j)`` gives v_ij for arrays of rows that broadcast; ``total(e, i)`` the loss of the rows i with
        the expected values e, and its derivatives with respect to them.
    L : ndarray of shape (k, d)
    X : ndarray of shape (n, d)
    near : NearPairs

    Returns
    -------
    loss : float
    gradient : ndarray of shape (k, d)
    """
    Z = X @ L.T
    pairs = near(Z)
    return dense_loss(loss, L, X, Z) if pairs is None else sparse_loss(loss, X, Z, *pairs)


def sparse_loss(loss, X, Z, i, j, log_p):
    """Compute `soft_loss` from the pairs whose weights count."""
    value, total = loss
    n = len(Z)
    p = np.exp(log_p)
    p /= np.bincount(i, p, n)[i]
    v = value(i, j)
    e = np.bincount(i, p * v, n)
    objective, slopes = total(e, np.arange(n))
    w = slopes[i] * p * (v - e[i])  # derivatives with respect to -d^2; their sum over j is 0
    W = csr_array((w, (i, j)), shape=(n, n))
    forces = W @ Z + W.T @ Z - np.bincount(j, w, n)[:, None] * Z
    return objective, 2 * forces.T @ X


def dense_loss(loss, L, X, Z):
    """Compute `soft_loss` from all pairs, in tiles of rows."""
    value, total = loss
    n = len(X)
    left, right = bilinear(Z)
    squares, columns = right[-1], np.arange(n)
    left, right = np.hstack([left, -squares[:, None]]), np.vstack([right, np.ones(n)])  # whose product is -d^2
    within_range = 4 * squares.max() < FAR
    objective, gradient, pulls = 0.0, np.zeros_like(L), np.zeros(n)
    pieces = tiles(n)
    memory = np.empty((2, pieces[0].stop, n))  # used again and again: new memory costs more than the sums in it
    for rows in pieces:
        i = columns[rows]
        P, W = memory[:, : len(i)]
        np.matmul(left[rows], right, out=P)
        if not within_range:
            P[i - i[0], i] = -np.inf
            P -= P.max(axis=1, keepdims=True)
            P[i - i[0], i] = 0
            np.maximum(P, -FAR, out=P)  # the exponential of less is no weight, but may be subnormal, hence slow
        np.exp(P, out=P)
        P[i - i[0], i] = 0
        v = value(i[:, None], columns)
        weights = P.sum(axis=1)
        e = np.einsum("ij,ij->i", P, v) / weights
        part, slopes = total(e, i)
        objective += part
        np.subtract(v, e[:, None], out=W)
        W *= P
        slopes /= weights
        ends = slopes[:, None] * (W @ X)  # (rows, d)
        gradient += Z[rows].T @ ends + L @ ends.T @ X[rows]
        pulls += slopes @ W
    return objective, 2 * (gradient - (pulls[:, None] * Z).T @ X)
