"""Scores of retrieval: how early the rows of a query's class come in the gallery sorted by distance.

All of them are formulas of one thing, the ranks of the rows that match the query.
"""

import numpy as np

from metricnets.metrics._ranks import match_ranks


def retrieval_scores(z, y, z_gallery=None, y_gallery=None, *, k=(1, 5, 10), metric="euclidean"):
    """All scores of retrieval in one pass.

    For a query with R matching rows in the gallery, the j-th of them at rank r_j, the scores are

    - ``mean_average_precision``: (1/R) Σ_j j / r_j;
    - ``map_at_r``: (1/R) Σ_{r_j ≤ R} j / r_j;
    - ``r_precision``: the share of matches among the first R, #{r_j ≤ R} / R;
    - ``precision_at_k``: the share among the first k, #{r_j ≤ k} / k;
    - ``cmc``: cumulative match characteristic or rank-k recognition rate, whether r_1 ≤ k;

    and what is returned is the mean over queries.  Queries without a match are left out.  Among
    rows at one distance those that do not match come first.

    Parameters
    ----------
    z : array-like of shape (n, n_components)
        Embedded queries.
    y : array-like of shape (n,)
        Their classes or persons.
    z_gallery : array-like of shape (n_gallery, n_components), default=None
        Where to look for them; None takes z, and a query does not find itself.
    y_gallery : array-like of shape (n_gallery,), default=None
        Needed with ``z_gallery``.
    k : int or array-like of int, default=(1, 5, 10)
        How far down to look, for ``precision_at_k`` and ``cmc``.
    metric : {'euclidean', 'cosine'}, default='euclidean'
        Distance, or cosine of the angle.

    Returns
    -------
    scores : dict
        Floats by these names; ``precision_at_k`` and ``cmc`` are arrays if ``k`` is one.  And
        ``n_queries``, the number of queries with a match.

    Raises
    ------
    ValueError
        If the shapes do not fit, the points are not finite, or no query has a match.

    Notes
    -----
    Memory is 16 max(2²², n_gallery) bytes, 64 MiB up to four million rows, half of it for Euclidean
    distances in single precision, and copies of z and of the gallery.  Time is that of sorting n_gallery numbers
    for each query, and of the product of z and the gallery.

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
        at_k = np.searchsorted(ranks, k.ravel(), side="right") / k.ravel()
        average = precision.mean(), precision[:n_first].sum() / len(ranks), n_first / len(ranks)
        rows.append(np.concatenate([average, at_k, ranks[0] <= k.ravel()]))
    if not rows:
        raise ValueError("no query has a row of its class in the gallery; y and y_gallery have nothing in common.")
    average, at_k, first = np.split(np.mean(rows, axis=0), [3, 3 + k.size])
    scores = dict(zip(("mean_average_precision", "map_at_r", "r_precision"), average.tolist()))
    for name, values in (("precision_at_k", at_k), ("cmc", first)):
        scores[name] = values.reshape(k.shape) if k.ndim else float(values[0])
    return scores | {"n_queries": len(rows)}


def mean_average_precision(z, y, z_gallery=None, y_gallery=None, *, metric="euclidean"):
    """Mean over queries of the average precision, over the whole gallery; see :func:`retrieval_scores`.

    >>> mean_average_precision([[0.0], [1.0], [3.0]], ["a", "a", "b"])
    1.0
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, metric=metric)["mean_average_precision"]


def map_at_r(z, y, z_gallery=None, y_gallery=None, *, metric="euclidean"):
    """Mean average precision at R, the number of rows that match the query; see :func:`retrieval_scores`.

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


def r_precision(z, y, z_gallery=None, y_gallery=None, *, metric="euclidean"):
    """Share of matches among the first R rows, R the number of matches; see :func:`retrieval_scores`.

    >>> r_precision([[0.0], [1.0], [3.0]], ["a", "a", "b"])
    1.0
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, metric=metric)["r_precision"]


def precision_at_k(z, y, z_gallery=None, y_gallery=None, *, k=1, metric="euclidean"):
    """Share of matches among the first k rows, for one k or several; see :func:`retrieval_scores`.

    >>> precision_at_k([[0.0], [1.0], [3.0]], ["a", "a", "b"], k=[1, 2])
    array([1. , 0.5])
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, k=k, metric=metric)["precision_at_k"]


def cmc(z, y, z_gallery=None, y_gallery=None, *, k=(1, 5, 10, 20), metric="euclidean"):
    """Rank-k recognition rates: the share of queries with a match among the first k.

    The arguments are those of :func:`retrieval_scores`.

    >>> cmc([[0.0], [1.0]], [5, 6], [[0.4], [2.0], [0.6]], [5, 6, 7], k=[1, 2, 3])
    array([0.5, 0.5, 1. ])
    """
    return retrieval_scores(z, y, z_gallery, y_gallery, k=k, metric=metric)["cmc"]


def check_k(k):
    """Validate ``k``, an int or several, at least 1."""
    found = np.asarray(k)
    if found.dtype.kind not in "iu" or not found.size or found.ndim > 1 or found.min() < 1:
        raise ValueError(f"k={k!r} should be an int of at least 1, or several.")
    return found
