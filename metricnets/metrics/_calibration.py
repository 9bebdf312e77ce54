"""How well predicted probabilities agree with the shares that are observed."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array, checked_column
from metricnets._weights import check_weights


def expected_calibration_error(
    y: ArrayLike, p: ArrayLike, *, n_bins: int = 10, sample_weight: ArrayLike | None = None
) -> float:
    """Expected calibration error of the probabilities of a binary target; smaller is better.

    The probabilities are sorted into bins of equal width.  The error is the mean over the bins, weighted by their
    numbers of samples, of the absolute difference of the share of positives and the mean probability.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 or True for positives, such as similar pairs; 0, −1 or False for the others.
    p : array-like of shape (n,)
        Predicted probabilities of positives, in [0, 1].
    n_bins : int >= 1, default=10
        Number of bins.
    sample_weight : array-like of shape (n,), float or None, default=None
        Weights of the samples, non-negative.

    Returns
    -------
    error : float in [0, 1]

    Raises
    ------
    ValueError
        If y has other values, or p is not in [0, 1].

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
    2015.

    Examples
    --------
    >>> from metricnets.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 0, 1, 1], [0.1, 0.1, 0.9, 0.7]), 3)
    0.15
    """
    if not isinstance(n_bins, Integral) or n_bins < 1:
        raise ValueError(f"n_bins={n_bins!r} should be a number of bins, at least 1.")
    y, p = checked_column(y, "y"), checked_array(p, "p", ensure_2d=False, dtype=float)
    if p.shape != y.shape:
        raise ValueError(f"y has shape {y.shape} and p {p.shape}; there should be one probability for each sample.")
    if not (set(np.unique(y).tolist()) <= {0, 1} or set(np.unique(y).tolist()) <= {-1, 1}):
        raise ValueError(f"y should hold 1 and either 0 or -1; it holds {np.unique(y)[:5]}.")
    if not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(f"p should hold probabilities in [0, 1]; it runs from {p.min():.3g} to {p.max():.3g}.")
    weights = check_weights(sample_weight, len(y))
    weights = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, weights * ((y == 1) - p))).sum())
