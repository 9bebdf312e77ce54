"""Passive-aggressive steps of a bilinear similarity, and the mean and scale of a stream of points: OASIS."""

from typing import NamedTuple, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.utils.extmath import safe_sparse_dot

from metricnets._linalg import middle, shifted

BLOCK = 128  # steps whose products are computed at a time


def passive_aggressive(W: np.ndarray, P: np.ndarray | csr_matrix, D: np.ndarray, C: float) -> np.ndarray:
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

    Returns
    -------
    margins : ndarray of shape (n_steps,)
        pᵀ W d of each row, by the W before its step.
    """
    losses = 1 - np.einsum("id,id->i", P @ W, D)
    inner = safe_sparse_dot(P, P.T, dense_output=True) * (D @ D.T)  # (n_steps, n_steps)
    steps, losses = steps_and_losses(losses, inner, C)
    W += P.T @ (steps[:, None] * D)
    return 1 - losses


def steps_and_losses(losses: np.ndarray, inner: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """τ of each step and 1 − pᵀ W d before it, from those before the first one and inner products of the directions."""
    steps, before = np.zeros((2, len(losses)))
    for i, square in enumerate(inner.diagonal().tolist()):
        before[i] = loss = float(losses[i])
        if loss > 0 and square > 0:
            steps[i] = min(C, loss / square)
            losses = losses - steps[i] * inner[i]
    return steps, before


def bilinear_similarities(W: np.ndarray, Z: np.ndarray, members: np.ndarray) -> np.ndarray:
    """zᵀ W z' of pairs of rows of Z, (n_pairs, 2)."""
    return np.einsum("id,id->i", Z[members[:, 0]] @ W, Z[members[:, 1]])


def order_of_steps(n: int, n_steps: int | None, rng: np.random.RandomState | None) -> np.ndarray:
    """Numbers of n triplets in passes of ``n_steps`` steps in all, each in random order if there is a generator."""
    n_steps = n_steps or n
    orders = [np.arange(n) if rng is None else rng.permutation(n) for _ in range(-(-n_steps // n))]
    return np.concatenate(orders)[:n_steps]


class Moments(NamedTuple):
    """Count, sum and sum of squared norms of the points of a stream, relative to an origin near them."""

    center: bool
    origin: np.ndarray
    n: int
    total: np.ndarray
    squares: float

    @classmethod
    def near(cls, X: np.ndarray | csr_matrix, center: bool) -> Self:
        """The moments of no points, near those of X; the mean stays at 0 unless ``center``."""
        none = np.zeros(X.shape[1])
        return cls(center, middle(X) if center else none, 0, none, 0.0)

    def shift(self, X: np.ndarray | csr_matrix) -> np.ndarray | csr_matrix:
        """Points relative to the origin."""
        return shifted(X, self.origin) if self.center else X

    def along(self, triplets: np.ndarray) -> tuple:
        """Anchors and differences of triplets (n_triplets, 3, n_features), by mean and scale after each of them.

        Returns
        -------
        P, D : ndarray of shape (n_triplets, n_features)
        means, scales, moments
            As of `after`.
        """
        squares = np.einsum("itd,itd->i", triplets, triplets)
        means, scales, moments = self.after(3, triplets.sum(axis=1), squares)
        P, D = triplets[:, 0] - means, triplets[:, 1] - triplets[:, 2]
        return P / scales[:, None], D / scales[:, None], means, scales, moments

    def after(self, size: int, totals: np.ndarray, squares: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, Self]:
        """Mean of the stream and root mean squared distance from it, after each of some groups of points.

        Parameters
        ----------
        size : int
            Number of points of a group.
        totals : ndarray of shape (n_groups, n_features)
            Sums of the points of each group.
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
        totals = totals if self.center else np.zeros_like(totals)
        counts = self.n + size * np.arange(1, len(totals) + 1)
        totals = np.cumsum(np.vstack([self.total, totals]), axis=0)[1:]
        squares = np.cumsum(np.append(self.squares, squares))[1:]
        means, norms = totals / counts[:, None], squares / counts
        rounding = np.finfo(float).eps * norms
        scales = np.sqrt(np.maximum(norms - np.einsum("id,id->i", means, means), rounding))
        scales[scales == 0] = 1
        return means, scales, self._replace(n=int(counts[-1]), total=totals[-1], squares=float(squares[-1]))
