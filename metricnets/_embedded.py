"""Embeddings of points and distances of pairs by a fitted estimator of any kind, validated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array, count_rows, embeddings, lengths, one_each
from metricnets._params import check_instance
from metricnets._tuples import FLOATS, check_tuples


def embedded(metric: Any, X: ArrayLike, name: str = "metric") -> np.ndarray:
    """Embed points.

    Parameters
    ----------
    metric : fitted estimator, Distance or None
        An estimator with ``transform``, such as a pipeline; or what ``get_metric`` returned; or None for X itself.
    X : array-like of shape (n_samples, ...), or what ``metric`` takes
        The points.
    name : str, default='metric'
        Name of the parameter, for error messages.

    Returns
    -------
    z : ndarray of shape (n_samples, n_components)
    """
    check_instance(metric, name)
    if hasattr(metric, "transform"):
        return embeddings(metric.transform(X), count_rows(X, "X"), f"{name}={type(metric).__name__}().transform")
    if metric is not None and not (hasattr(metric, "embed") and hasattr(metric, "shape")):
        raise ValueError(f"{name}={metric!r} should have transform, or be what get_metric() returned, or None.")
    X = checked_array(X, "X", dtype=FLOATS, allow_nd=True)
    if metric is None:
        return embeddings(X, len(X), f"{name}=None")
    if X[0].size != np.prod(metric.shape):
        raise ValueError(f"the points have shape {X.shape[1:]}, but {name} is for points of shape {metric.shape}.")
    return metric.embed(X.astype(float).reshape(-1, *metric.shape))


def pair_distances(metric: Any, pairs: ArrayLike, name: str = "metric") -> np.ndarray:
    """Compute the distance of each pair of points.

    Parameters
    ----------
    metric : fitted estimator, Distance or None
        An estimator with ``pair_distance``; or what `embedded` takes, for the Euclidean distance of embeddings.
    pairs : array-like of shape (n_pairs, 2, n_features), or what ``metric`` takes
        The pairs.
    name : str, default='metric'
        Name of the parameter, for error messages.

    Returns
    -------
    distances : ndarray of shape (n_pairs,)
    """
    check_instance(metric, name)
    if hasattr(metric, "pair_distance"):
        source = f"{name}={type(metric).__name__}().pair_distance"
        return one_each(metric.pair_distance(pairs), count_rows(pairs, "pairs"), source)
    left, right = (embedded(metric, points, name) for points in np.swapaxes(check_tuples(pairs, 2), 0, 1))
    return lengths(left - right)
