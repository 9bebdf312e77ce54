"""Choosing the score above which a pair counts as similar."""

from numbers import Real

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

STRATEGIES = ("accuracy", "f_beta", "max_tpr", "max_tnr")


def check_params(params):
    """Validate ``calibration_params``, None or keyword arguments of `check_strategy`; returns a dictionary."""
    params = {} if params is None else params
    known = ("strategy", "min_rate", "beta")
    if not isinstance(params, dict) or not set(params) <= set(known):
        raise ValueError(f"calibration_params={params!r} should be a dictionary with keys among {', '.join(known)}.")
    check_strategy(**params)
    return params


def check_strategy(strategy="accuracy", min_rate=None, beta=1.0):
    """Raise ValueError unless the arguments of :func:`threshold` make sense together."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r} is unknown; use one of {', '.join(STRATEGIES)}.")
    needs_rate = strategy in ("max_tpr", "max_tnr")
    if needs_rate and not (isinstance(min_rate, Real) and 0 <= min_rate <= 1):
        raise ValueError(f"strategy={strategy!r} needs min_rate in [0, 1]; got min_rate={min_rate!r}.")
    if strategy == "f_beta" and not (isinstance(beta, Real) and beta > 0):
        raise ValueError(f"strategy='f_beta' needs a positive number beta; got beta={beta!r}.")


def threshold(scores, y, *, strategy="accuracy", min_rate=None, beta=1.0):
    """Find the least score that should count as similar.

    Parameters
    ----------
    scores : array-like of shape (n,)
        The greater, the more similar.
    y : array-like of shape (n,)
        +1 for similar, −1 for dissimilar.
    strategy : {'accuracy', 'f_beta', 'max_tpr', 'max_tnr'}, default='accuracy'
        What is maximised over all thresholds: the accuracy; the F score of the similar pairs,
        with recall weighted by ``beta``; the true positive rate among thresholds whose true
        negative rate is at least ``min_rate``; or the other way around.
    min_rate : float in [0, 1], default=None
        The least rate kept by 'max_tpr' and 'max_tnr'.
    beta : float > 0, default=1.0
        Weight of recall in 'f_beta'.

    Returns
    -------
    threshold : float
        ``scores >= threshold`` are similar.  A threshold above every score rejects all.

    Raises
    ------
    ValueError
        If the arguments do not fit together, or ``y`` has only one of +1 and −1.

    Examples
    --------
    >>> from metricnets.calibration import threshold
    >>> threshold([-3.0, -2.0, -1.0, -0.5], [-1, -1, 1, 1])
    -1.0
    """
    check_strategy(strategy, min_rate, beta)
    scores, y = np.asarray(scores, float), np.asarray(y)
    if not (np.any(y == 1) and np.any(y == -1)):
        raise ValueError("y has only one kind of pair; a threshold needs both +1 and -1.")
    if strategy == "f_beta":
        precision, recall, cuts = precision_recall_curve(y, scores)
        denominator = np.maximum(beta**2 * precision + recall, np.finfo(float).tiny)
        gain = (precision * recall / denominator)[:-1]
        return float(cuts[np.argmax(gain)])
    fpr, tpr, cuts = roc_curve(y, scores, drop_intermediate=False)
    cuts[0] = max(scores.max() + 1.0, np.nextafter(scores.max(), np.inf))  # rejects all: scikit-learn says inf
    gain, allowed = {
        "accuracy": (tpr * np.mean(y == 1) - fpr * np.mean(y == -1), fpr >= 0),
        "max_tpr": (tpr, 1 - fpr >= (min_rate or 0) - 1e-12),  # 1 - 0.9 is a little less than 0.1
        "max_tnr": (1 - fpr, tpr >= (min_rate or 0)),
    }[strategy]
    return float(cuts[np.argmax(np.where(allowed, gain, -np.inf))])
