"""Distances of sets of points by their nearest points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from metricnets._checks import check_count
from metricnets.metrics._checks import two_sets


def minimum_distance(A: ArrayLike, B: ArrayLike) -> float:
    """Minimum distance of two sets, min ‖a − b‖.

    Parameters
    ----------
    A, B : array-like of shape (n_a, n_features) and (n_b, n_features)
        The points of each set.

    Returns
    -------
    distance : float
        At least 0.

    Raises
    ------
    ValueError
        If the sets do not have this form.

    Examples
    --------
    >>> from metricnets.metrics import minimum_distance
    >>> minimum_distance([[0.0], [1.0]], [[3.0], [4.0]])
    2.0
    """
    return float(cdist(*two_sets(A, B)).min())


def mean_nearest_distance(A: ArrayLike, B: ArrayLike, *, n_neighbors: int = 1) -> float:
    """Mean distance of the points of a set to their nearest points in another, mean_a min_b ‖a − b‖.

    It is not symmetric.  A single point of A that is near to B matters less than in `minimum_distance`.

    Parameters
    ----------
    A, B : array-like of shape (n_a, n_features) and (n_b, n_features)
        The points of each set.
    n_neighbors : int >= 1, default=1
        Number of nearest points of B whose distances are averaged, all of them if there are fewer.

    Returns
    -------
    distance : float
        At least 0.

    Raises
    ------
    ValueError
        If the sets do not have this form, or ``n_neighbors`` is no integer from 1.

    Examples
    --------
    >>> from metricnets.metrics import mean_nearest_distance
    >>> mean_nearest_distance([[0.0], [1.0]], [[3.0], [4.0]])
    2.5
    """
    check_count(n_neighbors=n_neighbors)
    d = cdist(*two_sets(A, B))
    k = min(n_neighbors, d.shape[1])
    return float(np.partition(d, k - 1, axis=1)[:, :k].mean())
