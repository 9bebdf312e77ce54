"""Several views: groups of columns, and which of them a row has."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from metricnets._numpy_networks import unit_norm


def columns_of(views: int | list, n_features: int, names: ArrayLike | None = None) -> list[np.ndarray]:
    """Find the columns of each view.

    Parameters
    ----------
    views : int or list
        Number of views whose columns follow each other, as many of each; or the columns of each view, a slice, or
        numbers or names of columns.
    n_features : int
        Number of columns.
    names : ndarray of shape (n_features,) or None
        Names of the columns.

    Returns
    -------
    columns : list of ndarray of int

    Raises
    ------
    ValueError
        If a view has no column, or one that does not exist.

    Examples
    --------
    >>> columns_of([slice(2), ["c"]], 3, names=["a", "b", "c"])
    [array([0, 1]), array([2])]
    """
    if isinstance(views, Integral):
        if views > n_features:
            raise ValueError(f"views={views} needs a column for each view, and X has n_features={n_features}.")
        return np.array_split(np.arange(n_features), views)
    if not len(views):
        raise ValueError("views=[] has no view; give the columns of each.")
    return [_columns(view, v, n_features, names) for v, view in enumerate(views)]


def _columns(view, v, n_features, names):
    """Numbers of the columns of the v-th view."""
    if isinstance(view, slice):
        found = np.arange(n_features)[view]
    elif isinstance(view, str) or not np.iterable(view):
        raise ValueError(f"views[{v}]={view!r} should be a list of columns or a slice.")
    else:
        found = np.array([_number(column, v, n_features, names) for column in view], dtype=int)
    if not len(found):
        raise ValueError(f"views[{v}]={view!r} has no column; X has {n_features} features.")
    return found


def _number(column, v, n_features, names):
    if isinstance(column, str):
        if names is None:
            raise ValueError(f"views[{v}] has the name {column!r}, and X no names of columns; give a data frame.")
        place = np.flatnonzero(np.asarray(names) == column)
        if not len(place):
            raise ValueError(f"views[{v}] has the column {column!r}, which X has not.")
        return place[0]
    if not isinstance(column, Integral) or isinstance(column, bool) or not -n_features <= column < n_features:
        raise ValueError(f"views[{v}] has the column {column!r}; X has {n_features} features, counted from 0.")
    return column % n_features


def present_views(missing: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    """Find which views each row has, (n, n_views), from a mask (n, d) of NaN.

    Raises
    ------
    ValueError
        If a row has NaN in some columns of a view only, or has no view.
    """
    found = np.stack([missing[:, each].any(axis=1) for each in columns], axis=1)
    for v, each in enumerate(columns):
        partly = found[:, v] & ~missing[:, each].all(axis=1)
        if partly.any():
            raise ValueError(
                f"X has NaN in some columns of view {v}, and numbers in others, in {np.count_nonzero(partly)} rows; a "
                "view that is missing has NaN in all of its columns. Impute single values first."
            )
    if found.all(axis=1).any():
        raise ValueError(
            f"X has {np.count_nonzero(found.all(axis=1))} rows without a view: all is NaN. Leave them out."
        )
    return ~found


def shares_of_views(present: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights of the views of each row, (n, n_views): 0 of those it has not, and the others sum to 1."""
    shares = present * weights
    return shares / shares.sum(axis=1, keepdims=True)


def side_by_side(embeddings: list[np.ndarray], shares: np.ndarray) -> np.ndarray:
    """Embeddings of several views side by side, times the roots of their shares; 0 where these are 0."""
    parts = [np.where(s > 0, z * s**0.5, 0.0) for z, s in zip(embeddings, shares.T[..., None])]
    return np.concatenate(parts, axis=-1)


class Views:
    """Functions of several views, each of its columns of a row, side by side; NaN where a view is missing.

    Parameters
    ----------
    members : list of callable
    columns : list of ndarray of int
    """

    def __init__(self, members: list, columns: list[np.ndarray]):
        self.members, self.columns = members, columns

    def __call__(self, x: np.ndarray) -> np.ndarray:
        present_views(np.isnan(x), self.columns)
        return np.hstack(self.parts(x))

    def parts(self, x: np.ndarray) -> list[np.ndarray]:
        """What each function returns."""
        return [member(x[:, columns]) for member, columns in zip(self.members, self.columns)]


class FusedViews(Views):
    """Embeddings of several views side by side, times the roots of the weights of the views a row has.

    Parameters
    ----------
    members : list of callable
    columns : list of ndarray of int
    weights : ndarray of shape (n_views,)
    """

    def __init__(self, members: list, columns: list[np.ndarray], weights: np.ndarray):
        super().__init__(members, columns)
        self.weights = weights

    def __call__(self, x: np.ndarray) -> np.ndarray:
        present = present_views(np.isnan(x), self.columns)
        return side_by_side(self.parts(x), shares_of_views(present, self.weights))


def fused_units(embeddings: list[np.ndarray], present: np.ndarray, weights: np.ndarray, normalize: bool) -> np.ndarray:
    """Embeddings of several views as `FusedViews` joins them, scaled to unit norm first if ``normalize``."""
    embeddings = [unit_norm(z) if normalize else z for z in embeddings]
    return side_by_side(embeddings, shares_of_views(present, weights))
