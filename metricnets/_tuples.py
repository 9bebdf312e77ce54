"""Points and tuples of points, formed or as indicators to look up."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, column_or_1d

from metricnets.exceptions import PreprocessorError

FLOATS = [np.float64, np.float32]


class ArrayIndexer:
    """A ``preprocessor`` that looks integers up in an array of points.

    Parameters
    ----------
    X : array-like of shape (n, ...)
    """

    def __init__(self, X):
        self.X = np.asarray(X)

    def __call__(self, indices):
        """Points of a 1-D array of indices; ValueError if one is no index of the array."""
        if indices.dtype.kind not in "iu":
            raise ValueError(f"indices into the array preprocessor must be integers; got {indices.dtype}.")
        if len(indices) and not -len(self.X) <= indices.min() <= indices.max() < len(self.X):
            raise ValueError(
                f"indices run from {indices.min()} to {indices.max()}; preprocessor has {len(self.X)} points."
            )
        return self.X[indices]


def as_function(preprocessor):
    """Return the preprocessor as a function from indicators to points; None stays None."""
    return preprocessor if preprocessor is None or callable(preprocessor) else ArrayIndexer(preprocessor)


def fetch(indicators, preprocessor):
    """Look up the points of a 1-D array of indicators; a function is asked once about each.

    Raises
    ------
    PreprocessorError
        If the preprocessor is a function and fails.
    ValueError
        If it does not return a point for each indicator, or an index is out of range.
    """
    look_up = as_function(preprocessor)
    if isinstance(look_up, ArrayIndexer):
        return look_up(indicators)
    distinct, places = np.unique(indicators, return_inverse=True)
    try:
        points = np.asarray(look_up(distinct))
    except Exception as error:
        raise PreprocessorError(
            f"preprocessor={preprocessor!r} failed on {len(distinct)} indicators, such as {distinct[:3].tolist()}: "
            f"{error!r}"
        ) from error
    if points.ndim < 2 or len(points) != len(distinct):
        shape = f"({len(distinct)}, n_features)"
        raise ValueError(f"preprocessor should return points of shape {shape}; it returned {points.shape}.")
    return points[places]


def points_of(X, preprocessor):
    """Look up points that are given as indicators, a 1-D array; anything else is returned as it is."""
    if preprocessor is None or np.ndim(X) != 1:
        return X
    return fetch(np.asarray(X), preprocessor)


def as_tuples(tuples, size, preprocessor=None):
    """Make an array of tuples, formed or indicators, of ``size``; ValueError if the shape is another."""
    if issparse(tuples):
        raise TypeError("tuples of points cannot be a sparse matrix; give an array, or indices and preprocessor=.")
    tuples = np.asarray(tuples)
    if tuples.ndim < 2 or tuples.shape[1] != size:
        raise ValueError(
            f"tuples of {size} points are needed, an array of shape (n_tuples, {size}, n_features); "
            f"got an array of shape {tuples.shape}."
        )
    if tuples.ndim == 2 and preprocessor is None:
        raise ValueError(
            f"got indicators, an array of shape {tuples.shape}, and no preprocessor to look them up in; "
            f"give preprocessor=, or points, an array of shape (n_tuples, {size}, n_features)."
        )
    return tuples


def check_tuples(tuples, size, preprocessor=None):
    """Validate tuples of points; with a preprocessor, fetch the points of indicators.

    Parameters
    ----------
    tuples : array-like of shape (n_tuples, size, ...) or, of indicators, (n_tuples, size)
    size : int
        Points of a tuple: 2 for pairs.
    preprocessor : array-like, callable or None
        What indicators are looked up in: an array of points, or a function that takes a 1-D
        array of indicators and returns their points.

    Returns
    -------
    tuples : ndarray of shape (n_tuples, size, ...)
        float32 stays, anything else becomes float64.

    Raises
    ------
    ValueError
        If the shape is not that of tuples, or the points are not finite numbers.
    """
    tuples = as_tuples(tuples, size, preprocessor)
    if tuples.ndim == 2:
        points = fetch(tuples.ravel(), preprocessor)
        tuples = points.reshape(len(tuples), size, *points.shape[1:])
    return check_array(tuples, dtype=FLOATS, allow_nd=True, input_name="tuples")


def points_and_members(tuples, size, preprocessor=None):
    """Points, and the rows of them that make each tuple; a point given by its indicator is there once.

    Returns
    -------
    X : ndarray of shape (n_points, ...)
        As `check_tuples` validates them.
    members : ndarray of int32 of shape (n_tuples, size)
    """
    tuples = as_tuples(tuples, size, preprocessor)
    if tuples.ndim == 2:
        used, members = np.unique(tuples, return_inverse=True)
        X = check_array(fetch(used, preprocessor), dtype=FLOATS, allow_nd=True, input_name="preprocessor")
        return X, members.reshape(tuples.shape).astype(np.int32)
    tuples = check_array(tuples, dtype=FLOATS, allow_nd=True, input_name="tuples")
    return tuples.reshape(-1, *tuples.shape[2:]), np.arange(size * len(tuples), dtype=np.int32).reshape(-1, size)


def distinct(X, members):
    """Keep each point once, in an order that does not depend on how the tuples were given.

    Returns
    -------
    X : ndarray of shape (n_distinct, d)
        Only points that are in a tuple.
    members : ndarray of int of the same shape as before
    """
    used, members_of_used = np.unique(members, return_inverse=True)
    X = np.ascontiguousarray(X[used] + 0.0)  # -0.0 becomes 0.0, so that equal points have equal bytes
    as_bytes = X.view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    return X[first], place.ravel()[members_of_used.ravel()].reshape(members.shape)


def check_pair_labels(y, n_pairs):
    """Validate the labels of pairs: +1 and −1, and both."""
    y = column_or_1d(y)
    if len(y) != n_pairs:
        raise ValueError(f"there are {n_pairs} pairs and {len(y)} labels in y.")
    if not np.array_equal(np.unique(y), [-1, 1]):
        hint = "; give 2 * y - 1" if np.array_equal(np.unique(y), [0, 1]) else ""
        raise ValueError(f"y should hold +1 and -1, both of them; it holds {np.unique(y)[:5]}{hint}.")
    return y.astype(np.int64)


def check_weights(weights, n_tuples):
    """Validate the weights of tuples: None, or one for each, none negative and not all 0; returns a new array."""
    if weights is None:
        return None
    weights = column_or_1d(weights).astype(float)
    if len(weights) != n_tuples:
        raise ValueError(f"there are {n_tuples} tuples and {len(weights)} weights.")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise ValueError(f"weights should be finite, none negative, and not all 0; got {weights[:5]}...")
    return weights
