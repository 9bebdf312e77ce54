"""What the protocols share: checks of what they are given, fitting what embeds, times, tables."""

import time

import numpy as np
from sklearn.base import clone

from metricnets._arrays import checked_array, checked_column, embeddings
from metricnets._params import check_instance
from metricnets._tuples import FLOATS


def points(X, estimator):
    """A frame as it is for an estimator, which may choose columns by name; else a finite array or sparse matrix."""
    if hasattr(X, "iloc") and hasattr(estimator, "fit"):
        return X
    return checked_array(X, "X", accept_sparse="csr", dtype=FLOATS, allow_nd=True)


def rows_of(X, rows):
    """Rows of `points`, by number or by a mask."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def column(values, name, n_rows):
    """A value for each row, (n_rows,); ValueError that names the parameter if it is not."""
    found = np.asarray(values)
    if found.shape not in ((n_rows,), (n_rows, 1)):
        got = f"shape {found.shape}" if found.ndim else f"{values!r:.80}"
        raise ValueError(f"{name} should give a value for each of {n_rows} rows; got {got}.")
    return checked_column(found, name)


def list_of_pairs(values, name, what):
    """A list of pairs; ValueError that says what they are if it is not, or is empty."""
    found = list(values) if np.iterable(values) else [None]
    if not all(np.iterable(pair) and not isinstance(pair, str) and len(pair) == 2 for pair in found):
        raise ValueError(f"{name} should be a list of {what}; got {values!r:.80}.")
    if not found:
        raise ValueError(f"{name} has none; give a list of {what}.")
    return found


def check_embeds(estimator):
    """Raise ValueError unless `fitted_embedding` can take it."""
    check_instance(estimator, "estimator")
    if not hasattr(estimator, "transform") and estimator is not None and not callable(estimator):
        raise ValueError(f"estimator={estimator!r} should have transform, or be a function of points, or None.")


def checked(estimator, X, **columns):
    """Validate what embeds, its points, and columns of values by name: (X, column, ...)."""
    check_embeds(estimator)
    X = points(X, estimator)
    return X, *(column(values, name, X.shape[0]) for name, values in columns.items())


def fitted_embedding(estimator, X, y=None, *, sparse=False, **metadata):
    """Return a function from points to embeddings, fitted to the data if it learns from data."""
    if estimator is None:
        embed, source = as_it_is, "X"
    elif hasattr(estimator, "transform"):
        embed, source = clone(estimator).fit(X, y, **metadata).transform, f"estimator={type(estimator).__name__}()"
    else:
        embed, source = estimator, f"estimator={estimator!r}"
    return lambda points: embeddings(embed(points), points.shape[0], source, sparse=sparse)


def as_it_is(points):
    """Points for embeddings."""
    return points


def times(begin, fitted):
    """Seconds of fitting, which has ended, and of scoring, which ends now."""
    return {"fit_time": fitted - begin, "score_time": time.perf_counter() - fitted}


def table(results):
    """From a dictionary for each fold to a dictionary of arrays."""
    return {name: np.array([result[name] for result in results]) for name in results[0]}
