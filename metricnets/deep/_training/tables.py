"""Tables of points that are read some at a time: their checks, and the points of a batch after the first layers."""

from functools import cached_property

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import check_consistent_length, check_X_y, validate_data

from metricnets._tables import Table, checked_table, parts_of
from metricnets._tuples import FLOATS

N_SOME = 50_000  # points, of those that are read some at a time, from which starts are computed


def validated_table(estimator, X, *y, reset=True, dtype=FLOATS, finite=True, multi_output=True, at_least=1):
    """Validate points that are read some at a time, without a copy, and targets, as ``validate_data`` does.

    Parameters
    ----------
    estimator : object
        Its number of features is set, or compared.
    X : Table, ndarray or sparse matrix
    y : array-like
        None or one array.
    reset : bool
        Whether the number of features is set.
    dtype : list of dtypes
        Types that are kept; others are read as the first one.
    finite : bool or 'allow-nan'
        Whether the points have to be finite.
    multi_output : bool
        Whether y may have several columns.
    at_least : int
        Number of rows that are needed.

    Returns
    -------
    X : Table
    y : ndarray
        If it is given.

    Raises
    ------
    ValueError
        If the points are not real finite numbers, or there are too few of them, or not as many as targets.
    """
    if issparse(X):
        checks = {"accept_sparse": "csr", "dtype": dtype, "ensure_all_finite": finite, "ensure_min_samples": at_least}
        X = Table(validate_data(estimator, X, reset=reset, **checks))
    else:
        if len(X.shape) < 2 or len(X) < at_least or not X.shape[1]:
            raise ValueError(f"X has shape {X.shape}; it should have a feature and at least {at_least} rows.")
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        X = checked_table(X, "X", dtype, finite)
    if not y:
        return X
    check_consistent_length(X, *y)
    placeholder = np.broadcast_to(np.zeros(1), (len(X), 1))  # y is to be checked, and nothing of X to be copied
    return X, check_X_y(placeholder, *y, multi_output=multi_output, estimator=estimator)[1]


class Points:
    """Points of a table after layers, which are applied to those of a batch when it is formed, in double precision.

    Parameters
    ----------
    layers : torch.nn.Module or None
        In double precision.
    X : Table
    """

    def __init__(self, layers, X):
        self.layers = layers
        self.table, self.ndim = X, X.ndim
        self.shape = (len(X), *self[:1].shape[1:])

    def __len__(self):
        return len(self.table)

    @torch.no_grad()
    def __getitem__(self, rows):
        """The points of a slice or of a tensor of row numbers, in single precision."""
        X = self.table[rows.numpy() if isinstance(rows, torch.Tensor) else rows]
        if self.layers is None:
            return torch.from_numpy(X.astype(np.float32))
        x = torch.from_numpy(X.reshape(-1, *self.table.shape[1:]).astype(float))
        z = self.layers(x).float()
        return z if isinstance(rows, slice) else z.reshape(*rows.shape, *z.shape[1:])

    @cached_property
    def extent(self):
        """The smallest and the largest value of each feature."""
        low = high = self[:1][0]
        for part in parts_of(self.table.shape):
            points = self[part]
            low, high = torch.minimum(low, points.amin(0)), torch.maximum(high, points.amax(0))
        return low, high

    def amin(self, dim):
        """The smallest value of each feature."""
        return self.extent[0]

    def amax(self, dim):
        """The largest value of each feature."""
        return self.extent[1]


def some_of(X):
    """Points as they are or, if they are read some at a time, `N_SOME` to twice as many of them, evenly spaced."""
    return X[:: max(1, len(X) // N_SOME)] if isinstance(X, Points) else X


def are_equal(X):
    """Whether all points are equal."""
    return bool((X.amin(0) == X.amax(0)).all() if isinstance(X, Points) else (X[:1] == X).all())


def used_rows(X, weights):
    """The points of positive weight, and their weights."""
    if weights.all():
        return X, weights
    return X.taken(weights > 0) if isinstance(X, Table) else X[weights > 0], weights[weights > 0]
