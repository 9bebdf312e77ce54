"""Fisher's discriminants and covariances within classes of weighted samples, as of rows that are repeated."""

import functools

import numpy as np
from scipy.linalg import eigh, eigvalsh, svd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from metricnets._arrays import dense
from metricnets._weights import mean_of, scaled_rows, total_of


@functools.cache
def lost_for_each_class() -> int:
    """Degrees of freedom that the covariance of scikit-learn's 'svd' solver loses for a class: 1 in old versions."""
    steepness = LinearDiscriminantAnalysis().fit([[0], [1], [8], [9]], [0, 0, 1, 1]).scalings_[0, 0]
    return round((4 - steepness**2) / 2)


def class_means(X: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means (n_classes, d) of the classes, which are numbered from 0, and the sums of their weights."""
    rows = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    return np.stack([mean_of(X[own], weights[own]) for own in rows]), np.bincount(codes, weights)


def weighted_discriminants(
    X: np.ndarray, codes: np.ndarray, weights: np.ndarray, *, priors: np.ndarray | None = None, tol: float = 1e-4
) -> np.ndarray:
    """The discriminants that scikit-learn's ``LinearDiscriminantAnalysis(solver='svd')`` finds, with weights.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        Classes, numbered from 0.
    weights : ndarray of shape (n,)
        Positive, with a sum above the number of classes.
    priors : ndarray of shape (n_classes,) or None
        None takes the shares of the classes in the weights.
    tol : float
        Singular values below this count as zero.

    Returns
    -------
    scalings : ndarray of shape (d, rank)
        The most discriminating column first.
    """
    means, sums = class_means(X, codes, weights)
    total, n_classes = sums.sum(), len(sums)
    priors = sums / total if priors is None else priors / priors.sum()
    deviations = scaled_rows(X - means[codes], weights)
    std = np.sqrt((deviations**2).sum(axis=0) / total)
    std[std == 0] = 1
    _, s, V = svd(deviations / std / np.sqrt(total - n_classes * lost_for_each_class()), full_matrices=False)
    return _rotated((V / std).T, s, means, total, priors, tol)


def discriminants_of_scatter(
    within: np.ndarray, counts: np.ndarray, means: np.ndarray, *, priors: np.ndarray, tol: float = 1e-4
) -> np.ndarray:
    """The discriminants of `weighted_discriminants`, from sums over the samples.

    Parameters
    ----------
    within : ndarray of shape (d, d)
        The scatter Σ w (x − m)(x − m)ᵀ about the means m of the classes.
    counts : ndarray of shape (n_classes,)
        Sums of the weights, above the number of classes in all.
    means : ndarray of shape (n_classes, d)
    priors : ndarray of shape (n_classes,)
    tol : float

    Returns
    -------
    scalings : ndarray of shape (d, rank)
    """
    S, std = _units_of_deviation(within, counts)
    values, vectors = eigh(S)
    s = np.sqrt(values[::-1].clip(0))
    return _rotated(vectors[:, ::-1] / std[:, None], s, means, counts.sum(), priors / priors.sum(), tol)


def root_of_deviations(
    X: np.ndarray, codes: np.ndarray, weights: np.ndarray | None, *, means: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """R (at most d, d), of which RᵀR is the scatter of rows about the means of their classes, in units of features.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    codes : ndarray of int of shape (n,)
    weights : ndarray of shape (n,) or None
    means : ndarray of shape (n_classes, d)
    units : ndarray of shape (d,)
        0 leaves out the feature.
    """
    Z = (dense(X) - means[codes]) * np.divide(1.0, units, out=np.zeros(len(units)), where=units > 0)
    return np.linalg.qr(scaled_rows(Z, weights), mode="r")


def root_of_both(R: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The root of the sum of two scatters, from their roots."""
    return np.linalg.qr(np.vstack([R, other]), mode="r")


def discriminants_of_root(
    R: np.ndarray, units: np.ndarray, counts: np.ndarray, means: np.ndarray, *, priors: np.ndarray, tol: float = 1e-4
) -> np.ndarray:
    """The discriminants of `discriminants_of_scatter`, with the digits of small singular values.

    Parameters
    ----------
    R : ndarray of shape (at most d, d)
        The root of the scatter in units of the standard deviations ``units``, of which 0 counts as 1.
    """
    total, units = counts.sum(), np.where(units == 0, 1, units)
    _, s, V = svd(R / np.sqrt(total - len(counts) * lost_for_each_class()), full_matrices=False)
    return _rotated((V / units).T, s, means, total, priors / priors.sum(), tol)


def keeps_digits(within: np.ndarray, counts: np.ndarray, tol: float) -> bool:
    """Whether `discriminants_of_scatter` has most digits of `weighted_discriminants`.

    The singular values there are roots of eigenvalues here, of which small ones have lost their digits; that matters
    unless they count as zero.
    """
    if counts.sum() <= len(counts):  # one sample in each: there are none
        return True
    values = eigvalsh(_units_of_deviation(within, counts)[0])
    small = values < 1e-6 * values[-1]
    return bool((values[small] < min(1e-12 * values[-1], tol**2 / 10)).all())


def _units_of_deviation(within, counts):
    """Covariance within classes in units of the standard deviations, and these, 1 where they are 0."""
    total = counts.sum()
    std = np.sqrt(within.diagonal() / total)
    std[std == 0] = 1
    return within / np.outer(std, std) / (total - len(counts) * lost_for_each_class()), std


def _rotated(vectors, s, means, total, priors, tol):
    """Discriminants (d, rank) from the principal axes (d, k) of the samples about their means, and their deviations."""
    rank, n_classes = np.count_nonzero(s > tol), len(means)
    scalings = vectors[:, :rank] / s[:rank]
    between = np.sqrt(total * priors / (n_classes - 1))[:, None] * (means - priors @ means)
    _, s, V = svd(between @ scalings, full_matrices=False)
    return scalings @ V.T[:, : np.count_nonzero(s > tol * s[0])]


def covariance(X: np.ndarray, weights: np.ndarray, shrinkage: float | str | None = None) -> np.ndarray:
    """Covariance (d, d) of rows about their mean, shrunk towards a multiple of the identity, or 'auto'.

    'auto' takes the estimate of Ledoit and Wolf for features in units of their standard deviations.
    """
    Z = scaled_rows(X - mean_of(X, weights), weights)
    if shrinkage != "auto":
        return shrunk(Z.T @ Z / weights.sum(), shrinkage or 0.0)
    scale = np.sqrt((Z**2).sum(axis=0) / weights.sum())
    scale[scale <= 10 * np.finfo(float).eps * np.abs(X).max(axis=0)] = 1
    Z = Z / scale
    return np.outer(scale, scale) * shrunk(Z.T @ Z / weights.sum(), ledoit_wolf(Z, Z.shape[1], weights))


def shrunk(S: np.ndarray, share: float) -> np.ndarray:
    """A covariance (d, d) with a share of the multiple of the identity that has the same trace."""
    return (1 - share) * S + share * np.trace(S) / len(S) * np.eye(len(S))


def ledoit_wolf(V: np.ndarray, n_features: int, weights: np.ndarray | None = None) -> float:
    """The shrinkage that Ledoit and Wolf estimate for the covariance of centred rows.

    It is a function of their inner products and the number of features, so V may have coordinates of the span.  With
    weights the rows are those times the roots of their weights.
    """
    n, squares = total_of(weights, len(V)), V**2
    variances = squares.sum(axis=0) / n
    fourth = np.sum(squares.T @ (squares if weights is None else squares / weights[:, None]))
    return ledoit_wolf_of_moments(n, n_features, variances.sum(), np.sum((V.T @ V) ** 2) / n**2, fourth)


def ledoit_wolf_of_moments(n: float, n_features: int, trace: float, size: float, fourth: float) -> float:
    """The same from the trace and the sum of squares of the covariance, and Σ w ‖v‖⁴ over the rows."""
    mean = trace / n_features
    error = 1.0 / (n_features * n) * (fourth / n - size)
    spread = (size - 2.0 * mean * trace + n_features * mean**2) / n_features
    error = min(error, spread)
    return 0.0 if error <= 0 or n_features == 1 else error / spread  # below 0 by rounding, if all rows are ± the same
