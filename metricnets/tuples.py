"""Pairs and other tuples of points, formed or as indicators to look up."""

import numpy as np
from sklearn.utils.validation import check_array


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
    tuples = np.asarray(tuples) if not hasattr(tuples, "dtype") else tuples
    if tuples.ndim < 2 or tuples.shape[1] != size:
        raise ValueError(
            f"tuples of {size} points are needed, an array of shape (n_tuples, {size}, n_features); "
            f"got an array of shape {tuples.shape}."
        )
    if tuples.ndim == 2:
        if preprocessor is None:
            raise ValueError(
                f"got indicators, an array of shape {tuples.shape}, and no preprocessor to look them up in; "
                f"give preprocessor=, or points, an array of shape (n_tuples, {size}, n_features)."
            )
        points = fetch(tuples.ravel(), preprocessor)
        tuples = points.reshape(len(tuples), size, *points.shape[1:])
    return check_array(tuples, dtype=[np.float64, np.float32], allow_nd=True, input_name="tuples")


def fetch(indicators, preprocessor):
    """Look up the points of a 1-D array of indicators; see `check_tuples`."""
    if callable(preprocessor):
        points = np.asarray(preprocessor(indicators))
        if points.ndim < 2 or len(points) != len(indicators):
            shape = f"({len(indicators)}, n_features)"
            raise ValueError(f"preprocessor should return points of shape {shape}; it returned {points.shape}.")
        return points
    preprocessor = np.asarray(preprocessor)
    if indicators.dtype.kind not in "iu":
        raise ValueError(f"indices into the array preprocessor must be integers; got {indicators.dtype}.")
    if len(indicators) and not -len(preprocessor) <= indicators.min() <= indicators.max() < len(preprocessor):
        raise ValueError(
            f"indices run from {indicators.min()} to {indicators.max()}; preprocessor has {len(preprocessor)} points."
        )
    return preprocessor[indicators]
