"""Several views: groups of columns, and which of them a row has."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike


def columns_of(views: int | list | dict, n_features: int, names: ArrayLike | None = None) -> list[np.ndarray]:
    """Find the columns of each view.

    Parameters
    ----------
    views : int, list or dict
        Number of views whose columns follow each other, as many of each; or the columns of each view, a slice, a mask,
        or numbers or names of columns.  The keys of a dict are names of the views.
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
        raise ValueError(f"views={views!r} has no view; give the columns of each.")
    named = views.items() if isinstance(views, dict) else enumerate(views)
    return [_columns(view, v, n_features, names) for v, view in named]


def _columns(view, v, n_features, names):
    """Numbers of the columns of the view that is called v."""
    if isinstance(view, slice):
        found = np.arange(n_features)[view]
    elif isinstance(view, str) or not np.iterable(view):
        raise ValueError(f"views[{v!r}]={view!r} should be a list of columns or a slice.")
    elif np.asarray(view).dtype == bool:
        if np.shape(view) != (n_features,):
            raise ValueError(f"views[{v!r}] is a mask of {np.size(view)} columns, and X has {n_features} features.")
        found = np.flatnonzero(view)
    else:
        found = np.array([_number(column, v, n_features, names) for column in view], dtype=int)
    if not len(found):
        raise ValueError(f"views[{v!r}]={view!r} has no column; X has {n_features} features.")
    return found


def _number(column, v, n_features, names):
    if isinstance(column, str):
        if names is None:
            raise ValueError(
                f"views[{v!r}] has the name {column!r}, and X no names of columns; give a "
                "data frame, and to steps before set_output(transform='pandas'), or numbers of columns."
            )
        place = np.flatnonzero(np.asarray(names) == column)
        if not len(place):
            raise ValueError(
                f"views[{v!r}] has the column {column!r}, which X has not; its columns are {', '.join(names[:3])}, ..."
            )
        return place[0]
    if not isinstance(column, Integral) or isinstance(column, bool) or not -n_features <= column < n_features:
        raise ValueError(f"views[{v!r}] has the column {column!r}; X has {n_features} features, counted from 0.")
    return column % n_features


def are_several(views: int | list | dict) -> bool:
    """Whether there is more than one view, so that one may be missing."""
    return (views if isinstance(views, Integral) else len(views)) > 1


def present_views(missing: np.ndarray, columns: list[np.ndarray], views: int | list | dict = ()) -> np.ndarray:
    """Find which views each row has, (n, n_views), from a mask (n, d) of NaN; a dict of views has their names.

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
                f"X has NaN in some columns of view {_name(v, views)}, and numbers in others, in {_rows(partly)}; a "
                "view that is missing has NaN in all of its columns. Impute single values first."
            )
    if found.all(axis=1).any():
        raise ValueError(f"X has {_rows(found.all(axis=1))} without a view: all is NaN. Leave them out.")
    return ~found


def _rows(chosen):
    """The rows of a mask for a message: how many, and the first of them."""
    rows = np.flatnonzero(chosen)
    return f"{len(rows)} rows (row {', '.join(map(str, rows[:3]))}{', ...' if len(rows) > 3 else ''})"


def _name(v, views):
    """The name of the v-th view for a message, or its number."""
    return repr(list(views)[v]) if isinstance(views, dict) else v


def seen_views(missing: np.ndarray, columns: list[np.ndarray], of: str, views: int | list | dict = ()) -> np.ndarray:
    """Find which views each row has; ValueError if no row has one of them, where the rows are those ``of``."""
    present = present_views(missing, columns, views)
    check_seen(present, f"rows of {of}", views)
    return present


def check_seen(present: np.ndarray, of: str, views: int | list | dict) -> None:
    """Raise ValueError if a view is missing in all rows of ``present``, which are those ``of``."""
    for v, has in enumerate(present.T):
        if not has.any():
            raise ValueError(
                f"view {_name(v, views)} is missing in all {of}; leave it out of views, or begin "
                "a stream with some that have it."
            )


def for_each_view(values: object, views: int | list | dict, n_views: int, name: str) -> list:
    """What a parameter, called ``name``, has for each view: a sequence in their order, or a dict by their names.

    Raises
    ------
    ValueError
        If it has not one value for each view.
    """
    names = list(views) if isinstance(views, dict) else list(range(n_views))
    if isinstance(values, dict):
        if values.keys() != set(names):
            raise ValueError(f"{name} has values for {list(values)}; it needs one for each of the views {names}.")
        return [values[key] for key in names]
    if len(values) != n_views:
        raise ValueError(f"{name}={values!r} should have one value for each of {n_views} views.")
    return list(values)


def modules_of(module: object, views: int | list | dict, n_views: int) -> list:
    """The ``module`` of each view, a copy or a call of one, or one for each; ValueError if a view has none."""
    if module is None or callable(module):
        return [module] * n_views
    modules = for_each_view(module, views, n_views, "module")
    if not all(map(callable, modules)):
        raise ValueError(f"module={module!r} should have a module, class or function for each view.")
    return modules


def weights_of(view_weights: str | list | dict | ArrayLike, views: int | list | dict, n_views: int) -> np.ndarray:
    """The weights that the user gave the views, divided by their sum; equal ones for a string."""
    if isinstance(view_weights, str):
        return np.full(n_views, 1 / n_views)
    weights = np.asarray(for_each_view(view_weights, views, n_views, "view_weights"), dtype=float)
    if weights.shape != (n_views,) or not (weights > 0).all() or not np.isfinite(weights).all():
        raise ValueError(f"view_weights={view_weights!r} should have a positive number for each of {n_views} views.")
    return weights / weights.sum()


def blocks(sizes: list[int]) -> list[np.ndarray]:
    """Numbers of consecutive columns, in blocks of these sizes."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
