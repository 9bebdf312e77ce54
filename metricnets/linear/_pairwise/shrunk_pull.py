"""The scatter of the differences to targets in LMNN, shrunk towards its diagonal."""

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.utils import gen_batches

from metricnets._arrays import dense
from metricnets._class_scatter import ledoit_wolf_of_moments
from metricnets._linalg import squares
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.shrunk_scatter import MOST_AUTO

LEAST_OWN = 1e-4  # smallest scatter of targets along a feature, as a share of that of all rows
N_ROWS = 4096  # rows, and pairs, of a block


def shrunk_pull(
    X: np.ndarray | csr_matrix,
    deviations: np.ndarray,
    down: np.ndarray,
    near: np.ndarray,
    times: np.ndarray,
    shrinkage: float | str,
) -> np.ndarray:
    """What shrinking the scatter of targets, C = Σ w (x_i − x_j)(x_i − x_j)ᵀ, adds to the pull.

    A share ρ of C becomes its diagonal Λ: the pull tr(M C) becomes tr(M ((1 − ρ) C + ρ Λ)).  C is Xᵀ A X,
    with the graph Laplacian A of the targets.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        An array if n < d.
    deviations : ndarray of shape (d,)
        Standard deviations of the features.
    down : ndarray of shape (d, r)
        X @ down are the coordinates of the solver, up to their mean.
    near : ndarray of shape (n, n_near)
        Targets.
    times : ndarray of shape (n, n_near)
        How often each row and target count together, w.
    shrinkage : float or 'auto'
        ρ; 'auto' is the estimate of Ledoit and Wolf in units where Λ is the identity, at most ½.

    Returns
    -------
    added : ndarray of shape (r, r)
        ρ (Λ − C) in these coordinates.
    """
    pairs, w = np.column_stack([np.repeat(np.arange(len(near)), near.shape[1]), near.ravel()]), times.ravel()
    A, n, few = graph_laplacian(pairs, w, len(near)), w.sum(), X.shape[0] < X.shape[1]
    if few:
        Z = X @ down
        C, own = Z.T @ (A @ Z), np.einsum("ij,ij->j", X, A @ X)
    else:
        S = sum(dense(X[rows].T @ (A[rows] @ X)) for rows in gen_batches(X.shape[0], N_ROWS))
        C, own = down.T @ S @ down, S.diagonal()
    own = np.maximum(own, LEAST_OWN * n * deviations**2)
    if shrinkage == "auto":
        precision = np.divide(n, own, out=np.zeros(len(own)), where=own > 0)
        B = A @ ((X * precision) @ X.T) if few else S * precision  # similar to C in these units
        fourth = sum(
            w[some] @ (squares(pair_differences(X, pairs[some])) @ precision) ** 2
            for some in gen_batches(len(w), N_ROWS)
        )
        share = ledoit_wolf_of_moments(n, X.shape[1], B.trace() / n, np.sum(B * B.T) / n**2, fourth)
        shrinkage = min(share, MOST_AUTO)
    added = (down.T * own) @ down - C
    return shrinkage * (added + added.T) / 2


def graph_laplacian(pairs: np.ndarray, weights: np.ndarray, n: int) -> csr_matrix:
    """The matrix A (n, n) with Σ weight (z_i − z_j)² = zᵀ A z, over pairs (n_pairs, 2) of rows i, j."""
    W = csr_matrix((weights.astype(float), pairs.T), shape=(n, n))
    W += W.T
    return csr_matrix(diags(np.asarray(W.sum(axis=1)).ravel()) - W)
