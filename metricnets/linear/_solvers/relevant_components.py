"""Directions of the least variation within chunks, relative to all variation: those of RCA."""

import numpy as np
from scipy.linalg import eigh

from metricnets._linalg import centered

PLENTY = 3  # degrees of freedom for each direction that are enough to invert a covariance unchanged


def relevant_components(X: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Directions A, the most relevant first, with A C Aᵀ = I and A S Aᵀ diagonal.

    C is the covariance within chunks, S that of X; C is shrunk as in `RCA` where that is needed.
    The computation is in coordinates where S = I, so that the units of the features do not matter.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        Negative for rows in no chunk.

    Returns
    -------
    A : ndarray of shape (rank_total, d)
    rank, rank_total : int
        Of C and of S.
    """
    X = centered(X)
    W, scales = whitening(X)  # (d, rank_total)
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    z = X[rows] @ W
    sizes = np.unique(codes[rows], return_counts=True)[1]
    means = np.add.reduceat(z, np.cumsum(sizes) - sizes) / sizes[:, None]
    z -= np.repeat(means, sizes, axis=0)
    variances, Q = eigh(z.T @ z / len(z)) if z.size else (np.empty(0), np.empty((0, 0)))
    n_free, r = degrees_of_freedom(codes), len(variances)
    singular = variances <= 10 * r * np.finfo(float).eps * max(variances.max(initial=0), 1)
    n_more = r if singular.any() else np.clip((PLENTY * r - n_free) / (PLENTY - 1), 0, r)
    if n_more > 0:
        C = z.T @ z / len(z)
        share = (C.diagonal() @ scales / r) or 1.0
        variances, Q = eigh((n_free * C + n_more * share * np.diag(1 / scales)) / (n_free + n_more))
    return (W @ (Q / np.sqrt(variances))).T, int((~singular).sum()), r


def degrees_of_freedom(codes: np.ndarray) -> int:
    """Points in chunks minus chunks."""
    return np.count_nonzero(codes >= 0) - len(np.unique(codes[codes >= 0]))


def whitening(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W (d, rank) such that X @ W has the identity as covariance, for centred X in any units.

    Also return the variances (rank,) of these columns before whitening, in units where each feature has
    variance one.  Combinations of features that vary by no more than rounding errors are left out.
    """
    S, eps = X.T @ X / len(X), np.finfo(float).eps
    deviations = np.sqrt(S.diagonal())
    varies = deviations > 1e-100
    units = varies / np.where(varies, deviations, 1)
    values, vectors = eigh(S * units * units[:, None])
    kept = values > 1000 * len(S) * eps * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept]) * units[:, None], values[kept]
