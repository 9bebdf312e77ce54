"""Sparse rows that are centred and mapped in products alone."""

import numpy as np
from scipy.sparse import csr_matrix


class CentredRows:
    """The rows (X − 1 mᵀ) P, which would be dense: only their products are computed.

    Parameters
    ----------
    X : CSR matrix of shape (n, d)
    mean : ndarray of shape (d,)
    P : ndarray of shape (d, k)
    """

    __array_ufunc__ = None  # NumPy leaves products to this class

    def __init__(self, X: csr_matrix, mean: np.ndarray, P: np.ndarray) -> None:
        self.X, self.mean, self.P, self.shape = X, mean, P, (X.shape[0], P.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, A: np.ndarray) -> np.ndarray:
        A = self.P @ A
        return self.X @ A - self.mean @ A

    def __rmatmul__(self, A: np.ndarray) -> np.ndarray:
        return (A @ self.X - np.outer(A.sum(axis=1), self.mean)) @ self.P
