"""Weights of samples or tuples: their validation, and means with and without them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array, rows_at


def check_weights(
    weights: ArrayLike | float | None, n: int, name: str = "sample_weight", of: str = "samples"
) -> np.ndarray | None:
    """Validate weights; the result is None if they are None.

    Parameters
    ----------
    weights : array-like of shape (n,), float or None
        Non-negative, finite and not all 0; a number is the weight of all.
    n : int
        Number of samples or tuples.
    name : str
        Name of the parameter, for messages.
    of : str
        What is weighted, for messages.

    Returns
    -------
    weights : ndarray of float64 of shape (n,), a new array, or None

    Raises
    ------
    ValueError
        If they do not have this form.
    """
    if weights is None:
        return None
    weights = np.full(n, weights) if isinstance(weights, Real) else weights
    weights = checked_array(weights, name, ensure_2d=False, allow_nd=True, dtype=np.float64, copy=True)
    if weights.shape != (n,):
        raise ValueError(f"{name} has shape {weights.shape}; it should hold one weight for each of the {n} {of}.")
    if weights.min() < 0:
        place = int(weights.argmin())
        raise ValueError(f"{name} should not be negative; {name}[{place}] is {weights[place]:.3g}.")
    if weights.max() == 0:
        raise ValueError(f"{name} is zero for all {of}; give some of them a positive weight.")
    return weights


def counted(weights: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Find the rows whose weight is not 0.

    Returns
    -------
    rows : ndarray of bool of shape (n,), or None if that is all
    weights : ndarray of shape (n_counted,), or None
        The weights of these rows; None if all are 1.
    """
    if weights is None:
        return None, None
    rows = weights > 0
    found = weights[rows]
    return None if rows.all() else rows, None if (found == 1).all() else found


def rows_counted(weights: np.ndarray | None, *arrays: Any) -> tuple:
    """The rows of positive weight of each array, data frame or sparse matrix; last the weights, as `counted`."""
    rows, weights = counted(weights)
    return *(arrays if rows is None else (rows_at(array, rows, "X") for array in arrays)), weights


def kept_rows(weights: ArrayLike | float | None, n_kept: int) -> np.ndarray:
    """Where the ``n_kept`` rows of positive weight stood before `rows_counted`."""
    is_array = not (weights is None or isinstance(weights, Real))
    return np.flatnonzero(np.asarray(weights) > 0) if is_array else np.arange(n_kept)


def rows_of(weights: np.ndarray | None, rows: Any) -> np.ndarray | None:
    """The weights, or another array, of some rows; None stays None."""
    return None if weights is None else weights[rows]


def weights_of_tuples(weights: np.ndarray | None, members: np.ndarray) -> np.ndarray | None:
    """Products of the weights of the samples of each tuple (n_tuples, size), with mean 1; None stays None."""
    if weights is None:
        return None
    products = weights[members].prod(axis=1)
    return products / products.mean()


def total_of(weights: np.ndarray | None, n: int) -> float:
    """How many samples the weights count, or ``n`` if there are none."""
    return n if weights is None else float(weights.sum())


def mean_of(X: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of the rows of X (n, ...), weighted unless ``weights`` is None."""
    return X.mean(axis=0) if weights is None else weights @ X / weights.sum()


def scaled_rows(X: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The rows of X (n, d) times the roots of their weights, so that Xᵀ X becomes the weighted sum Σ w x xᵀ."""
    return X if weights is None else X * np.sqrt(weights)[:, None]


def scatter(X: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean outer product (d, d) of the rows of X (n, d), weighted unless ``weights`` is None."""
    rows = scaled_rows(X, weights)
    return rows.T @ rows / (len(X) if weights is None else float(weights.sum()))


def weighted_quantile(values: np.ndarray, q: ArrayLike, weights: np.ndarray | None = None) -> np.ndarray:
    """Quantiles of values (n,): interpolated, as NumPy's; with weights the first value that reaches a share of q."""
    if weights is None:
        return np.quantile(values, q)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.minimum(np.searchsorted(reached, np.asarray(q) - 1e-12), len(values) - 1)]
