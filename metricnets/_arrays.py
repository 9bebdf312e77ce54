"""Validation of arrays that are given by users or returned by other code; Euclidean norms of differences."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix, issparse
from sklearn.utils.validation import check_array, column_or_1d

from metricnets._tables import Table

LARGEST = 1e300  # absolute value of numbers whose differences are computed


def checked_array(values: ArrayLike, name: str, **options: Any) -> np.ndarray:
    """Validate with scikit-learn's ``check_array``, sparse matrices made dense; errors name the parameter."""
    try:
        dense = values.toarray() if issparse(values) and not options.get("accept_sparse") else values
        with np.errstate(all="ignore"):  # of infinities, which raise an error
            return check_array(dense, input_name=name, **options)
    except (TypeError, ValueError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        raise ValueError(f"{name} cannot be used: {error}") from error


def checked_column(values: ArrayLike, name: str) -> np.ndarray:
    """Validate a 1-D array of numbers or strings without missing values; errors name the parameter."""
    try:
        values = column_or_1d(values)
        if values.dtype.kind == "O":
            values = np.array(values.tolist())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} should be a 1-D array, with a value for each row: {error}") from error
    if (
        values.ndim != 1
        or values.dtype.kind not in "biufSUM"
        or (values.dtype.kind in "fM" and (values != values).any())
    ):
        raise ValueError(f"{name} should hold values of one kind, numbers or strings, none of them missing.")
    return values


def embeddings(returned: Any, n_points: int, source: str, *, sparse: bool = False) -> np.ndarray | csr_matrix:
    """Validate embeddings that other code returned, and convert them to single or double precision.

    Differences of small or unsigned integers wrap around, differences of booleans are not defined, and squares
    in half precision overflow: their distances would be wrong without a warning.

    Parameters
    ----------
    returned : array-like of shape (n_points, ...), data frame or sparse matrix
        The embeddings.
    n_points : int
        Number of points that were embedded.
    source : str
        Name of the estimator or function that returned them, for error messages.
    sparse : bool, default=False
        Whether sparse matrices are kept sparse.

    Returns
    -------
    z : ndarray or CSR matrix of shape (n_points, n_components)
    """
    if issparse(returned):
        z = (returned.tocsr() if sparse else returned.toarray()).astype(_floating(returned.dtype, source), copy=False)
        entries = z.data if sparse else z
    else:
        z = entries = _floats(returned, source)
    if z.ndim == 0 or z.shape[0] != n_points:
        raise ValueError(
            f"{source} returned shape {z.shape} for {n_points} points; it should return a row for each point."
        )
    if not np.isfinite(entries).all():
        raise ValueError(f"{source} returned NaN or infinity.")
    if entries.size and float(max(entries.max(), -entries.min())) > LARGEST:
        raise ValueError(f"{source} returned numbers beyond {LARGEST:.0e}; scale them first.")
    return z if issparse(z) or z.ndim == 2 else z.reshape(n_points, int(np.prod(z.shape[1:])))


def one_each(returned: Any, n: int, source: str) -> np.ndarray:
    """Validate distances or scores of pairs that other code returned: finite floats of shape (n,)."""
    values = embeddings(returned, n, source)
    if values.shape[1] != 1:
        raise ValueError(f"{source} returned {values.shape[1]} numbers for each pair; it should return one.")
    return values.ravel()


def dense(X: Any) -> np.ndarray:
    """A matrix as an array, if it is sparse."""
    return X.toarray() if issparse(X) else X


def rows_as_array(X: np.ndarray | csr_matrix, rows: np.ndarray) -> np.ndarray:
    """The rows of X with these numbers, an array of the shape of ``rows`` and a last axis of features."""
    return X[rows.ravel()].toarray().reshape(*rows.shape, X.shape[1]) if issparse(X) else X[rows]


def lengths(differences: np.ndarray) -> np.ndarray:
    """Compute the Euclidean norm of each row in double precision, without overflow or underflow."""
    rows = differences.reshape(len(differences), int(np.prod(differences.shape[1:]))).astype(float)
    exponent = np.frexp(np.abs(rows).max(initial=0))[1]
    if abs(exponent) > 300:  # a product with a power of two is exact
        return np.ldexp(np.sqrt((np.ldexp(rows, -exponent) ** 2).sum(axis=1)), exponent)
    return np.sqrt((rows**2).sum(axis=1))


def _floats(returned, source):
    filled = returned.astype(float).filled(np.nan) if isinstance(returned, np.ma.MaskedArray) else returned
    try:
        values = np.asarray(filled)
        values = values.astype(float) if values.dtype.kind == "O" else values
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{source} returned something that is not an array of numbers: {error}") from error
    return values.astype(_floating(values.dtype, source), copy=False)


def _floating(dtype, source):
    if dtype.kind not in "fiub":
        raise ValueError(f"{source} returned {dtype}; embeddings and scores should be real numbers.")
    return dtype if dtype in (np.float32, np.float64) else np.float64


UNCHANGED = {"dtype": None, "ensure_2d": False, "allow_nd": True, "ensure_all_finite": False, "ensure_min_samples": 0}


def rows_at(X: Any, rows: np.ndarray, name: str) -> Any:
    """The rows with these numbers of an array, list, data frame, sparse matrix or table, of which none are read."""
    if isinstance(X, Table):
        return X.taken(rows)
    table = X.iloc if hasattr(X, "iloc") else X.tocsr() if issparse(X) else checked_array(X, name, **UNCHANGED)
    return table[rows]


def count_rows(X: Any, name: str) -> int:
    """Count the rows of an array, list, data frame or sparse matrix; ValueError if it has no first axis."""
    if hasattr(X, "shape") or hasattr(X, "__array__"):
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    else:
        shape = (len(X),) if isinstance(X, (list, tuple)) and X else ()
    if not len(shape):
        raise ValueError(f"{name} should be an array with a row for each sample; got {X!r:.80}.")
    return shape[0]
