"""Means of classes to which samples are added, and the scale of squared distances whose softmax is the most likely."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, spmatrix
from scipy.special import log_softmax

from metricnets._arrays import dense

SCALES = (-10.0, 10.0)  # logarithms of the scales, in units of the mean squared distance, that are tried


def with_samples(
    classes: np.ndarray,
    means: np.ndarray,
    totals: np.ndarray,
    z: np.ndarray | spmatrix,
    y: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Add samples z of classes y to the means of classes, whose total weights are ``totals``.

    Returns
    -------
    classes, means, totals : ndarray
        Those of all samples; classes are sorted.
    codes : ndarray of int of shape (n,)
        The class of each added sample.
    """
    merged = np.unique(np.concatenate([classes, y]))
    codes, old = np.searchsorted(merged, y), np.searchsorted(merged, classes)
    all_means, all_totals = np.zeros((len(merged), z.shape[1])), np.zeros(len(merged))
    all_means[old], all_totals[old] = means, totals
    added = np.bincount(codes, weights, minlength=len(merged))
    all_totals += added
    shares = csr_matrix((weights / all_totals[codes], (codes, np.arange(len(y)))), (len(merged), len(y)))
    all_means = all_means * (1 - added / all_totals)[:, None] + dense(shares @ z)
    return merged, all_means, all_totals, codes


def likely_scale(d2: np.ndarray, codes: np.ndarray, totals: np.ndarray, weights: np.ndarray) -> float:
    """The α of the largest likelihood of softmax(−α d²) for samples that are left out of their own class means.

    Without a sample the mean of its class, of total weight W, is W / (W − 1) times as far from it; of a weight below 1
    all is left out.  Samples that are alone in their class do not count.

    Parameters
    ----------
    d2 : ndarray of shape (n, n_classes)
        Squared distances to the means.
    codes : ndarray of int of shape (n,)
        The class of each sample.
    totals : ndarray of shape (n_classes,)
    weights : ndarray of shape (n,)

    Returns
    -------
    scale : float
        1 over the mean squared distance, if no class has two samples.
    """
    unit = np.average(d2.mean(axis=1), weights=weights) or 1.0
    rest = totals[codes] - np.minimum(weights, 1)
    several = np.flatnonzero(rest > 1e-9 * totals[codes])
    if not len(several):
        return 1 / unit
    d2, codes, weights, rest = d2[several] / unit, codes[several], weights[several], rest[several]
    rows = np.arange(len(several))
    d2[rows, codes] *= (1 + np.minimum(weights, 1) / rest) ** 2

    def loss(log_scale):
        return -np.average(log_softmax(-np.exp(log_scale) * d2, axis=1)[rows, codes], weights=weights)

    return float(np.exp(minimize_scalar(loss, bounds=SCALES, method="bounded", options={"xatol": 1e-8}).x) / unit)
