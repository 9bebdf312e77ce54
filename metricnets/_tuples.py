"""Validation of tuples of points, given as points or as indicators that a preprocessor looks up."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils.validation import column_or_1d

from metricnets._arrays import checked_array
from metricnets._tables import FLOATS, Table, checked_table, is_large
from metricnets.exceptions import PreprocessorError


class ArrayIndexer:
    """A ``preprocessor`` that looks up indicators in an array of points.

    Integers are row numbers, counted from 0.  Other indicators, such as strings, are looked up in the
    index of a data frame.

    Parameters
    ----------
    X : array-like of shape (n_points, ...), data frame, sparse matrix or table
        The points.
    """

    def __init__(self, X: ArrayLike):
        self.index = X.index if hasattr(X, "iloc") else None
        self.X = X.tocsr() if issparse(X) else X if isinstance(X, Table) else np.asarray(X)
        if self.X.ndim == 0:
            raise ValueError(f"preprocessor={X!r:.80} should be an array of points, a data frame or a function.")

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """Look up the points of a 1-D array of indices; ValueError if an index does not exist."""
        points = self.X[self.rows_of(indices)]
        return points.toarray() if issparse(points) else points

    def rows_of(self, indices: np.ndarray) -> np.ndarray:
        """The row numbers of a 1-D array of indices; ValueError if an index does not exist."""
        if indices.dtype.kind not in "iu":
            indices = self._places(indices)
        n_points = self.X.shape[0]
        if len(indices) and not 0 <= indices.min() <= indices.max() < n_points:
            raise ValueError(
                f"indices run from {indices.min()} to {indices.max()}, but preprocessor has {n_points} points, counted "
                "from 0."
            )
        return indices

    def _places(self, labels):
        if self.index is None:
            raise ValueError(
                "indices into preprocessor, an array, must be integers, the numbers of its rows; got "
                f"{labels.tolist()[0]!r}. To name points by strings, give a function or a data frame with this index."
            )
        if not self.index.is_unique:
            raise ValueError("the index of preprocessor has duplicate entries; each should name one point.")
        places = self.index.get_indexer(labels)
        if (places < 0).any():
            raise ValueError(f"{labels[places < 0].tolist()[0]!r} is not in the index of preprocessor.")
        return places


def as_function(preprocessor: ArrayLike | Callable | None) -> Callable | None:
    """Return the preprocessor as a function from indicators to points; None stays None."""
    return preprocessor if preprocessor is None or callable(preprocessor) else ArrayIndexer(preprocessor)


def fetch(indicators: np.ndarray, preprocessor: ArrayLike | Callable) -> np.ndarray:
    """Look up the points of a 1-D array of indicators; a function is given each distinct indicator once.

    Raises
    ------
    PreprocessorError
        If the preprocessor is a function that raises an error.
    ValueError
        If it does not return a point for each indicator, or an index is out of range.
    """
    look_up = as_function(preprocessor)
    if isinstance(look_up, ArrayIndexer):
        return look_up(indicators)
    distinct, places = distinct_indicators(indicators)
    try:
        points = look_up(distinct)
        points = points.toarray() if issparse(points) else np.asarray(points)
    except Exception as error:
        raise PreprocessorError(
            f"preprocessor={preprocessor!r} failed on {len(distinct)} indicators, such as {distinct[:3].tolist()}: "
            f"{error!r}"
        ) from error
    if points.ndim < 2 or len(points) != len(distinct):
        shape = f"({len(distinct)}, n_features)"
        raise ValueError(f"preprocessor should return points of shape {shape}; it returned {points.shape}.")
    return points[places]


def distinct_indicators(indicators: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct indicators, sorted, and the position of each given one among them."""
    try:
        return np.unique(indicators, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"indicators should be of one kind, integers or strings: {error}.") from error


def as_tuples(
    tuples: ArrayLike, size: int, preprocessor: ArrayLike | Callable | None = None, for_points: str = ""
) -> np.ndarray:
    """Convert tuples of ``size`` points or indicators to an array.

    Raises
    ------
    ValueError
        If it has another shape; if it could be that of points, ``for_points`` says what takes them.
    """
    if issparse(tuples):
        raise TypeError("tuples of points cannot be a sparse matrix; give an array, or indices and preprocessor=.")
    tuples = np.asarray(tuples)
    advice = for_points if tuples.ndim < 3 else ""
    if tuples.ndim < 2 or tuples.shape[1] != size:
        raise ValueError(
            f"tuples of {size} points are needed, an array of shape (n_tuples, {size}, n_features); "
            f"got an array of shape {tuples.shape}.{advice}"
        )
    if tuples.ndim == 2 and preprocessor is None:
        raise ValueError(
            f"got indicators, an array of shape {tuples.shape}, and no preprocessor to look them up in; "
            f"give points, X[tuples], an array of shape (n_tuples, {size}, n_features), or preprocessor=X to the "
            f"learner.{advice}"
        )
    return tuples


