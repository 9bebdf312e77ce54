"""metric-learn's names for what the learners have in common."""

import numpy as np
from sklearn.utils.validation import check_array, check_X_y

from metricnets._tuples import ArrayIndexer, as_function, check_tuples, points_of
from metricnets.base import MetricMixin as BaseMetricLearner
from metricnets.base import MetricMixin as MetricTransformer
from metricnets.base import PairsMixin as _PairsClassifierMixin
from metricnets.base import QuadrupletsMixin as _QuadrupletsClassifierMixin
from metricnets.base import TripletsMixin as _TripletsClassifierMixin
from metricnets.linear._base import MahalanobisMetric as MahalanobisMixin

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


def check_input(input_data, y=None, preprocessor=None, type_of_inputs="classic", tuple_size=None, dtype="numeric"):
    """Validate points, 'classic', or 'tuples' of ``tuple_size`` points, and look indicators up.

    Returns
    -------
    X : ndarray of shape (n, n_features) or (n, tuple_size, n_features)
    y : ndarray of shape (n,)
        Only if there is one.
    """
    if type_of_inputs not in ("classic", "tuples"):
        raise ValueError(f"type_of_inputs={type_of_inputs!r} is unknown; use 'classic' or 'tuples'.")
    if type_of_inputs == "tuples":
        size = np.shape(input_data)[1] if tuple_size is None and np.ndim(input_data) > 1 else tuple_size
        X = check_tuples(input_data, size, as_function(preprocessor))
        return X if y is None else check_X_y(X, y, dtype=dtype, allow_nd=True)
    X = points_of(input_data, as_function(preprocessor))
    return check_array(X, dtype=dtype) if y is None else check_X_y(X, y, dtype=dtype)


def validate_vector(u, dtype=None):
    """Make a vector of a list, a row or a number; ValueError for more than one row."""
    u = np.atleast_1d(np.asarray(u, dtype=dtype).squeeze())
    if u.ndim > 1:
        raise ValueError(f"one vector is needed; got an array of shape {u.shape}.")
    return u
