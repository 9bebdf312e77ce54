"""Inspection of labelled data with a metric: pairs of samples that are worth a look."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import lengths
from metricnets._checks import check_count
from metricnets._embedded import embedded
from metricnets._labels import plain, read
from metricnets._neighbors import nearest_between, nearest_within

__all__ = ["hard_negatives"]


def hard_negatives(
    metric: Any, X: ArrayLike, y: ArrayLike, *, n_pairs: int | None = 100, n_neighbors: int = 1
) -> dict[str, np.ndarray]:
    """Hard negatives: pairs of samples of different classes that are nearer than those of a class.

    The neighbours of each sample are sorted by distance.  Those of other classes that come before the first of its own
    class are its hard negatives, the further before it the harder.  Many have a wrong label, or are near duplicates;
    others show what a metric cannot tell apart.

    Memory grows with the number of samples, not with that of pairs.

    Parameters
    ----------
    metric : fitted metric learner, Distance or None
        What embeds the samples: any fitted estimator with ``transform``, or what ``get_metric`` returned; None for the
        Euclidean distance of X.
    X : array-like of shape (n_samples, n_features), or what ``metric`` takes
        The samples.
    y : array-like of shape (n_samples,)
        Their classes.  Samples whose class is unknown, None or NaN, are left out.
    n_pairs : int >= 1 or None, default=100
        Largest number of pairs to return; None for all.
    n_neighbors : int >= 1, default=1
        Largest number of hard negatives of each sample, the nearest ones.

    Returns
    -------
    pairs : dict of ndarray of shape (n_found,)
        The pairs by decreasing margin, which may be the columns of a data frame:

        - ``query`` and ``negative``: the rows of X.
        - ``rank``: place of the negative among all neighbours of the query, from 1.
        - ``distance``: from the query to the negative.
        - ``margin``: how much larger the distance to the nearest sample of the own class is, above 0.

        Samples that are alone in their class are negatives, but no queries.

    Raises
    ------
    ValueError
        If a number is not an integer from 1, the metric cannot embed X, or X and y differ in length.

    See Also
    --------
    metricnets.miners.hard : The hardest pairs of a batch, in training.

    Examples
    --------
    >>> X, y = [[0.0], [1.0], [10.0], [11.0], [0.2]], ["a", "a", "b", "b", "b"]
    >>> pairs = hard_negatives(None, X, y)
    >>> pairs["query"], pairs["negative"], pairs["margin"].round(1)
    (array([4, 0, 1]), array([0, 4, 4]), array([9.6, 0.8, 0.2]))
    """
    check_count(n_neighbors=n_neighbors)
    if n_pairs is not None:
        check_count(n_pairs=n_pairs)
    z, codes = embedded(metric, X), _codes(y)
    if len(codes) != len(z):
        raise ValueError(f"each sample should have a class: X has {len(z)} rows and y {len(codes)}.")
    rows = np.flatnonzero(codes >= 0)
    pairs = _before_own(z[rows], codes[rows], n_neighbors)
    order = np.argsort(-pairs["margin"], kind="stable")[:n_pairs]
    pairs = {name: values[order] for name, values in pairs.items()}
    return pairs | {name: rows[pairs[name]] for name in ("query", "negative")}


def _before_own(z, codes, k):
    """Pairs of each row and its k nearest of other classes, where these are before the first of its own class."""
    itself = np.arange(len(z))
    own = nearest_within(z, codes, 1)[:, 0]
    to_own = np.where(own == itself, -np.inf, lengths(z - z[own]))
    parts = []
    for rank, other in enumerate(nearest_between(z, codes, k).T, 1):  # one neighbour at a time: n × d numbers in memory
        distance = lengths(z - z[other])
        query = np.flatnonzero((distance < to_own) & (other != itself))
        parts.append((query, other[query], np.full(len(query), rank), distance[query], (to_own - distance)[query]))
    return dict(zip(("query", "negative", "rank", "distance", "margin"), map(np.concatenate, zip(*parts))))


def _codes(y):
    """Number the classes from 0; −1 where they are missing."""
    labels, missing, _ = read(y)
    codes = np.full(len(labels), -1)
    codes[~missing] = np.unique(plain(labels[~missing]), return_inverse=True)[1]
    return codes
