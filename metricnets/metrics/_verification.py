"""Scores of verification: y says which pairs are similar; pairs with a larger score are predicted more similar.

The ROC curve and the area under it are scikit-learn's ``roc_curve`` and ``roc_auc_score``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from metricnets._arrays import checked_array, checked_column
from metricnets.calibration import threshold


def equal_error_rate(y: ArrayLike, score: ArrayLike) -> float:
    """Equal error rate, where the false positive and false negative rates are equal; smaller is better.

    The value at which FPR = 1 − TPR on the ROC curve, interpolated linearly between the two nearest thresholds.

    Parameters
    ----------
    y : array-like of shape (n_pairs,)
        Similar pairs are 1, the others 0 or −1.
    score : array-like of shape (n_pairs,)
        Similarities: the larger, the more similar.

    Returns
    -------
    rate : float in [0, 1]

    Raises
    ------
    ValueError
        If y has other values or only one of the two values, or a score is not finite.

    Examples
    --------
    >>> from metricnets.metrics import equal_error_rate
    >>> equal_error_rate([-1, -1, 1, 1], [0.1, 0.4, 0.3, 0.8])
    0.5
    """
    fpr, tpr = _rates(y, score)
    ahead = 1 - tpr - fpr  # falls from 1 to −1
    i = np.argmax(ahead <= 0)
    share = ahead[i - 1] / (ahead[i - 1] - ahead[i])
    return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


def tar_at_far(y: ArrayLike, score: ArrayLike, far: ArrayLike) -> float | np.ndarray:
    """True accept rate at a given false accept rate: the largest TPR at an FPR of at most ``far``.

    Parameters
    ----------
    y : array-like of shape (n_pairs,)
        Similar pairs are 1, the others 0 or −1.
    score : array-like of shape (n_pairs,)
        Similarities: the larger, the more similar.
    far : float in [0, 1], or array-like of them
        False accept rates.  Below 1 / n_dissimilar, no dissimilar pair may be accepted.

    Returns
    -------
    tar : float, or ndarray of the shape of ``far``

    Raises
    ------
    ValueError
        As :func:`equal_error_rate`, or if ``far`` is not in [0, 1].

    Examples
    --------
    >>> from metricnets.metrics import tar_at_far
    >>> tar_at_far([-1, -1, 1, 1], [0.1, 0.4, 0.3, 0.8], [0.0, 0.5])
    array([0.5, 1. ])
    """
    try:
        allowed = np.asarray(far, dtype=float)
    except (TypeError, ValueError):
        allowed = np.array(np.nan)
    if not np.all((allowed >= 0) & (allowed <= 1)):
        raise ValueError(f"far={far!r} should be one or several rates in [0, 1].")
    fpr, tpr = _rates(y, score)
    tar = tpr[np.searchsorted(fpr, allowed + 1e-12, side="right") - 1]  # rates such as 0.3 are not exact
    return float(tar) if allowed.ndim == 0 else tar


def best_threshold_accuracy(y: ArrayLike, score: ArrayLike, fold: ArrayLike) -> np.ndarray:
    """Accuracy on each fold, at the threshold that is best on the other folds.

    The protocol of Labeled Faces in the Wild, for scores that need no training.  For learners see
    :func:`metricnets.protocols.cross_validate_pairs`.

    Parameters
    ----------
    y : array-like of shape (n_pairs,)
        Similar pairs are 1, the others 0 or −1.
    score : array-like of shape (n_pairs,)
        Similarities: the larger, the more similar.
    fold : array-like of shape (n_pairs,)
        The fold of each pair; at least two distinct values.

    Returns
    -------
    accuracy : ndarray of shape (n_folds,)
        One accuracy for each fold, in the order of the sorted folds.

    Raises
    ------
    ValueError
        As :func:`equal_error_rate`, or if there is only one fold.

    Examples
    --------
    >>> from metricnets.metrics import best_threshold_accuracy
    >>> best_threshold_accuracy([1, 0, 1, 0, 1, 0], [5.0, 1.0, 6.0, 2.0, 2.5, 0.0], [0, 0, 1, 1, 2, 2])
    array([1. , 0.5, 0.5])
    """
    y, score = check_scores(y, score)
    folds, fold = np.unique(checked_column(fold, "fold"), return_inverse=True)
    if len(fold) != len(y):
        raise ValueError(f"there are {len(y)} pairs and {len(fold)} values in fold.")
    if len(folds) < 2:
        raise ValueError(f"fold is {folds[0]} throughout; two folds are needed, one of them to choose the threshold.")

    def accuracy(inside):
        cut = threshold(score[~inside], y[~inside])
        return np.mean((score[inside] >= cut) == (y[inside] > 0))

    return np.array([accuracy(fold == number) for number in range(len(folds))])


def check_scores(y: ArrayLike, score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Validate labels and scores of pairs; return the labels as +1 and −1, and the scores."""
    y, score = checked_column(y, "y"), checked_array(score, "score", ensure_2d=False, dtype=float)
    if score.shape != y.shape:
        raise ValueError(f"y has shape {y.shape} and score {score.shape}; there should be one score for each pair.")
    similar = y == 1
    if similar.all() or not similar.any() or np.unique(y[~similar]).tolist() not in ([0], [-1]):
        raise ValueError(f"y should hold 1 and either 0 or -1, both of them; it holds {np.unique(y)[:5]}.")
    return np.where(similar, 1, -1), score


def _rates(y, score):
    fpr, tpr, _ = roc_curve(*check_scores(y, score), drop_intermediate=False)
    return fpr, tpr
