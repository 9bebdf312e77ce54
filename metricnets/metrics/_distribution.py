"""Scores of label distributions: the truth d and the prediction p are rows that sum to 1; means over rows."""

import numpy as np

from metricnets.metrics._checks import check_rows

TINY = np.finfo(float).eps  # what a logarithm takes for 0
OFF = 1e-3  # by how much the sum of a row may differ from 1


def chebyshev(truth, predicted):
    """Greatest difference, max abs(d − p); the less the better.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_samples, n_labels)
        At least 0; each row sums to 1.

    Returns
    -------
    loss : float in [0, 1]

    Raises
    ------
    ValueError
        If the shapes differ, or rows are no distributions.

    Examples
    --------
    >>> from metricnets.metrics import chebyshev
    >>> chebyshev([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    0.25
    """
    d, p = check_distributions(truth, predicted)
    return float(np.abs(d - p).max(axis=1).mean())


def clark(truth, predicted):
    """Clark distance, √(Σ (d − p)² / (d + p)²); the less the better.

    Labels that both give nothing count 0.  Parameters and errors are those of :func:`chebyshev`.

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


def canberra(truth, predicted):
    """Canberra distance, Σ abs(d − p) / (d + p); the less the better.

    Labels that both give nothing count 0.  Parameters and errors are those of :func:`chebyshev`.

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


def kullback_leibler(truth, predicted):
    """Kullback–Leibler divergence of the prediction from the truth, Σ d log(d / p); the less the better.

    Entries below 2.2e-16 are taken for that, so that a label that is there and was not predicted
    costs 36 d and not infinity.  Parameters and errors are those of :func:`chebyshev`.

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


def cosine(truth, predicted):
    """Cosine of the angle, Σ d p / (‖d‖ ‖p‖); the greater the better.

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


def intersection(truth, predicted):
    """Mass that the two share, Σ min(d, p); the greater the better.

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


def distribution_scores(truth, predicted):
    """Compute all six scores of label distributions.

    Parameters and errors are those of :func:`chebyshev`.

    Returns
    -------
    scores : dict of float
        ``chebyshev, clark, canberra, kullback_leibler``, losses; ``cosine, intersection``.

    Examples
    --------
    >>> from metricnets.metrics import distribution_scores
    >>> distribution_scores([[0.5, 0.5]], [[0.25, 0.75]])["intersection"]
    0.75
    """
    scores = (chebyshev, clark, canberra, kullback_leibler, cosine, intersection)
    return {score.__name__: score(truth, predicted) for score in scores}


def check_distributions(truth, predicted):
    """Validate distributions of one shape."""
    rows = check_rows(truth, predicted, ("truth", "predicted"))
    for name, values in zip(("truth", "predicted"), rows):
        if values.min() < 0:
            raise ValueError(f"{name} should not be negative; its least entry is {values.min():.3g}.")
        sums = values.sum(axis=1)
        if np.abs(sums - 1).max() > OFF:
            raise ValueError(
                f"rows of {name} should sum to 1 within {OFF}; they sum to {sums.min():.6g} to {sums.max():.6g}."
            )
    return rows


def _relative(truth, predicted):
    """Differences over sums, |d − p| / (d + p), and 0 where both are 0."""
    d, p = check_distributions(truth, predicted)
    return np.divide(np.abs(d - p), d + p, out=np.zeros_like(d), where=d + p > 0)
