"""Open sets: classes and samples that are held out, and the threshold of scores."""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from metricnets import calibration
from metricnets._groups import places_in_groups
from metricnets._weights import weighted_quantile
from metricnets.exceptions import warn

MARGIN = 0.01  # of the area under the ROC curve


def check_folds(codes: np.ndarray, rejection_rate: float | str, n_folds: int, n_left: int) -> None:
    """Raise ValueError if too few classes, fewer than ``n_left``, or samples are left beside those held out."""
    n_classes = int(codes.max()) + 1
    n_least = n_left + 1 + (n_left == n_folds == 2)  # two folds of three classes leave one class
    advice = "give rejection_rate=0 to reject nothing" if rejection_rate != "auto" else "give a number"
    if rejection_rate == "auto" and n_classes < n_least:
        raise ValueError(
            f"rejection_rate='auto' holds out classes and needs {n_least} of them or more, but y has "
            f"{n_classes} class(es); {advice}."
        )
    if rejection_rate != 0 and np.bincount(codes).max() < 2:
        raise ValueError(
            f"every class has 1 sample, and rejection_rate={rejection_rate!r} holds out samples of classes "
            "that have others; give rejection_rate=0 to reject nothing."
        )


def held_out_in_turn(codes: np.ndarray, n_folds: int, by_class: bool) -> Iterator[tuple[np.ndarray, ...]]:
    """Hold out classes and a part of the samples of the others, or a part of the samples of each class.

    Yields
    ------
    train, tested : ndarray of int
        Samples to learn from, and those that are held out.
    known : ndarray of bool
        Which of the latter are of a class that is in the former.
    """
    n_folds = min(n_folds, codes.max() + 1) if by_class else n_folds
    for fold in range(n_folds):
        without = (codes % n_folds == fold) & by_class
        held = places_in_groups(codes) % n_folds == (fold + codes + 1) % n_folds
        held &= ~without & (np.bincount(codes)[codes] > 1)
        tested = np.flatnonzero(without | held)
        if len(tested):
            yield np.flatnonzero(~without & ~held), tested, held[tested]


def balanced(weights: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 among known samples and among others."""
    return weights / np.where(known, weights[known].sum(), weights[~known].sum())


def clearly_best(scores: dict[str, np.ndarray], known: np.ndarray, weights: np.ndarray) -> str:
    """The first score, unless the area under the ROC curve of another one is larger by more than `MARGIN`."""
    if known.all():
        return next(iter(scores))
    areas = {name: roc_auc_score(known, values, sample_weight=weights) for name, values in scores.items()}
    first, best = next(iter(areas)), max(areas, key=areas.get)
    return best if areas[best] > areas[first] + MARGIN else first


def offset_of(scores: np.ndarray, known: np.ndarray, weights: np.ndarray, rejection_rate: float | str) -> float:
    """The threshold of scores below which samples are rejected; −∞, with a warning, if it would reject all."""
    if rejection_rate != "auto":
        return float(weighted_quantile(scores, rejection_rate, weights))
    offset = calibration.threshold(scores, np.where(known, 1, -1), sample_weight=balanced(weights, known))
    if (scores[known] >= offset).any():
        return offset
    warn(
        "OpenSetKNN rejects nothing: held-out samples of known classes do not have larger scores than those of classes "
        "that were left out; give rejection_rate as a number, or other features or metric."
    )
    return -np.inf
