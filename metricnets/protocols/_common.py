"""Functions shared by the protocols: validation of arguments, fitting of embeddings, times, tables of results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from metricnets._arrays import checked_array, checked_column, embeddings
from metricnets._params import check_instance
from metricnets._tuples import FLOATS


def points(X: Any, estimator: Any) -> Any:
    """Return a data frame unchanged for an estimator, which may select columns by name; else validate X."""
    if hasattr(X, "iloc") and hasattr(estimator, "fit"):
        return X
    return checked_array(X, "X", accept_sparse="csr", dtype=FLOATS, allow_nd=True)


def rows_of(X: Any, rows: np.ndarray) -> Any:
    """Select rows of `points` by number or by a mask."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def row_numbers(part: ArrayLike, name: str, n_rows: int) -> np.ndarray:
    """Convert row numbers or a mask to row numbers, at least one; errors name the parameter."""
    part = np.asarray(part)
    if part.dtype == bool and part.shape == (n_rows,):
        part = np.flatnonzero(part)
    if part.ndim != 1 or not len(part):
        got = f"shape {part.shape}" if part.ndim != 1 else "none"
        raise ValueError(f"{name} should hold row numbers, or be a mask of shape ({n_rows},); got {got}.")
    if part.dtype.kind not in "iu" or not 0 <= part.min() <= part.max() < n_rows:
        raise ValueError(
            f"{name} should hold row numbers from 0 to {n_rows - 1}, or be a mask; it holds {part.tolist()[:3]}."
        )
    return part


def column(values: ArrayLike, name: str, n_rows: int) -> np.ndarray:
    """Validate an array with a value for each row, of shape (n_rows,); errors name the parameter."""
    found = np.asarray(values)
    if found.shape not in ((n_rows,), (n_rows, 1)):
        got = f"shape {found.shape}" if found.ndim else f"{values!r:.80}"
        raise ValueError(f"{name} should give a value for each of {n_rows} rows; got {got}.")
    return checked_column(found, name)


def list_of_pairs(values: Any, name: str, what: str) -> list:
    """Validate a list of pairs that is not empty; errors say what the pairs are."""
    found = list(values) if np.iterable(values) else [None]
    if not all(np.iterable(pair) and not isinstance(pair, str) and len(pair) == 2 for pair in found):
        raise ValueError(f"{name} should be a list of {what}; got {values!r:.80}.")
    if not found:
        raise ValueError(f"{name} is empty; give a list of {what}.")
    return found


def check_embeds(estimator: BaseEstimator | Callable | None) -> None:
    """Raise ValueError unless the estimator is valid for `fitted_embedding`."""
    check_instance(estimator, "estimator")
    if not hasattr(estimator, "transform") and estimator is not None and not callable(estimator):
        raise ValueError(
            f"estimator={estimator!r} should be an estimator with transform, a function of points, or None."
        )


def checked(estimator: BaseEstimator | Callable | None, X: ArrayLike, **columns: ArrayLike) -> tuple:
    """Validate the estimator, its points, and arrays with a value for each point: (X, column, ...)."""
    check_embeds(estimator)
    X = points(X, estimator)
    return X, *(column(values, name, X.shape[0]) for name, values in columns.items())


def fitted_embedding(
    estimator: BaseEstimator | Callable | None, X: Any, y: Any = None, *, sparse: bool = False, **metadata: Any
) -> Callable:
    """Fit a clone of an estimator, and return a function from points to embeddings."""
    if estimator is None:
        embed, source = unchanged, "X"
    elif hasattr(estimator, "transform"):
        embed, source = clone(estimator).fit(X, y, **metadata).transform, f"estimator={type(estimator).__name__}()"
    else:
        embed, source = estimator, f"estimator={estimator!r}"
    return lambda points: embeddings(embed(points), points.shape[0], source, sparse=sparse)


def unchanged(points: Any) -> Any:
    """Return the points as their embeddings."""
    return points


def times(begin: float, fitted: float) -> dict[str, float]:
    """Seconds of fitting, from ``begin`` to ``fitted``, and of scoring, from then to now."""
    return {"fit_time": fitted - begin, "score_time": time.perf_counter() - fitted}


def table(results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Join a dictionary for each fold to a dictionary of arrays."""
    return {name: np.array([result[name] for result in results]) for name in results[0]}
