"""Distances of pairs of classes that were held out in turn, by metrics that have not seen them."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import has_fit_parameter

from metricnets._arrays import lengths, rows_at
from metricnets._draws import negative_pairs, positive_pairs
from metricnets._embedded import embedded
from metricnets._weights import rows_of

Pairs = tuple[np.ndarray, np.ndarray]


def fitted_metric(metric: Any, X: Any, y: np.ndarray, weights: np.ndarray | None) -> Any:
    """Fit a clone of a metric learner, with the weights if its ``fit`` takes them."""
    takes = weights is not None and has_fit_parameter(metric, "sample_weight")
    return clone(metric).fit(X, y, **({"sample_weight": weights} if takes else {}))


def folds_of_classes(codes: np.ndarray, n_folds: int, rng: np.random.RandomState) -> np.ndarray:
    """Deal classes to folds at random: the fold of each sample; ValueError if a fold lacks pairs of a kind."""
    sizes = np.bincount(codes)
    if len(sizes) < 2 * n_folds:
        raise ValueError(
            f"n_folds={n_folds} holds out two classes or more in each fold and needs {2 * n_folds} of them, but y has "
            f"{len(sizes)}; lower it, or give pairs with n_folds=None."
        )
    fold = np.empty(len(sizes), dtype=int)
    order = rng.permutation(len(sizes))
    fold[order[np.argsort(-sizes[order], kind="stable")]] = np.arange(len(sizes)) % n_folds
    if np.bincount(fold, sizes > 1).min() == 0:
        raise ValueError(f"n_folds={n_folds} needs as many classes with two samples or more; lower it.")
    return fold[codes]


def pairs_of_classes(codes: np.ndarray, n_pairs: int, rng: np.random.RandomState) -> Pairs:
    """Draw at most n_pairs / 2 similar pairs and as many dissimilar ones: their samples (m, 2), and +1 or −1."""
    similar, dissimilar = (draw(codes, max(1, n_pairs // 2), rng) for draw in (positive_pairs, negative_pairs))
    n = min(len(similar), len(dissimilar))
    return np.concatenate([similar[:n], dissimilar[:n]]), np.repeat([1, -1], n)


def distances_of(metric: Any, X: Any, rows: np.ndarray) -> np.ndarray:
    """Distances of pairs of samples (m, 2) after the map of a metric."""
    z = embedded(metric, X)
    return lengths(z[rows[:, 0]] - z[rows[:, 1]])


def area_of_points(
    metric: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, n_pairs: int, rng: np.random.RandomState
) -> float:
    """The area under the ROC curve of at most n_pairs / 2 similar and as many dissimilar pairs of samples."""
    codes = np.unique(y, return_inverse=True)[1]
    similar, dissimilar = (draw(codes, max(1, n_pairs // 2), rng) for draw in (positive_pairs, negative_pairs))
    if not (len(similar) and len(dissimilar)):
        raise ValueError(
            f"y should have two classes or more, one of them with two samples or more; it has {codes.max() + 1} "
            f"in {len(y)} samples."
        )
    rows, signs = np.concatenate([similar, dissimilar]), np.repeat([1, -1], [len(similar), len(dissimilar)])
    weights = None if weights is None else weights[rows].prod(axis=1)
    return float(roc_auc_score(signs, -distances_of(metric, X, rows), sample_weight=weights))


def unit_of(metric: Any, X: Any, codes: np.ndarray, n_pairs: int, seed: int) -> float:
    """The mean distance of similar pairs that the metric has learned from."""
    rows = positive_pairs(codes, n_pairs, np.random.RandomState(seed))
    return float(distances_of(metric, X, rows).mean()) or 1.0


def held_out_distances(
    metric: Any,
    X: Any,
    y: np.ndarray,
    weights: np.ndarray | None,
    n_folds: int,
    n_pairs: int,
    rng: np.random.RandomState,
) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray | None]:
    """Fit a metric to all samples, and to those without the classes of each fold, whose pairs it then measures.

    Metrics of different fits may have different scales: distances are in units of the mean distance of similar pairs
    that a metric has learned from, times that of the metric of all samples.

    Returns
    -------
    metric : metric learner
        Fitted to all samples.
    distances : ndarray of shape (m,)
    signs : ndarray of int of shape (m,)
        +1 for similar and −1 for dissimilar pairs, in equal numbers for each fold.
    weights : ndarray of shape (m,) or None
        Products of the weights of both samples.
    """
    codes = np.unique(y, return_inverse=True)[1]
    fold, seed = folds_of_classes(codes, n_folds, rng), rng.randint(2**31 - 1)
    final = fitted_metric(metric, X, y, weights)
    unit, parts = unit_of(final, X, codes, n_pairs, seed), []
    for k in range(n_folds):
        rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        points, others = rows_at(X, held, "X"), rows_at(X, rest, "X")
        try:
            model = fitted_metric(metric, others, y[rest], rows_of(weights, rest))
        except ValueError as error:
            error.add_note(
                f"n_folds={n_folds}: the metric was fitted without the classes of a fold, to {len({*y[rest]})}."
            )
            raise
        rows, signs = pairs_of_classes(codes[held], n_pairs // n_folds, rng)
        d = distances_of(model, points, rows) * (unit / unit_of(model, others, codes[rest], n_pairs, seed))
        parts.append((d, signs, held[rows]))
    d, signs, members = map(np.concatenate, zip(*parts))
    return final, d, signs, None if weights is None else weights[members].prod(axis=1)
