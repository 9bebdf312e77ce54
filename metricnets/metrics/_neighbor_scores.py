"""Scores of retrieval from lists of neighbours, such as an index of millions of samples finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array, checked_column
from metricnets.metrics._retrieval import check_k

ROWS = 65_536  # queries whose matches are in memory at a time


def neighbor_scores(
    neighbors: ArrayLike, y: ArrayLike, y_gallery: ArrayLike | None = None, *, k: ArrayLike = (1, 5, 10)
) -> dict[str, Any]:
    """Compute scores of retrieval from the nearest neighbours of each query.

    They are those of :func:`retrieval_scores` that need the first k neighbours only, ``precision_at_k``,
    ``recall_at_k`` and ``cmc``, and it does not matter how the neighbours were found: exactly, or by an approximate
    index such as :class:`metricnets.FaissKNeighborsTransformer`.

    Parameters
    ----------
    neighbors : array-like of int of shape (n, n_neighbors)
        For each query the rows of its nearest samples in the gallery, the nearest first.
    y : array-like of shape (n,)
        Classes of the queries.
    y_gallery : array-like of shape (n_gallery,), default=None
        Classes of the gallery.  If None, it is y, and a query is not counted among its own neighbours.
    k : int or array-like of int, default=(1, 5, 10)
        Number, or numbers, of neighbours to consider.

    Returns
    -------
    scores : dict
        A float, or an array if ``k`` is one, for each score, a mean over queries with a match; also ``n_queries``, the
        number of these.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are fewer neighbours than k (without ``y_gallery``, than k + 1), or no query
        has a match.

    Examples
    --------
    >>> from metricnets.metrics import neighbor_scores
    >>> scores = neighbor_scores([[0, 1], [1, 0], [2, 1]], ["a", "a", "b"], k=1)
    >>> scores["recall_at_k"], scores["n_queries"]
    (1.0, 2)
    """
    if isinstance(neighbors, tuple) and np.ndim(neighbors[0]) == 2:
        raise ValueError("neighbors has distances too; give the rows alone, kneighbors(X, return_distance=False).")
    k, neighbors, y = check_k(k), checked_array(neighbors, "neighbors"), checked_column(y, "y")
    alone = y_gallery is None
    y_gallery = y if alone else checked_column(y_gallery, "y_gallery")
    if len(neighbors) != len(y):
        raise ValueError(f"each query should have a class: neighbors has {len(neighbors)} rows and y {len(y)}.")
    if neighbors.dtype.kind not in "iu" or not 0 <= neighbors.min() <= neighbors.max() < len(y_gallery):
        raise ValueError(f"neighbors should be integers from 0 to {len(y_gallery) - 1}, rows of the gallery.")
    if neighbors.shape[1] < k.max() + alone:
        raise ValueError(
            f"k={k.max()} needs {k.max() + alone} neighbours of a query, and {neighbors.shape[1]} are given."
        )
    codes = np.unique(np.concatenate([y, y_gallery]), return_inverse=True)[1]
    codes, gallery_codes = codes[: len(y)], codes[len(y) :]
    n_matches = np.bincount(gallery_codes, minlength=codes.max() + 1)[codes] - alone
    found = np.empty((len(y), k.size), int)
    for start in range(0, len(y), ROWS):
        rows = np.arange(start, min(start + ROWS, len(y)))
        near = neighbors[rows]
        if alone:  # the query itself goes to the end, where it is not counted
            near = np.take_along_axis(near, np.argsort(near == rows[:, None], axis=1, kind="stable"), axis=1)[:, :-1]
        found[rows] = np.cumsum(gallery_codes[near] == codes[rows, None], axis=1)[:, k.ravel() - 1]
    found, n_matches = found[n_matches > 0], n_matches[n_matches > 0, None]
    if not len(found):
        raise ValueError("no query has a sample of its class in the gallery; y and y_gallery have no class in common.")
    scores = {"precision_at_k": found / k.ravel(), "recall_at_k": found / n_matches, "cmc": found > 0}
    means = {name: values.mean(axis=0) for name, values in scores.items()}
    return {name: mean.reshape(k.shape) if k.ndim else float(mean[0]) for name, mean in means.items()} | {
        "n_queries": len(found)
    }
