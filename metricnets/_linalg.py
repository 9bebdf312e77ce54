"""Symmetric matrices: every clip of an eigenvalue in the package is in this file."""

import functools

import numpy as np
from scipy.linalg import eigh
from threadpoolctl import ThreadpoolController

controller = functools.cache(ThreadpoolController)


def one_thread(user_api="blas"):
    """Context in which NumPy and SciPy, or scikit-learn with 'openmp', compute in one thread.

    The number of threads changes the last bits of a product, and which of two neighbours at the
    same distance is found; so that the same seed gives the same bits, alone and in a search with
    ``n_jobs``, where a process has one thread, it is always one.
    """
    return controller().limit(limits=1, user_api=user_api)


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
