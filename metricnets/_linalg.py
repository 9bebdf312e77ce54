"""Symmetric matrices: every clip of an eigenvalue in the package is in this file."""

import numpy as np
from scipy.linalg import eigh


def positive_part(M):
    """Project a symmetric matrix (d, d) on the positive semi-definite cone."""
    values, vectors = eigh(M)
    return (vectors * np.clip(values, 0, None)) @ vectors.T


def components_from_metric(M):
    """Factor a positive semi-definite ``M = L.T @ L``; returns the symmetric ``L`` (d, d), which is unique."""
    values, vectors = eigh(M)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def inverse_root(M):
    """Factor the pseudo-inverse of a positive semi-definite matrix as ``W @ W.T``.

    Eigenvalues below d times the rounding error of the greatest one count as zero.

    Returns
    -------
    W : ndarray of shape (d, rank)
    """
    values, vectors = eigh(M)
    kept = values > len(M) * np.finfo(M.dtype).eps * max(values[-1], 0)
    return vectors[:, kept] / np.sqrt(values[kept])