def check_tuples(
    tuples: ArrayLike, size: int, preprocessor: ArrayLike | Callable | None = None, finite: bool | str = True
) -> np.ndarray:
    """Validate tuples of points; look up indicators with the preprocessor.

    Parameters
    ----------
    tuples : array-like of shape (n_tuples, size, ...) or, of indicators, (n_tuples, size)
    size : int
        Number of points of a tuple: 2 for pairs.
    preprocessor : array-like, callable or None
        What indicators are looked up in: an array of points, or a function that takes a 1-D
        array of indicators and returns their points.
    finite : bool or 'allow-nan', default=True
        Whether the points have to be finite numbers.

    Returns
    -------
    tuples : ndarray of shape (n_tuples, size, ...)
        float32 is kept, any other type is converted to float64.

    Raises
    ------
    ValueError
        If the shape is not that of tuples, or the points are not finite numbers.
    """
    tuples = as_tuples(tuples, size, preprocessor)
    if tuples.ndim == 2:
        points = fetch(tuples.ravel(), preprocessor)
        tuples = points.reshape(len(tuples), size, *points.shape[1:])
    return checked_array(tuples, "tuples", dtype=FLOATS, allow_nd=True, ensure_all_finite=finite)


def points_and_members(
    tuples: ArrayLike,
    size: int,
    preprocessor: ArrayLike | Callable | None = None,
    for_points: str = "",
    finite: bool | str = True,
    in_parts: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Split tuples into points and, for each tuple, the rows of its points; each indicator is looked up once.

    Returns
    -------
    X : ndarray or Table of shape (n_points, ...)
        The points, validated as by `check_tuples`; a table of those that indicators name, if they are large and may be
        read ``in_parts``.
    members : ndarray of int32 of shape (n_tuples, size)
    """
    tuples = as_tuples(tuples, size, preprocessor, for_points)
    if not len(tuples):
        raise ValueError(f"there are no tuples, an array of shape {tuples.shape}: found array with 0 sample(s).")
    if tuples.ndim == 2:
        used, members = distinct_indicators(tuples)
        look_up = as_function(preprocessor)
        if in_parts and isinstance(look_up, ArrayIndexer) and is_large((len(used), *look_up.X.shape[1:])):
            X = checked_table(look_up.X, "preprocessor", FLOATS, finite).taken(look_up.rows_of(used))
        else:
            X = fetch(used, look_up)
            X = checked_array(X, "preprocessor", dtype=FLOATS, allow_nd=True, ensure_all_finite=finite)
        return X, members.reshape(tuples.shape).astype(np.int32)
    if not tuples.size:
        raise ValueError(f"tuples, an array of shape {tuples.shape}, have points without features.")
    tuples = checked_array(tuples, "tuples", dtype=FLOATS, allow_nd=True, ensure_all_finite=finite)
    return tuples.reshape(-1, *tuples.shape[2:]), np.arange(size * len(tuples), dtype=np.int32).reshape(-1, size)


def distinct(X: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop duplicate points, and sort the rest in an order that does not depend on how the tuples were given.

    Returns
    -------
    X : ndarray of shape (n_distinct, d)
        The points that are in a tuple.
    members : ndarray of int
        The rows of the points of each tuple, of the shape of the argument.
    """
    used, members_of_used = np.unique(members, return_inverse=True)
    X = np.ascontiguousarray(X[used] + 0.0)  # -0.0 becomes 0.0, so that equal points have equal bytes
    as_bytes = X.view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    return X[first], place.ravel()[members_of_used.ravel()].reshape(members.shape)


def check_no_labels(y: ArrayLike | None, kind: str) -> None:
    """Raise ValueError if some of the tuples, triplets or quadruplets, are labelled −1, as the wrong ones.

    Their order says which distance is the smaller one.  Other values of y, such as the +1 that `predict` gives where
    they are right, are ignored, as scikit-learn's estimators that learn without targets ignore them.
    """
    n_wrong = 0 if y is None else np.count_nonzero(np.asarray(y) == -1)
    if n_wrong:
        halves = "b and c of triplets (a, b, c)" if kind == "triplets" else "both pairs of quadruplets"
        raise ValueError(
            f"y is -1 for {n_wrong} of the {kind}, which have no labels: their order says which distance is the "
            f"smaller one. Swap {halves} that are wrong, and leave y out."
        )


def check_pair_labels(y: ArrayLike | None, n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Validate labels of pairs, in {−1, +1}, {0, 1} or {False, True}; both labels should occur.

    Returns
    -------
    signs : ndarray of int64 of shape (n_pairs,)
        +1 for similar, −1 for dissimilar.
    classes : ndarray of shape (2,)
        The label of dissimilar pairs and the label of similar pairs, as given.
    """
    if y is None:
        raise ValueError("y is missing; give a label for each pair: +1 for similar, -1 for dissimilar.")
    try:
        y = column_or_1d(y)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y should be a label for each pair: {error}") from error
    if y.dtype.kind == "O" and all(isinstance(label, (Real, np.bool_, str)) for label in y):
        y = np.array(y.tolist())
    if y.dtype.kind == "O" or (y.dtype.kind == "f" and np.isnan(y).any()):
        raise ValueError("y has None, NaN or the like; leave out pairs whose label is not known.")
    if len(y) != n_pairs:
        raise ValueError(f"there are {n_pairs} pairs and {len(y)} labels in y.")
    classes = np.unique(y)
    if y.dtype.kind not in "biuf" or classes.tolist() not in ([-1, 1], [0, 1]):
        raise ValueError(f"y should hold +1 and -1, or 1 and 0, both of them; it holds {classes[:5].tolist()}.")
    return np.where(y == classes[1], 1, -1), classes
