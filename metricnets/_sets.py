"""Sets of samples: which rows form a set, and the class of each set."""

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_column


def set_numbers(groups: ArrayLike | None, n: int, name: str = "groups") -> tuple[np.ndarray, np.ndarray]:
    """Number the sets from 0; ValueError unless ``groups`` names a set for each of n rows.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        None makes each row a set of its own.
    n : int
    name : str, default="groups"
        Name of the parameter in error messages.

    Returns
    -------
    names : ndarray of shape (n_sets,)
        The sets, sorted.
    number : ndarray of int of shape (n,)
        Index of the set of each row.

    Examples
    --------
    >>> set_numbers(["b", "a", "b"], 3)[1]
    array([1, 0, 1])
    """
    if groups is None:
        return np.arange(n), np.arange(n)
    groups = checked_column(groups, name)
    if len(groups) != n:
        raise ValueError(f"{name} has {len(groups)} entries for {n} rows; it should name the set of each row.")
    return np.unique(groups, return_inverse=True)


def check_stacked(X: ArrayLike) -> None:
    """Raise ValueError if X is a list or an array of sets, instead of the rows of all sets."""
    if getattr(X, "ndim", 0) == 3 or (isinstance(X, (list, tuple)) and X and getattr(X[0], "ndim", 0) == 2):
        raise ValueError(
            "X should have the points of all sets in its rows, with dim <= 2: flatten images, and stack sets by "
            "np.concatenate(X), with y and groups, the set of each row, by np.repeat(y, [len(s) for s in X])."
        )


def of_each_set(values: np.ndarray, names: np.ndarray, number: np.ndarray, what: str = "y") -> np.ndarray:
    """The value that all rows of a set share, (n_sets,); ValueError if two rows of a set differ.

    >>> of_each_set(np.array([7, 5, 7]), np.array(["a", "b"]), np.array([1, 0, 1]))
    array([5, 7])
    """
    first = np.unique(number, return_index=True)[1]
    differs = np.flatnonzero(values != values[first][number])
    if len(differs):
        row = differs[0]
        raise ValueError(
            f"{what} differs within set {names[number[row]]!s} of groups: {values[first[number[row]]]!s} and "
            f"{values[row]!s}; all rows of a set should have one class."
        )
    return values[first]


def split_sets(X: np.ndarray, number: np.ndarray) -> list[np.ndarray]:
    """The rows of each set, which are numbered from 0."""
    return np.split(X[np.argsort(number, kind="stable")], np.cumsum(np.bincount(number))[:-1])
