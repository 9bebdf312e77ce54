"""Arrays that users give and that code of others returned, to compute with; lengths of differences."""

import re

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, column_or_1d

LARGEST = 1e300  # of numbers whose differences are computed


def checked_array(values, name, **options):
    """Do as scikit-learn's ``check_array``, sparse tables made dense; every error names the parameter."""
    try:
        dense = values.toarray() if issparse(values) and not options.get("accept_sparse") else values
        with np.errstate(all="ignore"):  # of infinities, which are refused
            return check_array(dense, input_name=name, **options)
    except (TypeError, ValueError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        raise ValueError(f"{name} cannot be used: {error}") from error


def checked_column(values, name):
    """Make a 1-D array of values that can be told apart and sorted, none of them missing; errors name the parameter."""
    try:
        values = column_or_1d(values)
        if values.dtype.kind == "O":
            values = np.array(values.tolist())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} should be a value for each row: {error}") from error
    if (
        values.ndim != 1
        or values.dtype.kind not in "biufSUM"
        or (values.dtype.kind in "fM" and (values != values).any())
    ):
        raise ValueError(f"{name} should hold values of one kind, numbers or strings, none of them missing.")
    return values


def embeddings(returned, n_points, source, *, sparse=False):
    """Make a table of finite floats, in single or double precision, of what was returned for points.

    Differences of small or unsigned integers wrap around, of booleans are not defined, and squares of half
    precision overflow: their distances would be wrong without a word.

    Parameters
    ----------
    returned : array-like of shape (n_points, ...), frame or sparse matrix
    n_points : int
        How many points there were.
    source : str
        Who returned it, for messages.
    sparse : bool, default=False
        Whether sparse matrices stay sparse.

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
        raise ValueError(f"{source} returned shape {z.shape} for {n_points} points; it should return a row for each.")
    if not np.isfinite(entries).all():
        raise ValueError(f"{source} returned NaN or infinity.")
    if entries.size and float(max(entries.max(), -entries.min())) > LARGEST:
        raise ValueError(f"{source} returned numbers beyond {LARGEST:.0e}; scale them first.")
    return z if issparse(z) or z.ndim == 2 else z.reshape(n_points, int(np.prod(z.shape[1:])))


def one_each(returned, n, source):
    """Make an array (n,) of finite floats of what was returned, distances or scores."""
    values = embeddings(returned, n, source)
    if values.shape[1] != 1:
        raise ValueError(f"{source} returned {values.shape[1]} numbers for each pair; it should return one.")
    return values.ravel()


def lengths(differences):
    """Euclidean lengths of rows, in double precision, where squares neither overflow nor vanish."""
    rows = differences.reshape(len(differences), int(np.prod(differences.shape[1:]))).astype(float)
    exponent = np.frexp(np.abs(rows).max(initial=0))[1]
    if abs(exponent) > 300:  # times a power of two no digit changes
        return np.ldexp(np.sqrt((np.ldexp(rows, -exponent) ** 2).sum(axis=1)), exponent)
    return np.sqrt((rows**2).sum(axis=1))


def _floats(returned, source):
    filled = returned.astype(float).filled(np.nan) if isinstance(returned, np.ma.MaskedArray) else returned
    try:
        values = np.asarray(filled)
        values = values.astype(float) if values.dtype.kind == "O" else values
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{source} returned what is no array of numbers: {error}") from error
    return values.astype(_floating(values.dtype, source), copy=False)


def _floating(dtype, source):
    if dtype.kind not in "fiub":
        raise ValueError(f"{source} returned {dtype}; embeddings and scores should be real numbers.")
    return dtype if dtype in (np.float32, np.float64) else np.float64


def count_rows(X, name):
    """Count the rows of an array, list, frame or sparse matrix; ValueError if it has none."""
    if hasattr(X, "shape") or hasattr(X, "__array__"):
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    else:
        shape = (len(X),) if isinstance(X, (list, tuple)) and X else ()
    if not len(shape):
        raise ValueError(f"{name} should hold rows; got {X!r:.80}.")
    return shape[0]
