"""Retrieval across two views, in both directions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from inspect import signature

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import Parallel, delayed

from metricnets._arrays import checked_array, embeddings
from metricnets._params import check_instance
from metricnets._tuples import FLOATS
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._retrieval import check_k, retrieval_scores
from metricnets.protocols._common import column, list_of_pairs, row_numbers, table, times

DIRECTIONS = ("x_to_y", "y_to_x")


def cross_view(
    estimator: BaseEstimator | Callable | None,
    X: ArrayLike,
    Y: ArrayLike,
    y: ArrayLike | None = None,
    splits: Iterable[tuple[ArrayLike, ArrayLike]] = (),
    *,
    k: ArrayLike = (1, 5, 10),
    metric: str = "cosine",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, np.ndarray]:
    """Evaluate retrieval from one view to the other, over given splits.

    For each split, the estimator is fitted to the training rows.  Then each test row of X is a query in the test rows
    of Y, and the other way round.  What matches a query are the rows of its class, or, without classes, the row
    itself.

    Parameters
    ----------
    estimator : estimator, callable or None
        An estimator with ``fit(X, Y)``, or ``fit(X, Y, y)`` if there are classes and it takes them, whose
        ``transform(X, Y)`` returns two arrays, such as `TwoViewNet` or scikit-learn's ``CCA``; or a function
        ``(X, Y) -> z, z_y``.  None means that the points themselves are the embeddings.
    X : array-like of shape (n_samples, n_features)
        First view.
    Y : array-like of shape (n_samples, n_features_y)
        Second view: row i matches row i of X.
    y : array-like of shape (n_samples,) or None, default=None
        Classes; None takes the matched rows as ground truth.
    splits : iterable of (training rows, test rows)
        Row numbers, or masks, of the two parts.
    k : int or array-like of int, default=(1, 5, 10)
        Numbers of nearest samples among which a match is looked for.
    metric : {'euclidean', 'cosine'}, default='cosine'
        Whether the gallery is sorted by Euclidean distance or by cosine similarity.
    n_jobs : int or None, default=None
        Number of parallel jobs, as in scikit-learn.
    verbose : int, default=0
        Verbosity of joblib.

    Returns
    -------
    results : dict of ndarray
        For both directions, from the first view to the second and back,

        - ``x_to_y_mean_average_precision`` and ``y_to_x_mean_average_precision``, of shape (n_splits,);
        - ``x_to_y_cmc`` and ``y_to_x_cmc``, of shape (n_splits, n_k): the share of queries with a match among the first
          k, which is recall at k if there is one match;

        and ``fit_time`` and ``score_time``, of shape (n_splits,), in seconds.

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts of a split overlap, or a part is empty.

    Examples
    --------
    >>> from sklearn.cross_decomposition import CCA
    >>> from metricnets.datasets import make_views
    >>> from metricnets.protocols import cross_view
    >>> X, Y, y = make_views(random_state=0)
    >>> results = cross_view(CCA(2), X, Y, y, [(range(100), range(100, 200))])
    >>> results["x_to_y_cmc"].shape
    (1, 3)
    """
    check_metric(metric)
    check_instance(estimator, "estimator")
    k = check_k(k)
    if not (hasattr(estimator, "transform") or callable(estimator) or estimator is None):
        raise ValueError(f"estimator={estimator!r} should have transform, be a function of X and Y, or be None.")
    _check_takes_both(estimator)
    X, Y = (checked_array(view, name, dtype=FLOATS) for view, name in ((X, "X"), (Y, "Y")))
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} rows and Y has {len(Y)}; row i of Y should match row i of X.")
    y = None if y is None else column(y, "y", len(X))
    parts = [
        _parts(split, i, len(X)) for i, split in enumerate(list_of_pairs(splits, "splits", "(training, test rows)"))
    ]
    jobs = (delayed(_judge_split)(estimator, X, Y, y, *part, k, metric) for part in parts)
    return table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def _check_takes_both(estimator):
    """Raise ValueError if an estimator has a ``transform`` of one view only."""
    if not hasattr(estimator, "transform"):
        return
    try:
        signature(estimator.transform).bind("X", "Y")
    except TypeError:
        raise ValueError(
            f"estimator={estimator!r} embeds one view only; it should have transform(X, Y), which returns two arrays, "
            "as CCA and TwoViewNet have, or be a function of X and Y."
        ) from None


def _parts(split, i, n_rows):
    """Row numbers of both parts of a split."""
    train, test = (row_numbers(part, f"splits[{i}]", n_rows) for part in split)
    shared = np.intersect1d(train, test)
    if shared.size:
        raise ValueError(f"splits[{i}] has row {shared[0]} in both parts; they should be disjoint.")
    return train, test


def _judge_split(estimator, X, Y, y, train, test, k, metric):
    begin = time.perf_counter()
    embed = _fitted(estimator, X[train], Y[train], None if y is None else y[train])
    fitted = time.perf_counter()
    z = dict(zip(DIRECTIONS, embed(X[test], Y[test])))
    truth = np.arange(len(test)) if y is None else y[test]
    found = {}
    for direction, other in zip(DIRECTIONS, DIRECTIONS[::-1]):
        scores = retrieval_scores(z[direction], truth, z[other], truth, k=k, metric=metric)
        found |= {f"{direction}_{name}": scores[name] for name in ("mean_average_precision", "cmc")}
    return found | times(begin, fitted)


def _fitted(estimator, X, Y, y):
    """Fit a clone, and return a function from two views to two arrays of embeddings."""
    embed, source = (lambda X, Y: (X, Y)) if estimator is None else estimator, f"estimator={estimator!r}"
    if hasattr(estimator, "transform"):
        takes_classes = y is not None and list(signature(estimator.fit).parameters)[:3] == ["X", "Y", "y"]
        embed = clone(estimator).fit(*((X, Y, y) if takes_classes else (X, Y))).transform

    def both(X, Y):
        found = embed(X, Y)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise ValueError(f"{source} should return two arrays of embeddings for two views; got {found!r:.80}.")
        return [embeddings(z, len(points), source) for z, points in zip(found, (X, Y))]

    return both
