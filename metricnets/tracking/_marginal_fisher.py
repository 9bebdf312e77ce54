"""Marginal Fisher analysis in closed form."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.metrics import euclidean_distances

from metricnets._linalg import with_fixed_signs

RIDGE = 1e-6  # of the scatter between the classes, where classes have none within
NEGLIGIBLE = 1e-6  # variance of a principal component in relation to the largest


def marginal_fisher(
    X: np.ndarray,
    codes: np.ndarray,
    *,
    n_within: int,
    n_between: int,
    n_components: int,
    shrinkage: float,
    n_principal: int = 64,
    n_rows: int = 200,
) -> np.ndarray:
    """Linear map of marginal Fisher analysis, after principal components.

    With P the pairs of a sample and its nearest neighbours of the same class, and Q those of other classes, it
    maximises the scatter S_b = mean_Q (x_i − x_j)(x_i − x_j)ᵀ in relation to S_c = mean_P (x_i − x_j)(x_i − x_j)ᵀ:
    S_b v = λ S v, vᵀ S v = 1, where S is S_c shrunk towards a multiple of the identity.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        Classes, at least two.
    n_within, n_between : int
        Numbers of neighbours k₁ and k₂.
    n_components : int
        Largest number of rows of the map.
    shrinkage : float
        Share of the identity in S.
    n_principal : int
        Number of principal components.
    n_rows : int
        Number of samples, evenly chosen, whose principal components they are: those of all take most of the time.

    Returns
    -------
    L : ndarray of shape (n_rows, d)
        The largest λ first; no row if all points are the same.

    References
    ----------
    S. Yan et al., "Graph embedding and extensions: a general framework for dimensionality reduction", PAMI 2007.
    """
    some = X[:: max(1, len(X) // n_rows)]
    basis = principal(some - some.mean(axis=0), n_principal)  # (q, d)
    if not len(basis):
        return basis
    Z = (X @ basis.T).astype(np.float64)
    squares, same = euclidean_distances(Z, squared=True), codes[:, None] == codes
    S_c = scatter(Z, nearest_pairs(squares, same & ~np.eye(len(Z), dtype=bool), n_within))
    S_b = scatter(Z, nearest_pairs(squares, ~same, n_between))
    ridge = shrinkage * np.trace(S_c) + RIDGE * np.trace(S_b)
    S = (1 - shrinkage) * S_c + ridge / len(S_c) * np.eye(len(S_c))
    V = eigh(S_b, S)[1][:, ::-1][:, :n_components]
    return with_fixed_signs(V.T @ basis)


def principal(X: np.ndarray, n_components: int) -> np.ndarray:
    """Orthonormal principal directions (n_rows, d) of centred rows, from their inner products."""
    n = len(X)
    values, vectors = eigh(X @ X.T, subset_by_index=[max(0, n - n_components), n - 1])
    kept = values > NEGLIGIBLE * max(values[-1], NEGLIGIBLE)
    return ((vectors[:, kept] / np.sqrt(values[kept])).T @ X)[::-1]


def nearest_pairs(squares: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the k smallest entries of each row (n, n) that are allowed, or of all of them if fewer are.

    With a few hundred points all distances take less time than a search structure.
    """
    k = min(k, squares.shape[1] - 1)
    columns = np.argpartition(np.where(allowed, squares, np.inf), k, axis=1)[:, :k]
    rows = np.repeat(np.arange(len(squares)), k)
    found = allowed[rows, columns.ravel()]
    return rows[found], columns.ravel()[found]


def scatter(Z: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Mean of (z_i − z_j)(z_i − z_j)ᵀ over pairs (i, j) of rows, (q, q); 0 without pairs."""
    D = Z[pairs[0]] - Z[pairs[1]]
    return D.T @ D / max(1, len(D))
