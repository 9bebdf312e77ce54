"""Scores of retrieval: the gallery is sorted by its distance to a query, and samples of the query's class match it.

All of them are functions of the ranks of the matches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets.metrics._ranks import match_ranks


def retrieval_scores(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    k: ArrayLike = (1, 5, 10),
    metric: str = "euclidean",
) -> dict[str, Any]:
    """Compute all scores of retrieval in one pass.

    For a query with R matches in the gallery, the j-th of them at rank r_j, the scores are

    - ``mean_average_precision``: (1/R) Σ_j j / r_j;
    - ``map_at_r``: (1/R) Σ_{r_j ≤ R} j / r_j;
    - ``r_precision``: the share of matches among the first R samples, #{r_j ≤ R} / R;
    - ``precision_at_k``: the share of matches among the first k samples, #{r_j ≤ k} / k;
    - ``recall_at_k``: the share of the matches that are among the first k samples, #{r_j ≤ k} / R;
    - ``cmc``: cumulative match characteristic or rank-k recognition rate, whether r_1 ≤ k;

    and their means over queries are returned.  Queries without a match are left out.  Among samples at equal
    distances, those that do not match are ranked first.

    Parameters
    ----------
    z : array-like of shape (n, n_components)
        Embedded queries.
    y : array-like of shape (n,)
        Classes, or identities, of the queries.
    z_gallery : array-like of shape (n_gallery, n_components), default=None
        Embedded gallery.  If None, it is z, and a query does not match itself.
    y_gallery : array-like of shape (n_gallery,), default=None
        Classes of the gallery; required with ``z_gallery``.
    k : int or array-like of int, default=(1, 5, 10)
        Number, or numbers, of nearest samples that ``precision_at_k``, ``recall_at_k`` and ``cmc`` consider.
    metric : {'euclidean', 'cosine'}, default='euclidean'
        Whether the gallery is sorted by Euclidean distance or by cosine similarity.

    Returns
    -------
    scores : dict
        A float for each of these names; ``precision_at_k``, ``recall_at_k`` and ``cmc`` are arrays if ``k`` is one.
        Also ``n_queries``, the number of queries with a match.

    Raises
    ------
    ValueError
        If the shapes do not fit, an embedding is not finite, or no query has a match.

    Notes
    -----
    Memory is 16 max(2²², n_gallery) bytes, 64 MiB up to four million rows, half of it for Euclidean
    distances in single precision, and copies of z and of the gallery.  Time is that of sorting n_gallery numbers
    for each query, and of the matrix product of z and the gallery.

    Examples
    --------
    >>> from metricnets.metrics import retrieval_scores
    >>> scores = retrieval_scores([[0.0], [1.0], [3.0], [9.0]], ["a", "a", "b", "b"], k=1)
    >>> scores["mean_average_precision"], scores["cmc"], scores["n_queries"]
    (0.8333333333333334, 0.75, 4)
    """
    k = check_k(k)
    rows = []
    for ranks in match_ranks(z, y, z_gallery, y_gallery, metric):
        precision, n_first = np.arange(1, len(ranks) + 1) / ranks, np.searchsorted(ranks, len(ranks), side="right")
        found = np.searchsorted(ranks, k.ravel(), side="right")
        average = precision.mean(), precision[:n_first].sum() / len(ranks), n_first / len(ranks)
        rows.append(np.concatenate([average, found / k.ravel(), found / len(ranks), found > 0]))
    if not rows:
        raise ValueError("no query has a sample of its class in the gallery; y and y_gallery have no class in common.")
    average, *at_k = np.split(np.mean(rows, axis=0), [3, 3 + k.size, 3 + 2 * k.size])
    scores = dict(zip(("mean_average_precision", "map_at_r", "r_precision"), average.tolist()))
    for name, values in zip(("precision_at_k", "recall_at_k", "cmc"), at_k):
        scores[name] = values.reshape(k.shape) if k.ndim else float(values[0])
    return scores | {"n_queries": len(rows)}


def mean_average_precision(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    metric: str = "euclidean",
) -> float:
    """Mean average precision over the whole gallery; see :func:`retrieval_scores`.

    >>> mean_average_precision([[0.0], [1.0], [3.0]], ["a", "a", "b"])
    1.0
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, metric=metric)["mean_average_precision"]


def map_at_r(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    metric: str = "euclidean",
) -> float:
    """Mean average precision at R, the number of matches of the query; see :func:`retrieval_scores`.

    References
    ----------
    K. Musgrave, S. Belongie, S.-N. Lim, "A metric learning reality check", ECCV 2020.

    Examples
    --------
    >>> from metricnets.metrics import map_at_r
    >>> map_at_r([[0.0], [1.0], [3.0], [9.0]], ["a", "a", "b", "b"])
    0.75
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, metric=metric)["map_at_r"]


def r_precision(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    metric: str = "euclidean",
) -> float:
    """R-precision, the share of matches among the first R samples; see :func:`retrieval_scores`.

    R is the number of matches of the query.

    >>> r_precision([[0.0], [1.0], [3.0]], ["a", "a", "b"])
    1.0
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, metric=metric)["r_precision"]


def precision_at_k(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    k: ArrayLike = 1,
    metric: str = "euclidean",
) -> float | np.ndarray:
    """Precision at k, the share of matches among the first k samples; see :func:`retrieval_scores`.

    >>> precision_at_k([[0.0], [1.0], [3.0]], ["a", "a", "b"], k=[1, 2])
    array([1. , 0.5])
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, k=k, metric=metric)["precision_at_k"]


def recall_at_k(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    k: ArrayLike = 1,
    metric: str = "euclidean",
) -> float | np.ndarray:
    """Recall at k, the share of the matches that are among the first k samples.

    The arguments are those of :func:`retrieval_scores`.  Papers on metric learning call
    ``recall@k`` what is :func:`cmc` here: whether one match is among the first k.

    >>> recall_at_k([[0.0], [1.0], [3.0], [4.0]], ["a", "a", "b", "a"], k=[1, 2, 3])
    array([0.33333333, 0.5       , 1.        ])
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, k=k, metric=metric)["recall_at_k"]


def cmc(
    z: ArrayLike,
    y: ArrayLike,
    z_gallery: ArrayLike | None = None,
    y_gallery: ArrayLike | None = None,
    *,
    k: ArrayLike = (1, 5, 10, 20),
    metric: str = "euclidean",
) -> float | np.ndarray:
    """Cumulative match characteristic, the share of queries with a match among the first k samples.

    Also called rank-k recognition rate.  The arguments are those of :func:`retrieval_scores`.

    >>> cmc([[0.0], [1.0]], [5, 6], [[0.4], [2.0], [0.6]], [5, 6, 7], k=[1, 2, 3])
    array([0.5, 0.5, 1. ])
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, k=k, metric=metric)["cmc"]


def check_k(k: ArrayLike) -> np.ndarray:
    """Validate ``k``, one or several integers of at least 1."""
    found = np.asarray(k)
    if found.dtype.kind not in "iu" or not found.size or found.ndim > 1 or found.min() < 1:
        raise ValueError(f"k={k!r} should be one or several integers of at least 1.")
    return found
