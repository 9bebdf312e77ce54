"""Scores of label sets: the true labels Y are 0 and 1, and labels with a larger score are more likely.

All of them except the Hamming loss depend only on the order of the labels of each sample.  Ties count against
the prediction, as in scikit-learn: of labels with equal scores, the false ones are ranked first.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import hamming_loss, label_ranking_average_precision_score, label_ranking_loss

from metricnets.metrics._checks import check_rows


def one_error(Y: ArrayLike, score: ArrayLike) -> float:
    """One error, the share of samples whose label with the largest score is false; smaller is better.

    Samples without labels, or with all of them, are left out.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_labels)
        True labels, 0 and 1.
    score : array-like of shape (n_samples, n_labels)
        Predicted scores: the larger, the more likely is the label.

    Returns
    -------
    loss : float in [0, 1]

    Raises
    ------
    ValueError
        If the shapes differ, Y holds other numbers, or all samples are left out.

    Examples
    --------
    >>> from metricnets.metrics import one_error
    >>> one_error([[1, 0, 0], [0, 1, 1]], [[0.9, 0.2, 0.1], [0.8, 0.7, 0.1]])
    0.5
    """
    Y, score = _ordered_rows(Y, score)
    first = score == score.max(axis=1, keepdims=True)
    return float(np.mean((first & (Y == 0)).any(axis=1)))


def coverage(Y: ArrayLike, score: ArrayLike) -> float:
    """Coverage, how far to go down the ranking to find all true labels; smaller is better.

    The mean of max{rank(l) : l in Y} − 1, which is scikit-learn's ``coverage_error`` minus 1.  Samples
    without labels are left out.
    Parameters and errors are those of :func:`one_error`.

    Returns
    -------
    loss : float in [0, n_labels − 1]

    Examples
    --------
    >>> from metricnets.metrics import coverage
    >>> coverage([[1, 0, 0], [0, 1, 1]], [[0.9, 0.2, 0.1], [0.8, 0.7, 0.1]])
    1.0
    """
    Y, score = check_label_sets(Y, score)
    rows = Y.any(axis=1)
    _some(rows, "one label")
    last = np.where(Y[rows] == 1, score[rows], np.inf).min(axis=1, keepdims=True)
    return float((score[rows] >= last).sum(axis=1).mean()) - 1


def ranking_loss(Y: ArrayLike, score: ArrayLike) -> float:
    """Ranking loss, the share of pairs of a true and a false label in the wrong order; smaller is better.

    The same as scikit-learn's ``label_ranking_loss``, except that samples without labels, or with all of them,
    are left out.
    Parameters and errors are those of :func:`one_error`.

    Returns
    -------
    loss : float in [0, 1]

    Examples
    --------
    >>> from metricnets.metrics import ranking_loss
    >>> ranking_loss([[1, 0, 0], [0, 1, 1]], [[0.9, 0.2, 0.1], [0.8, 0.7, 0.1]])
    0.5
    """
    return float(label_ranking_loss(*_ordered_rows(Y, score)))


def average_precision(Y: ArrayLike, score: ArrayLike) -> float:
    """Label ranking average precision; larger is better.

    The mean, over the true labels of a sample, of the share of true labels among the labels ranked at least as
    high.  The same as scikit-learn's ``label_ranking_average_precision_score``, except that samples without
    labels, or with all of them, are left out.  Parameters and errors are those of :func:`one_error`.

    Returns
    -------
    score : float in (0, 1]

    Examples
    --------
    >>> from metricnets.metrics import average_precision
    >>> average_precision([[1, 0, 0]], [[0.5, 0.7, 0.1]])
    0.5
    """
    return float(label_ranking_average_precision_score(*_ordered_rows(Y, score)))


def multilabel_scores(Y: ArrayLike, score: ArrayLike, *, threshold: float = 0.5) -> dict[str, float]:
    """Compute all five scores of label sets, with the Hamming loss of ``score > threshold``.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_labels)
        True labels, 0 and 1.
    score : array-like of shape (n_samples, n_labels)
        Predicted scores: the larger, the more likely is the label.
    threshold : float, default=0.5
        Labels with a larger score are predicted, as by ``predict`` of :class:`~metricnets.MLKNN`.

    Returns
    -------
    scores : dict of float
        ``hamming_loss``, ``ranking_loss``, ``one_error``, ``coverage`` and ``average_precision``.

    Raises
    ------
    ValueError
        As :func:`one_error`, or if ``threshold`` is not a number.

    Examples
    --------
    >>> from metricnets.metrics import multilabel_scores
    >>> multilabel_scores([[1, 0, 0]], [[0.5, 0.7, 0.1]])["ranking_loss"]
    0.5
    """
    if not isinstance(threshold, Real) or np.isnan(threshold):
        raise ValueError(f"threshold={threshold!r} should be a number.")
    Y, score = check_label_sets(Y, score)
    losses = {f.__name__: f(Y, score) for f in (ranking_loss, one_error, coverage, average_precision)}
    return {"hamming_loss": float(hamming_loss(Y.astype(int), (score > threshold).astype(int)))} | losses


def check_label_sets(Y: ArrayLike, score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Validate label sets and scores of the same shape."""
    Y, score = check_rows(Y, score, ("Y", "score"))
    if not np.isin(Y, (0, 1)).all():
        raise ValueError(f"Y should hold 0 and 1 only; it holds {np.setdiff1d(Y, (0, 1))[:3]}.")
    return Y, score


def _ordered_rows(Y, score):
    """Samples with both true and false labels, which can be in the right or the wrong order."""
    Y, score = check_label_sets(Y, score)
    rows = Y.any(axis=1) & ~Y.all(axis=1)
    _some(rows, "one label and not all of them")
    return Y[rows], score[rows]


def _some(rows, what):
    if not rows.any():
        raise ValueError(f"no row of Y has at least {what}, so that there is nothing to rank.")
