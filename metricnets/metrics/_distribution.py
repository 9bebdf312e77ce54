"""Scores of label distributions: means over samples with the true distribution d and the predicted one p."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metricnets.metrics._checks import check_rows

TINY = np.finfo(float).eps  # the logarithm of 0 is replaced by that of this
OFF = 1e-3  # tolerance of the sum of a row, which should be 1


def chebyshev(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Chebyshev distance, max abs(d − p); smaller is better.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_samples, n_labels)
        Distributions: no entry is negative, and each row sums to 1.

    Returns
    -------
    loss : float in [0, 1]

    Raises
    ------
    ValueError
        If the shapes differ, or a row is not a distribution.

    Examples
    --------
    >>> from metricnets.metrics import chebyshev
    >>> chebyshev([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    0.25
    """
    d, p = check_distributions(truth, predicted)
    return float(np.abs(d - p).max(axis=1).mean())


def clark(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Clark distance, √(Σ (d − p)² / (d + p)²); smaller is better.

    A label that is 0 in both distributions adds 0.  Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    loss : float in [0, √n_labels]

    Examples
    --------
    >>> from metricnets.metrics import clark
    >>> round(clark([[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]), 4)
    1.4142
    """
    return float(np.sqrt((_relative(truth, predicted) ** 2).sum(axis=1)).mean())


def canberra(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Canberra distance, Σ abs(d − p) / (d + p); smaller is better.

    A label that is 0 in both distributions adds 0.  Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    loss : float in [0, n_labels]

    Examples
    --------
    >>> from metricnets.metrics import canberra
    >>> canberra([[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    2.0
    """
    return float(_relative(truth, predicted).sum(axis=1).mean())


def kullback_leibler(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Kullback–Leibler divergence of the prediction from the truth, Σ d log(d / p); smaller is better.

    Entries below 2.2e-16 are replaced by 2.2e-16, so that a true label with a prediction of 0 adds about 36 d and
    not infinity.  Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    loss : float

    Examples
    --------
    >>> from metricnets.metrics import kullback_leibler
    >>> round(kullback_leibler([[0.5, 0.5]], [[0.25, 0.75]]), 4)
    0.1438
    """
    d, p = (np.maximum(rows, TINY) for rows in check_distributions(truth, predicted))
    return float((d * np.log(d / p)).sum(axis=1).mean())


def cosine(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Cosine similarity, Σ d p / (‖d‖ ‖p‖); larger is better.

    Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    score : float in [0, 1]

    Examples
    --------
    >>> from metricnets.metrics import cosine
    >>> cosine([[1.0, 0.0]], [[0.0, 1.0]])
    0.0
    """
    d, p = check_distributions(truth, predicted)
    return float(((d * p).sum(axis=1) / np.linalg.norm(d, axis=1) / np.linalg.norm(p, axis=1)).mean())


def intersection(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Intersection similarity, Σ min(d, p); larger is better.

    Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    score : float in [0, 1]

    Examples
    --------
    >>> from metricnets.metrics import intersection
    >>> intersection([[0.5, 0.5]], [[0.25, 0.75]])
    0.75
    """
    return float(np.minimum(*check_distributions(truth, predicted)).sum(axis=1).mean())


def distribution_scores(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Compute all six scores of label distributions.

    Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    scores : dict of float
        ``chebyshev``, ``clark``, ``canberra`` and ``kullback_leibler``, for which smaller is better; ``cosine`` and
        ``intersection``, for which larger is better.

    Examples
    --------
    >>> from metricnets.metrics import distribution_scores
    >>> distribution_scores([[0.5, 0.5]], [[0.25, 0.75]])["intersection"]
    0.75
    """
    scores = (chebyshev, clark, canberra, kullback_leibler, cosine, intersection)
    return {score.__name__: score(truth, predicted) for score in scores}


def check_distributions(truth: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Validate true and predicted distributions of the same shape."""
    rows = check_rows(truth, predicted, ("truth", "predicted"))
    for name, values in zip(("truth", "predicted"), rows):
        if values.min() < 0:
            raise ValueError(f"{name} should not be negative; its smallest entry is {values.min():.3g}.")
        sums = values.sum(axis=1)
        if np.abs(sums - 1).max() > OFF:
            raise ValueError(
                f"rows of {name} should sum to 1 within {OFF}; they sum to {sums.min():.6g} to {sums.max():.6g}."
            )
    return rows


def _relative(truth, predicted):
    """Relative differences, |d − p| / (d + p), and 0 where both are 0."""
    d, p = check_distributions(truth, predicted)
    return np.divide(np.abs(d - p), d + p, out=np.zeros_like(d), where=d + p > 0)
