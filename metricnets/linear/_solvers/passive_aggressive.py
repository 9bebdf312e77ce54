"""Passive-aggressive steps of a bilinear similarity, and the mean and scale of a stream of points: OASIS."""

from typing import NamedTuple, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.utils.extmath import safe_sparse_dot

BLOCK = 128  # steps whose products are computed at a time


def passive_aggressive(W: np.ndarray, P: np.ndarray | csr_matrix, D: np.ndarray, C: float) -> None:
    """Update W in place, W ← W + τ p dᵀ for each row p of P and d of D in their order.

    The step is the least change of W that leaves no loss, limited by C:

        τ = min(C, [1 − pᵀ W d]₊ / (‖p‖² ‖d‖²)).

    The losses of all rows follow from those of the first W, as a step along p dᵀ changes pᵀ W d of another row by
    τ times the inner product of the two matrices, and that is one product of vectors times another.

    Parameters
    ----------
    W : ndarray of shape (n_features, n_features)
    P : ndarray or CSR matrix of shape (n_steps, n_features)
        Anchors.
    D : ndarray of shape (n_steps, n_features)
        Similar minus dissimilar points.
    C : float > 0
    """
    losses = 1 - np.einsum("id,id->i", P @ W, D)
    inner = safe_sparse_dot(P, P.T, dense_output=True) * (D @ D.T)  # (n_steps, n_steps)
    steps = step_sizes(losses, inner, C)
    W += P.T @ (steps[:, None] * D)


def step_sizes(losses: np.ndarray, inner: np.ndarray, C: float) -> np.ndarray:
    """τ of each step, from the losses before the first one and the inner products of the directions."""
    steps = np.zeros(len(losses))
    for i, square in enumerate(inner.diagonal().tolist()):
        loss = float(losses[i])
        if loss > 0 and square > 0:
            steps[i] = min(C, loss / square)
            losses = losses - steps[i] * inner[i]
    return steps


class Moments(NamedTuple):
    """Count, sum and sum of squared norms of the points of a stream, relative to an origin near them."""

    origin: np.ndarray
    n: int
    total: np.ndarray
    squares: float

    @classmethod
    def around(cls, origin: np.ndarray) -> Self:
        """The moments of no points."""
        return cls(origin, 0, np.zeros(len(origin)), 0.0)

    def after(self, size: int, totals: np.ndarray, squares: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, Self]:
        """Mean of the stream and root mean squared distance from it, after each of some groups of points.

        Parameters
        ----------
        size : int
            Number of points of a group.
        totals : ndarray of shape (n_groups, n_features)
            Sums of the points of each group; zeros keep the mean at the origin.
        squares : ndarray of shape (n_groups,), or float if there is one group
            Sums of their squared norms.

        Returns
        -------
        means : ndarray of shape (n_groups, n_features)
        scales : ndarray of shape (n_groups,)
            1 where all points are at the mean.
        moments : Moments
            Those after the last group.
        """
        counts = self.n + size * np.arange(1, len(totals) + 1)
        totals = np.cumsum(np.vstack([self.total, totals]), axis=0)[1:]
        squares = np.cumsum(np.append(self.squares, squares))[1:]
        means, norms = totals / counts[:, None], squares / counts
        rounding = np.finfo(float).eps * norms
        scales = np.sqrt(np.maximum(norms - np.einsum("id,id->i", means, means), rounding))
        scales[scales == 0] = 1
        return means, scales, Moments(self.origin, int(counts[-1]), totals[-1], float(squares[-1]))
