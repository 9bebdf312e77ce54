"""Inspection of labelled data with a metric: pairs of samples that are worth a look, labels that look wrong."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from metricnets._arrays import count_rows, lengths, rows_at
from metricnets._checks import check_count
from metricnets._embedded import embedded
from metricnets._label_votes import N_NEIGHBORS, confident_joint, most_often_right, noise_rate, smallest_losses, votes
from metricnets._labels import plain, read
from metricnets._neighbors import nearest_between, nearest_within
from metricnets._params import check_instance

__all__ = ["hard_negatives", "label_quality"]


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
    label_quality : How probable the label of each sample is.
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


def label_quality(
    metric: Any, X: ArrayLike, y: ArrayLike, *, cv: int | None = 3, random_state: int | None = 0
) -> dict[str, np.ndarray]:
    """Label quality: how probable the class that each sample is given is, by its neighbours in a metric.

    The samples are dealt to folds, a clone of the metric is fitted to the others, and the neighbours among them vote:
    no sample is judged by a metric that has learned its label.  Of 5, 15 and 45 neighbours those count that agree most
    often with the given classes.  The share of wrong labels is estimated by confident learning, and as many samples,
    those of the lowest quality, are taken for wrong.

    Parameters
    ----------
    metric : metric learner, Distance or None
        An estimator with ``fit`` and ``transform``, which is cloned; with ``cv=None`` any fitted estimator, or what
        ``get_metric`` returned; None for the Euclidean distance of X.
    X : array-like of shape (n_samples, n_features), or what ``metric`` takes
        The samples.
    y : array-like of shape (n_samples,)
        Their classes, at least two of each.  Samples whose class is unknown, None or NaN, are left out.
    cv : int >= 2 or None, default=3
        Number of folds.  None takes the metric as it is fitted, and the neighbours of a sample among all others; if it
        has learned from y, samples look better than they are.
    random_state : int or None, default=0
        Seed of the folds.

    Returns
    -------
    found : dict of ndarray of shape (n_known,)
        The samples of known class, the worst first, which may be the columns of a data frame:

        - ``row``: the row of X.
        - ``quality``: probability of the given class, in (0, 1).
        - ``suggested``: the most probable class.
        - ``is_wrong``: whether the given class is taken for wrong.

    Raises
    ------
    ValueError
        If a class has fewer samples than there are folds, the metric cannot embed X, or X and y differ in length.

    See Also
    --------
    hard_negatives : Pairs of samples that contradict their labels.

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDA
    >>> from metricnets.inspection import label_quality
    >>> X, y = load_iris(return_X_y=True)
    >>> y[0] = 2  # a wrong label
    >>> found = label_quality(LDA(), X, y)
    >>> found["row"][0], found["suggested"][0], found["is_wrong"][0]
    (np.int64(0), np.int64(0), np.True_)
    """
    codes = _codes(y)
    names = np.unique(plain(read(y)[0][codes >= 0]))
    count = count_rows(X, "X")
    if len(codes) != count:
        raise ValueError(f"each sample should have a class: X has {count} rows and y {len(codes)}.")
    if len(names) < 2:
        raise ValueError(f"labels are compared with other classes, and y has {len(names)} known class.")
    rows = np.flatnonzero(codes >= 0)
    given = codes[rows]
    p = _held_apart(metric, rows_at(X, rows, "X"), given, cv, random_state, names)
    quality = p[np.arange(len(p)), given]
    kept = smallest_losses(quality, given, noise_rate(confident_joint(p, given)))
    order = np.argsort(quality, kind="stable")
    suggested = names[p.argmax(axis=1)]
    return {"row": rows[order], "quality": quality[order], "suggested": suggested[order], "is_wrong": ~kept[order]}


def _held_apart(metric, X, codes, cv, random_state, names):
    """Class shares of each sample by the others, (n, n_classes)."""
    n_classes = len(names)
    if cv is None:
        z = embedded(metric, X)
        return most_often_right([votes(z, codes, None, n_classes, k) for k in N_NEIGHBORS], codes)
    check_count(cv=cv)
    check_instance(metric, "metric")
    if metric is not None and not (hasattr(metric, "fit") and hasattr(metric, "transform")):
        raise ValueError(f"metric={metric!r} should have fit and transform; set cv=None if it is fitted.")
    counts = np.bincount(codes)
    if counts.min() < cv:
        rarest = names[counts.argmin()]
        raise ValueError(
            f"cv={cv} folds need as many samples of each class; y has {counts.min()} of the class {rarest}."
        )
    of_each = np.zeros((len(N_NEIGHBORS), len(codes), n_classes))
    for kept, held in StratifiedKFold(cv, shuffle=True, random_state=random_state).split(codes, codes):
        fitted = None if metric is None else clone(metric).fit(rows_at(X, kept, "X"), names[codes[kept]])
        z, z_held = (embedded(fitted, rows_at(X, rows, "X")) for rows in (kept, held))
        of_each[:, held] = [votes(z, codes[kept], z_held, n_classes, k) for k in N_NEIGHBORS]
    return most_often_right([*of_each], codes)
