"""Base classes and helpers under the names of metric-learn."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils.validation import check_array, check_X_y

from metricnets._tuples import ArrayIndexer, as_function, check_tuples, fetch
from metricnets.base import MetricMixin as BaseMetricLearner
from metricnets.base import MetricMixin as MetricTransformer
from metricnets.linear._base import MahalanobisMetric as MahalanobisMixin
from metricnets.tuple_learners import PairsMixin as _PairsClassifierMixin
from metricnets.tuple_learners import QuadrupletsMixin as _QuadrupletsClassifierMixin
from metricnets.tuple_learners import TripletsMixin as _TripletsClassifierMixin

__all__ = [
    "ArrayIndexer",
    "BaseMetricLearner",
    "MahalanobisMixin",
    "MetricTransformer",
    "_PairsClassifierMixin",
    "_QuadrupletsClassifierMixin",
    "_TripletsClassifierMixin",
    "check_input",
    "validate_vector",
]


def check_input(
    input_data: ArrayLike,
    y: ArrayLike | None = None,
    preprocessor: ArrayLike | Callable | None = None,
    type_of_inputs: str = "classic",
    tuple_size: int | None = None,
    dtype: DTypeLike = "numeric",
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Validate points or tuples of points, and look up indicators.

    Parameters
    ----------
    input_data : array-like
        Points or tuples, of features or of indicators.
    y : array-like of shape (n,) or None, default=None
        Labels.
    preprocessor : array-like, callable or None, default=None
        Where indicators are looked up.
    type_of_inputs : {'classic', 'tuples'}, default='classic'
        Whether the data are points or tuples.
    tuple_size : int or None, default=None
        Number of points in a tuple.
    dtype : str or dtype, default='numeric'
        Type of the result, as in scikit-learn's ``check_array``.

    Returns
    -------
    X : ndarray of shape (n, n_features) or (n, tuple_size, n_features)
        Validated data.
    y : ndarray of shape (n,)
        Validated labels, only if ``y`` was given.
    """
    if type_of_inputs not in ("classic", "tuples"):
        raise ValueError(f"type_of_inputs={type_of_inputs!r} is unknown; use 'classic' or 'tuples'.")
    if type_of_inputs == "tuples":
        size = np.shape(input_data)[1] if tuple_size is None and np.ndim(input_data) > 1 else tuple_size
        X = check_tuples(input_data, size, as_function(preprocessor))
        return X if y is None else check_X_y(X, y, dtype=dtype, allow_nd=True)
    of_indicators = preprocessor is not None and np.ndim(input_data) == 1
    X = fetch(np.asarray(input_data), preprocessor) if of_indicators else input_data
    return check_array(X, dtype=dtype) if y is None else check_X_y(X, y, dtype=dtype)


def validate_vector(u: ArrayLike, dtype: DTypeLike | None = None) -> np.ndarray:
    """Convert a list, a row or a number to a vector; raise ValueError for more than one row."""
    u = np.atleast_1d(np.asarray(u, dtype=dtype).squeeze())
    if u.ndim > 1:
        raise ValueError(f"one vector is needed; got an array of shape {u.shape}.")
    return u
