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
    return X.reshape(len(X), -1) if metric is None else metric.embed(X.astype(float).reshape(-1, *metric.shape))


def pair_distances(metric: Any, pairs: ArrayLike, name: str = "metric") -> np.ndarray:
    """Compute the distance of each pair of points.

    Parameters
    ----------
    metric : fitted estimator or None
        An estimator with ``pair_distance``; or with ``transform``, for the Euclidean distance of transformed points;
        or None for the Euclidean distance of the points.
    pairs : array-like of shape (n_pairs, 2, n_features), or what ``metric`` takes
        The pairs.
    name : str, default='metric'
        Name of the parameter, for error messages.

    Returns
    -------
    distances : ndarray of shape (n_pairs,)
    """
    source = f"{name}={type(metric).__name__}()"
    if hasattr(metric, "pair_distance"):
        return one_each(metric.pair_distance(pairs), count_rows(pairs, "pairs"), f"{source}.pair_distance")
    left, right = np.swapaxes(check_tuples(pairs, 2), 0, 1)
    if not hasattr(metric, "transform") and metric is not None:
        raise ValueError(f"{name}={metric!r} should have pair_distance or transform, or be None.")
    if metric is not None:
        left, right, source = metric.transform(left), metric.transform(right), f"{source}.transform"
    n_pairs = count_rows(pairs, "pairs")
    return lengths(embeddings(left, n_pairs, source) - embeddings(right, n_pairs, source))
