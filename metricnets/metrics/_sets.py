"""Distances of all sets of points, such as the images of an object, to all others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from metricnets._arrays import checked_array, checked_column, one_each
from metricnets._checks import check_option
from metricnets._sets import of_each_set, set_numbers, split_sets
from metricnets.metrics._checks import check_squares
from metricnets.metrics._hulls import (
    affine_hull,
    affine_hull_distance,
    between_hulls,
    between_subspaces,
    convex_hull_distance,
    mutual_subspace_distance,
    subspace,
)
from metricnets.metrics._nearest_points import mean_nearest_distance, minimum_distance

SetDistance = Callable[[np.ndarray, np.ndarray], float]
N_NUMBERS = 2**22  # distances of points that are computed at a time
SET_DISTANCES = {
    "minimum": minimum_distance,
    "mean_nearest": mean_nearest_distance,
    "mutual_subspace": mutual_subspace_distance,
    "affine_hull": affine_hull_distance,
    "convex_hull": convex_hull_distance,
}
OF_NEAREST = {"minimum": np.minimum.reduceat, "mean_nearest": np.add.reduceat}  # of the distances to nearest points
IN_TWO_STEPS = {  # what is computed of each set once, and the distance of two of them
    "mutual_subspace": (subspace, between_subspaces),
    "affine_hull": (affine_hull, between_hulls),
}


def set_distances(
    X: ArrayLike,
    groups: ArrayLike,
    Y: ArrayLike | None = None,
    groups_Y: ArrayLike | None = None,
    *,
    distance: str | SetDistance = "minimum",
) -> np.ndarray:
    """Distances of all sets of X to all sets of Y.

    Parameters
    ----------
    X : array-like of shape (n, n_features)
        Points of the sets.
    groups : array-like of shape (n,)
        The set of each row of X.
    Y, groups_Y : array-like of shape (m, n_features) and (m,), or None
        Points of other sets, and the set of each; None for those of X.
    distance : {'minimum', 'mean_nearest', 'mutual_subspace', 'affine_hull', 'convex_hull'} or callable, \
default='minimum'
        Distance of two sets; a callable takes the points of both.

    Returns
    -------
    distances : ndarray of shape (n_sets, n_sets_Y)
        In the order of the sorted names of the sets.

    Raises
    ------
    ValueError
        If an array does not have this form, or the distance is unknown or no finite number.

    Examples
    --------
    >>> from metricnets.metrics import set_distances
    >>> set_distances([[0.0], [1.0], [5.0]], ["a", "a", "b"])
    array([[0., 4.],
           [4., 0.]])
    """
    check_distance(distance)
    sets = _split(checked_array(X, "X", dtype=float), groups, "groups")
    others = sets if Y is None else _split(checked_array(Y, "Y", dtype=float), groups_Y, "groups_Y")
    if sets[0].shape[1] != others[0].shape[1]:
        raise ValueError(f"X has points of {sets[0].shape[1]} features and Y of {others[0].shape[1]}.")
    return distances_of(sets, others, distance)


def one_per_set(groups: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """One value for each set, from values of rows that are the same within a set, such as predictions.

    Parameters
    ----------
    groups : array-like of shape (n,)
        The set of each row.
    y : array-like of shape (n,)
        Values, the same for all rows of a set.

    Returns
    -------
    sets : ndarray of shape (n_sets,)
        The sets, sorted.
    values : ndarray of shape (n_sets,)

    Raises
    ------
    ValueError
        If two rows of a set have different values, or the lengths differ.

    Examples
    --------
    >>> from metricnets.metrics import one_per_set
    >>> one_per_set(["s2", "s1", "s2"], [8, 3, 8])
    (array(['s1', 's2'], dtype='<U2'), array([3, 8]))
    """
    y = checked_column(y, "y")
    names, number = set_numbers(groups, len(y))
    return names, of_each_set(y, names, number)


def check_distance(distance: str | SetDistance) -> None:
    """Raise ValueError unless the distance of sets is callable or has a known name."""
    if not callable(distance) and distance not in SET_DISTANCES:
        check_option("distance", distance, list(SET_DISTANCES))


def distances_of(sets: list[np.ndarray], others: list[np.ndarray], distance: str | SetDistance) -> np.ndarray:
    """Distances of sets, arrays of points, to other sets, (n_sets, n_others)."""
    for points in (*sets, *others):
        check_squares("X", points)
    if distance in OF_NEAREST:
        return np.column_stack([_by_nearest(sets, B, distance) for B in others])
    describe, between = IN_TWO_STEPS.get(distance, (None, SET_DISTANCES.get(distance, distance)))
    if describe is not None:
        sets, others = ([describe(S) for S in part] for part in (sets, others))
    found = np.empty(len(sets) * len(others), dtype=object)
    for i, (A, B) in enumerate(product(sets, others)):
        found[i] = between(A, B)
    return one_each(found, len(found), f"distance={distance!r}").reshape(len(sets), len(others))


def _by_nearest(sets, B, distance):
    sizes, points = np.array([len(A) for A in sets]), np.concatenate(sets)
    n_rows = max(1, N_NUMBERS // len(B))
    nearest = np.concatenate([cdist(points[i : i + n_rows], B).min(axis=1) for i in range(0, len(points), n_rows)])
    return OF_NEAREST[distance](nearest, np.cumsum(sizes) - sizes) / (sizes if distance == "mean_nearest" else 1)


def _split(X, groups, name):
    """The points of each set, in the order of the names."""
    if groups is None:
        raise ValueError(f"{name} is None; give the set of each row.")
    return split_sets(X, set_numbers(groups, len(X), name)[1])
