"""Doublets: pairs of points, compared by the degree-2 kernel (τᵀτ')² of their differences."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import diags, issparse

from metricnets._arrays import dense
from metricnets._linalg import squared_norms
from metricnets._weights import mean_of

BLOCK = 2**22  # numbers in a block: 32 MiB


def unit_of(differences: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Root of the mean squared distance; 0 only if no pair has two different points."""
    numbers = differences.data if issparse(differences) else differences
    largest = np.abs(numbers).max(initial=0)  # first, so that no square overflows
    if largest == 0:
        return 0.0
    if weights is None:
        squares = sum(((part / largest) ** 2).sum() for part in _parts(numbers))
        return largest * np.sqrt(squares / differences.shape[0])
    squares = [squared_norms(part / largest) for part in _parts(differences)]
    return largest * np.sqrt(mean_of(np.concatenate(squares), weights))


def kernel(differences: np.ndarray) -> np.ndarray:
    """(τᵀτ')² of all pairs of differences: the inner products ⟨ττᵀ, τ'τ'ᵀ⟩, of shape (n, n)."""
    K = differences @ differences.T
    return np.multiply(K, K, out=K)


def finest(tol: float, differences: np.ndarray, C: float) -> float:
    """``tol`` of a support vector machine with weight C, or the rounding error of its gradient if that is larger."""
    largest = max(squared_norms(part).max() for part in _parts(differences)) ** 2
    return max(tol, differences.shape[0] * C * largest * np.finfo(float).eps)


def matrix_of(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ w ττᵀ, symmetric, of shape (d, d)."""
    if issparse(differences):
        M = (differences.T @ (diags(weights) @ differences)).toarray()
    else:
        parts = zip(_parts(differences), _parts(weights))
        M = sum(((part.T * w) @ part for part, w in parts), start=np.zeros((differences.shape[1],) * 2))
    return (M + M.T) / 2


def vanishes(L: np.ndarray, M: np.ndarray) -> bool:
    """Whether only rounding is left of M in its factor L."""
    return (L**2).sum() <= len(M) * np.finfo(float).eps * np.abs(M).sum()


def _parts(rows):
    """Split into parts of a thousand rows, so that temporary arrays are small."""
    n = 1 + rows.shape[0] // 1000
    return (
        [rows[part] for part in np.array_split(np.arange(rows.shape[0]), n)]
        if issparse(rows)
        else np.array_split(rows, n)
    )


def graded_doublets(
    X: np.ndarray, targets: np.ndarray, relation: Callable, n_neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbours, among the more similar and among the less similar rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    targets : ndarray of shape (n,) or (n, L)
    relation : callable
        ``(y_a, y_b) -> r``.
    n_neighbors : int
        Of each kind, for each row, or all if there are fewer.

    Returns
    -------
    pairs : ndarray of int of shape (n_pairs, 2)
        Each once, the smaller row first.
    r : ndarray of shape (n_pairs,)
        Their relation.
    """
    n = X.shape[0]
    blocks = np.array_split(np.arange(n), min(n, 1 + n * targets.size // BLOCK))
    sums = [(np.nansum(r), np.isfinite(r).sum()) for r in (_related(relation, targets, rows) for rows in blocks)]
    total, n_known = np.sum(sums, axis=0)
    squares = squared_norms(X) if issparse(X) else (X**2).sum(axis=1)
    found, k = [np.empty((0, 3))], min(n_neighbors, n)
    for rows in blocks:
        r = _related(relation, targets, rows)
        d = squares - dense(2 * X[rows] @ X.T)  # squared distance, up to a constant
        for kind in (r * max(n_known, 1) > total, r * max(n_known, 1) <= total):
            i, j = np.arange(len(rows))[:, None], np.argpartition(np.where(kind, d, np.inf), k - 1, axis=1)[:, :k]
            i, j = np.broadcast_to(i, j.shape)[kind[i, j]], j[kind[i, j]]
            found.append(np.column_stack([rows[i], j, r[i, j]]))
    left, right, r = np.concatenate(found).T
    pairs, first = np.unique(np.sort([left, right], axis=0).T.astype(int), axis=0, return_index=True)
    return pairs, r[first]


def _related(relation, targets, rows):
    """Relation of some rows to all rows, NaN to themselves."""
    r = np.array(relation(targets[rows], targets), dtype=float)
    if r.shape != (len(rows), len(targets)):
        raise ValueError(f"relation should turn targets of n and m samples into an n x m array; got shape {r.shape}.")
    r[np.arange(len(rows)), rows] = np.nan
    if (r < -1e-5).any() or (r > 1 + 1e-5).any():
        raise ValueError(f"relation should lie in [0, 1]; it reaches from {np.nanmin(r):.3g} to {np.nanmax(r):.3g}.")
    return r
