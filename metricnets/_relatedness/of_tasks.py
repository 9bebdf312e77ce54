"""Relatedness of all pairs of tasks: inferred, counted, or given by the user and checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from metricnets._labels import UNKNOWN
from metricnets._relatedness.class_ratios import class_ratios
from metricnets._relatedness.counting import Relatedness, class_frequencies, counted, counts_of, reversed_relatedness
from metricnets._relatedness.inference import inferred_both
from metricnets._tasks import Tasks
from metricnets._weights import rows_of

N_ROWS = 500  # annotated samples of each column from which relatedness is inferred


def relatedness_of(
    given: Any, tasks: Tasks, codes: np.ndarray, weights: np.ndarray | None = None, X: np.ndarray | None = None
) -> Relatedness:
    """Infer or count relatedness, or validate that of the user.

    Parameters
    ----------
    given : 'inferred', 'counted', array-like, dict or None
        See the parameter of `MultiTaskNet`.
    tasks : Tasks
    codes : ndarray of int of shape (n, n_columns)
    weights : ndarray of shape (n,) or None
    X : ndarray of shape (n, ...) or None
        Points, from which relatedness is inferred.

    Raises
    ------
    ValueError
        If the matrices do not suit the tasks.
    """
    priors = [class_frequencies(c, len(k), weights) for c, k in zip(codes.T, tasks.classes)]
    if given is None:
        found = {}
    elif isinstance(given, str) and given == "inferred":
        found = _inferred_pairs(tasks, codes, priors, weights, X)
    elif isinstance(given, str):
        found = _counted_pairs(tasks, codes, priors, weights)
    else:
        found = _checked_pairs(given, tasks, priors)
    names = tasks.names
    return Relatedness({(names[a], names[b]): R for (a, b), R in found.items()}, dict(zip(names, tasks.classes)))


def _counted_pairs(tasks, codes, priors, weights):
    known = (codes != UNKNOWN).astype(float)
    together = known.T @ known  # (n_columns, n_columns)
    return {
        (a, b): counted(codes[:, a], codes[:, b], len(priors[a]), priors[b], weights)
        for a, b in tasks.pairs()
        if together[a, b]
    }


def _inferred_pairs(tasks, codes, priors, weights, X):
    if not tasks.pairs():
        return {}
    rows = _first_annotated(codes)
    some, weights_of_some = codes[rows], rows_of(weights, rows)
    ratios = class_ratios(X[rows].reshape(len(rows), -1).astype(float), some, priors, weights_of_some)
    found = {}
    for a, b in tasks.pairs():
        if a < b:
            counts = counts_of(codes[:, a], codes[:, b], (len(priors[a]), len(priors[b])), weights)
            both = (tuple(each[j] for j in (a, b)) for each in (some.T, ratios, priors))
            found[a, b], found[b, a] = inferred_both(counts, *both, weights_of_some)
    return {pair: found[pair] for pair in tasks.pairs()}


def _first_annotated(codes):
    """Rows of the first samples that are annotated in each column, in random order, at most `N_ROWS` for each."""
    order = np.random.default_rng(0).permutation(len(codes))
    known = codes[order] != UNKNOWN
    return np.sort(order[(known & (known.cumsum(axis=0) <= N_ROWS)).any(axis=1)])


def _checked_pairs(given, tasks, priors):
    if not isinstance(given, Mapping):
        if len(tasks.names) != 2:
            raise ValueError(
                f"relatedness is one matrix, and y has {len(tasks.names)} columns; give a dict of matrices, with pairs "
                f"of columns as keys, such as {(tasks.names[0], tasks.names[-1])}."
            )
        given = {tuple(tasks.names): given}
    found = {}
    for pair, matrix in given.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"the keys of relatedness should be pairs of columns of y; got {pair!r}.")
        a, b = (tasks.place(column, "relatedness") for column in pair)
        if tasks.group[a] == tasks.group[b]:
            raise ValueError(f"relatedness has the columns {pair}, which are of one task; give pairs of two tasks.")
        found[a, b] = _checked(matrix, pair, tasks.classes[a], tasks.classes[b], priors[b])
    for (a, b), R in list(found.items()):
        found.setdefault((b, a), reversed_relatedness(R, priors[a]))
    return {pair: found[pair] for pair in tasks.pairs() if pair in found}


def _checked(matrix, pair, classes_a, classes_b, prior):
    """A matrix of probabilities; of a data frame, which may have more classes, those that there are, in their order."""
    frame = matrix if hasattr(matrix, "reindex") else None
    try:
        R = np.array(matrix, dtype=float)
    except (TypeError, ValueError):
        R = np.empty(0)
    shape = (len(classes_a), len(classes_b))
    if frame is None and R.shape != shape:
        raise ValueError(
            f"relatedness of {pair} should have shape {shape}: a row for each class of {pair[0]!r} and a column for "
            f"each of {pair[1]!r}; got shape {np.shape(matrix)}. A data frame may have more classes."
        )
    wrong = ~np.isfinite(R).all(axis=1) | (R < 0).any(axis=1) | ~np.isclose(R.sum(axis=1), 1, atol=1e-3)
    if wrong.any():
        first = wrong.argmax()
        raise ValueError(
            f"relatedness of {pair} should hold probabilities, rows that sum to 1 for all classes; row {first} has the "
            f"smallest value {R[first].min():.3g} and the sum {R[first].sum():.3g}."
        )
    if frame is not None:
        places = [
            [{label: k for k, label in enumerate(names)}.get(c, -1) for c in classes.tolist()]
            for names, classes in ((frame.index, classes_a), (frame.columns, classes_b))
        ]
        R = np.pad(R, ((0, 1), (0, 1)), constant_values=np.nan)[np.ix_(*places)]
    if np.isnan(R).any():
        raise ValueError(
            f"relatedness of {pair} has not all classes of y; its rows should be {classes_a}, and columns {classes_b}."
        )
    totals = R.sum(axis=1, keepdims=True)
    return np.where(totals > 0, R / np.where(totals > 0, totals, 1), prior)
