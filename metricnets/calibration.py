"""Choice of the score above which a pair is predicted to be similar."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve, roc_curve

from metricnets._arrays import checked_array, checked_column
from metricnets._weights import check_weights, mean_of

STRATEGIES = ("accuracy", "f_beta", "max_tpr", "max_tnr")
SLACK = 16  # scores that differ by less than this many times their precision count as equal


def check_params(params: dict[str, Any] | None, check: Callable) -> dict[str, Any]:
    """Validate ``calibration_params``, None or keyword arguments of ``check``, and return a dictionary."""
    params = {} if params is None else params
    known = ("strategy", "min_rate", "beta")
    if not isinstance(params, dict) or not set(params) <= set(known):
        raise ValueError(f"calibration_params={params!r} should be a dictionary with keys among {', '.join(known)}.")
    check(**params)
    return params


def check_strategy(strategy: str = "accuracy", min_rate: float | None = None, beta: float = 1.0) -> None:
    """Raise ValueError unless the arguments of :func:`threshold` fit together."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r} is unknown; use one of {', '.join(STRATEGIES)}.")
    needs_rate = strategy in ("max_tpr", "max_tnr")
    if needs_rate and not (isinstance(min_rate, Real) and 0 <= min_rate <= 1):
        raise ValueError(f"strategy={strategy!r} needs min_rate in [0, 1]; got min_rate={min_rate!r}.")
    if strategy == "f_beta" and not (isinstance(beta, Real) and 0 <= beta < np.inf):
        raise ValueError(f"strategy='f_beta' needs a number beta of at least 0; got beta={beta!r}.")


def check_used(strategy: str = "accuracy", min_rate: float | None = None, beta: float = 1.0) -> None:
    """Raise ValueError unless the arguments of :func:`threshold` fit together and each has an effect."""
    check_strategy(strategy, min_rate, beta)
    if min_rate is not None and strategy not in ("max_tpr", "max_tnr"):
        raise ValueError(
            f"min_rate={min_rate!r} has no effect with strategy={strategy!r}; give strategy='max_tpr' or 'max_tnr'."
        )
    if strategy != "f_beta" and beta != 1:
        raise ValueError(f"beta={beta!r} has no effect with strategy={strategy!r}; give strategy='f_beta'.")


def threshold(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    strategy: str = "accuracy",
    min_rate: float | None = None,
    beta: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Find the threshold of scores that separates similar from dissimilar pairs best.

    The threshold lies halfway between the scores of two pairs, so that rounding cannot change a prediction.  A
    threshold above all scores lies halfway between the largest score and 0 if the scores are negative, as
    negative distances are.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Similarities of pairs: the larger, the more similar.
    y : array-like of shape (n,)
        +1 for similar, −1 for dissimilar.
    strategy : {'accuracy', 'f_beta', 'max_tpr', 'max_tnr'}, default='accuracy'
        What is maximised over all thresholds:

        - 'accuracy': the accuracy;
        - 'f_beta': the F-beta score of the similar pairs;
        - 'max_tpr': the true positive rate, among thresholds whose true negative rate is at least ``min_rate``;
        - 'max_tnr': the true negative rate, among thresholds whose true positive rate is at least ``min_rate``.
    min_rate : float in [0, 1], default=None
        Lower bound of the other rate for 'max_tpr' and 'max_tnr', which need it.
    beta : float >= 0, default=1.0
        Weight of recall relative to precision for 'f_beta'; 0 means precision alone.
    sample_weight : array-like of shape (n,), float or None, default=None
        Weights of the pairs, non-negative; a pair of weight 0 does not count.  None gives all the same weight.

    Returns
    -------
    threshold : float
        Pairs with ``scores >= threshold`` are similar.  No pair is, if the threshold is above all scores.

    Raises
    ------
    ValueError
        If the arguments do not fit together, a score is not finite, or ``y`` does not hold both +1 and −1.

    Examples
    --------
    >>> from metricnets.calibration import threshold
    >>> threshold([-3.0, -2.0, -1.0, -0.5], [-1, -1, 1, 1])
    -1.5
    """
    check_strategy(strategy, min_rate, beta)
    scores = checked_array(scores, "scores", ensure_2d=False, dtype=[np.float64, np.float32])
    y = checked_column(y, "y")
    if scores.shape != y.shape:
        raise ValueError(f"y has shape {y.shape} and scores {scores.shape}; there should be one score for each pair.")
    weights = check_weights(sample_weight, len(y), of="pairs")
    if weights is not None:
        scores, y, weights = scores[weights > 0], y[weights > 0], weights[weights > 0]
    if not np.array_equal(np.unique(y), [-1, 1]):
        raise ValueError(f"y should hold +1 and -1, both of them; it holds {np.unique(y)[:5]}.")
    levels, cuts = _levels(scores)
    return float(cuts[_best_level(levels, y, weights, len(cuts) - 1, strategy, min_rate, beta)])


def _levels(scores):
    """Number the distinct scores from 0, and find the threshold below each of them and above all.

    Scores that differ by rounding alone count as equal: a threshold between them would label a pair by chance.

    Returns
    -------
    levels : ndarray of int of shape (n,)
    cuts : ndarray of shape (n_levels + 1,)
        ``levels >= k`` is ``scores >= cuts[k]``.
    """
    values, places = np.unique(scores, return_inverse=True)
    slack, values = SLACK * np.finfo(scores.dtype).eps, values.astype(float)
    below, above = values[:-1], values[1:]
    apart = above / 2 - below / 2 > slack / 2 * np.maximum(np.abs(below), np.abs(above))
    below, above = below[apart], above[apart]
    halfway = np.maximum(below / 2 + above / 2, np.nextafter(below, np.inf))
    half = values[-1] / 2 - values[0] / 2 if apart.any() else 1 + abs(values[0]) / 2
    top = values[-1]
    with np.errstate(over="ignore"):
        first = values[0] - half
        last = top / 2 if top < 0 else top + half  # negative distances end at 0: equal points stay similar
        last = max(last, np.nextafter(top, np.inf))
    return np.r_[0, np.cumsum(apart)][places.ravel()], np.r_[first, halfway, last]


def _best_level(levels, y, weights, n_levels, strategy, min_rate, beta):
    """The smallest level that is accepted as similar; ``n_levels`` accepts none."""
    if strategy == "f_beta":
        precision, recall, found = precision_recall_curve(y, levels, sample_weight=weights)
        denominator = np.maximum(beta**2 * precision + recall, np.finfo(float).tiny)
        return int(found[np.argmax((precision * recall / denominator)[:-1])])
    rate = min_rate if strategy in ("max_tpr", "max_tnr") else 0.0
    fpr, tpr, found = roc_curve(y, levels, sample_weight=weights, drop_intermediate=False)
    found[0] = n_levels  # scikit-learn says inf
    similar, dissimilar = mean_of(y == 1, weights), mean_of(y == -1, weights)
    gain, allowed = {
        "accuracy": (tpr * similar - fpr * dissimilar, fpr >= 0),
        "max_tpr": (tpr, 1 - fpr >= rate - 1e-12),  # 1 - 0.9 is a little less than 0.1
        "max_tnr": (1 - fpr, tpr >= rate),
    }[strategy]
    return int(found[np.argmax(np.where(allowed, gain, -np.inf))])
