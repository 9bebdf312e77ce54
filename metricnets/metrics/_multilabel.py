"""Scores of label sets: the truth Y holds 0 and 1, and the greater a label's score the likelier it is.

All but the Hamming loss look at the order of the labels of a row alone.  Ties count against the
prediction, as in scikit-learn: of labels with one score those that do not belong come first.
"""

from numbers import Real

import numpy as np
from sklearn.metrics import hamming_loss, label_ranking_average_precision_score, label_ranking_loss

from metricnets.metrics._checks import check_rows


def one_error(Y, score):
    """Share of rows whose label of greatest score is not one of theirs.

    Over rows with at least one and not all labels.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_labels)
        0 and 1.
    score : array-like of shape (n_samples, n_labels)

    Returns
    -------
    loss : float in [0, 1]

    Raises
    ------
    ValueError
        If the shapes differ, Y holds other numbers, or no row says anything.

    Examples
    --------
    >>> from metricnets.metrics import one_error
    >>> one_error([[1, 0, 0], [0, 1, 1]], [[0.9, 0.2, 0.1], [0.8, 0.7, 0.1]])
    0.5
    """
    Y, score = _ordered_rows(Y, score)
    first = score == score.max(axis=1, keepdims=True)
    return float(np.mean((first & (Y == 0)).any(axis=1)))


def coverage(Y, score):
    """How far down the list of labels one has to go to find all that belong, counted from 0.

    The mean of max{rank(l) : l in Y} − 1, which is scikit-learn's ``coverage_error`` less 1, over
    rows with at least one label; a row without labels has nothing to be covered, and is left out.
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


def ranking_loss(Y, score):
    """Share of the pairs of a label that belongs and one that does not that are in the wrong order.

    scikit-learn's ``label_ranking_loss`` over rows with at least one and not all labels.
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


def average_precision(Y, score):
    """For each label that belongs, the share of such labels among those ranked no lower; the mean.

    scikit-learn's ``label_ranking_average_precision_score`` over rows with at least one and not all
    labels.  Parameters and errors are those of :func:`one_error`.

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


def multilabel_scores(Y, score, *, threshold=0.5):
    """Compute all five scores of label sets: those above, and the Hamming loss of ``score > threshold``.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_labels)
        0 and 1.
    score : array-like of shape (n_samples, n_labels)
    threshold : float, default=0.5
        A label with a score above it is predicted, as by ``predict`` of :class:`~metricnets.MLKNN`.

    Returns
    -------
    scores : dict of float
        ``hamming_loss, ranking_loss, one_error, coverage, average_precision``.

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


def check_label_sets(Y, score):
    """Validate label sets and scores of one shape."""
    Y, score = check_rows(Y, score, ("Y", "score"))
    if not np.isin(Y, (0, 1)).all():
        raise ValueError(f"Y should hold 0 and 1 only; it holds {np.setdiff1d(Y, (0, 1))[:3]}.")
    return Y, score


def _ordered_rows(Y, score):
    """Rows whose labels can be in a right or a wrong order."""
    Y, score = check_label_sets(Y, score)
    rows = Y.any(axis=1) & ~Y.all(axis=1)
    _some(rows, "one label and not all of them")
    return Y[rows], score[rows]


def _some(rows, what):
    if not rows.any():
        raise ValueError(f"no row of Y has at least {what}: there is nothing to rank.")
