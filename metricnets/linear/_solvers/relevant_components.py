"""Directions of the least variation within chunks, relative to all variation: those of RCA."""

import numpy as np
from scipy.linalg import eigh

from metricnets._groups import group_means
from metricnets._linalg import centered, in_span
from metricnets._weights import mean_of, rows_of, scatter, total_of

PLENTY = 3  # degrees of freedom for each direction that are enough to invert a covariance unchanged


def relevant_components(
    X: np.ndarray,
    codes: np.ndarray,
    regularization: float | None = None,
    weights: np.ndarray | None = None,
    overwrite: bool = False,
) -> tuple[np.ndarray, int, int]:
    """Directions A, the most relevant first, with A C Aᵀ = I and A S Aᵀ diagonal.

    C is the covariance within chunks, S that of X; C is regularized, or shrunk where that is needed, as in `RCA`.
    The computation is in coordinates where S = I, so that the units of the features do not matter.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        Negative for rows in no chunk.
    regularization : float >= 0 or None
        Weight of the diagonal of S, or None to shrink C.
    weights : ndarray of shape (n,) or None
        How often each row counts, positive.
    overwrite : bool
        Whether X may be overwritten.

    Returns
    -------
    A : ndarray of shape (rank_total, d)
    rank, rank_total : int
        Of C and of S.
    """
    X = centered(X, overwrite)
    if weights is not None:
        X -= mean_of(X, weights)
    W, scales = whitening_of_rows(X, weights)  # (d, rank_total)
    if not len(scales):
        return W.T, 0, 0
    C = covariance_within(X @ W, codes, weights)
    return relevant_directions(W, scales, C, degrees_of_freedom(codes, weights), regularization)


def relevant_directions(
    W: np.ndarray, scales: np.ndarray, C: np.ndarray, n_free: float, regularization: float | None = None
) -> tuple[np.ndarray, int, int]:
    """The directions of `relevant_components` from sums over the points.

    Parameters
    ----------
    W : ndarray of shape (d, r)
    scales : ndarray of shape (r,)
        What `whitening` returned.
    C : ndarray of shape (r, r)
        The covariance within chunks in these coordinates.
    n_free : float
        Degrees of freedom of C.
    regularization : float >= 0 or None

    Returns
    -------
    A : ndarray of shape (r, d)
    rank, rank_total : int
    """
    r = len(scales)
    variances, Q = eigh(C)
    singular = variances <= 10 * r * np.finfo(float).eps * max(variances.max(), 1)
    n_more = r if singular.any() else np.clip((PLENTY * r - n_free) / (PLENTY - 1), 0, r)
    prior = np.diag(((C.diagonal() @ scales / r) or 1.0) / scales)  # t D
    if regularization is not None:
        if regularization == 0 and singular.any():
            raise ValueError(
                "regularization=0 leaves the covariance within chunks singular; raise it, or leave it None."
            )
        variances, Q = eigh(C + regularization * prior)
    elif n_more > 0:
        variances, Q = eigh((n_free * C + n_more * prior) / (n_free + n_more))
    return (W @ (Q / np.sqrt(variances))).T, int((~singular).sum()), r


def covariance_within(X: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean outer product (d, d) of the deviations of the rows in chunks from the means of their chunks."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    z = X[rows]
    weights = rows_of(weights, rows)
    _, number, _, means = group_means(z, codes[rows], weights)
    z -= means[number]
    return scatter(z, weights)


def degrees_of_freedom(codes: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Points in chunks, by their weights, minus chunks; at least 0."""
    known = codes >= 0
    return max(total_of(rows_of(weights, known), np.count_nonzero(known)) - len(np.unique(codes[known])), 0)


def whitening_of_rows(X: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The `whitening` of the covariance of centred X, in the span of the rows if these are fewer than the features."""
    if len(X) >= X.shape[1]:
        return whitening(scatter(X, weights))
    units = units_of(mean_of(X**2, weights))
    Z, basis = in_span(X * units)
    W, scales = whitened(scatter(Z, weights))
    return units[:, None] * (basis @ W), scales


def whitening(S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W (d, rank) such that X @ W has the identity as covariance, for centred X with the covariance S, in any units.

    Also return the variances (rank,) of these columns before whitening, in units where each feature has
    variance one.  Combinations of features that vary by no more than rounding errors are left out.
    """
    units = units_of(S.diagonal())
    W, scales = whitened(S * units * units[:, None])
    return W * units[:, None], scales


def whitened(S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factor and the variances of `whitening` from the covariance in units where features have variance one."""
    values, vectors = eigh(S)
    kept = values > 1000 * len(S) * np.finfo(float).eps * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept]), values[kept]


def units_of(variances: np.ndarray) -> np.ndarray:
    """Factors that give features with these variances variance one, 0 for those that do not vary."""
    deviations = np.sqrt(variances)
    varies = deviations > 1e-100
    return varies / np.where(varies, deviations, 1)
