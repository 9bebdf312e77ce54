"""Preconditioned conjugate gradients, for unknowns of any shape."""

from collections.abc import Callable

import numpy as np


def conjugate_gradient(
    A: Callable[[np.ndarray], np.ndarray],
    B: np.ndarray,
    *,
    M: Callable[[np.ndarray], np.ndarray] | None = None,
    tol: float,
    max_iter: int,
) -> np.ndarray:
    """Solve A(X) = B for a positive definite linear map A.

    Parameters
    ----------
    A : callable
        A linear map of arrays of the shape of B.
    B : ndarray
    M : callable or None
        Preconditioner, positive definite: an approximate inverse of A.  None is the identity.
    tol : float
        Stop when the norm of the residual R = B − A(X), √⟨R, M(R)⟩, is at most this share of that of B.
    max_iter : int

    Returns
    -------
    X : ndarray
        Of the shape of B.
    """
    X, R = np.zeros_like(B), B
    Z = R if M is None else M(R)
    D, size = Z, np.vdot(R, Z)
    goal = tol**2 * size
    for _ in range(max_iter):
        if size <= goal:
            break
        H = A(D)
        length = size / np.vdot(D, H)
        X, R = X + length * D, R - length * H
        Z = R if M is None else M(R)
        size, before = np.vdot(R, Z), size
        D = Z + size / before * D
    return X
