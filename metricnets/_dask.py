"""Arrays and data frames of Dask that are read by blocks of rows, which are their chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import numpy as np
from dask.array import Array

from metricnets._arrays import dense
from metricnets._blocks import Blocks, CheckedBlocks, checked, precision
from metricnets._linalg import middle
from metricnets._weights import rows_of


class DaskBlocks(CheckedBlocks):
    """The rows of an array of Dask; the sums of its chunks are tasks, and are merged two at a time.

    Parameters
    ----------
    X : Array of shape (n, d)
    like : ndarray or data frame of shape (0, d)
        Without rows, for the names of the features.
    """

    def __init__(self, X: Array, like: Any) -> None:
        self.X, self.shape, self.like, self.is_array, self.kind = X, X.shape, like, False, "table of Dask"
        self.dtype = precision(X.dtype)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        return dense(checked(self.X[numbers].compute()))

    def origin(self) -> np.ndarray:
        first = int(np.argmax(np.array(self.X.chunks[0]) > 0))
        return middle(checked(self.X.blocks[first].compute()))

    def summed(self, sums: Callable, merged: Callable, *columns: np.ndarray | None) -> Any:
        of_chunk, pair = dask.delayed(sums_of_chunk, pure=False), dask.delayed(merged, pure=False)
        ends = np.cumsum(self.X.chunks[0])
        rows = [slice(end - n, end) for end, n in zip(ends, self.X.chunks[0])]
        parts = [
            of_chunk(chunk, sums, merged, *(rows_of(each, own) for each in columns))
            for chunk, own in zip(self.X.to_delayed().ravel(), rows)
            if own.stop > own.start
        ]
        while len(parts) > 1:
            odd = parts[len(parts) // 2 * 2 :]
            parts = [pair(*both) for both in zip(parts[::2], parts[1::2])] + odd
        return parts[0].compute()


def of_dask(X: Any, *columns: Any) -> tuple:
    """`DaskBlocks`, and columns in memory; ValueError unless X is a table whose chunks have known numbers of rows.

    The numbers of rows of a data frame are counted, which reads it once.
    """
    like = X._meta if hasattr(type(X), "to_dask_array") else None
    X = in_chunks_of_rows(X if like is None else X.to_dask_array(lengths=True), "X", 2)
    return DaskBlocks(X, np.empty((0, X.shape[1])) if like is None else like), *dask.compute(*columns)


def pairs_of_dask(pairs: Any, *columns: Any, n_first: int) -> tuple:
    """The points of the first pairs, `DaskBlocks` of the differences of all, and columns in memory."""
    pairs = in_chunks_of_rows(pairs, "pairs", 3)
    if pairs.shape[1] != 2:
        raise ValueError(f"pairs should have shape (n_pairs, 2, n_features); got {pairs.shape}.")
    first = checked(pairs[:n_first].reshape(-1, pairs.shape[2]).compute()).astype(float)
    both = pairs.astype(float)
    differences = DaskBlocks(both[:, 0] - both[:, 1], None)
    differences.dtype = precision(pairs.dtype)
    return first, differences, *dask.compute(*columns)


def in_chunks_of_rows(X: Any, name: str, ndim: int) -> Array:
    """An array of Dask of which the first axis alone is in chunks, of known sizes."""
    if not isinstance(X, Array) or X.ndim != ndim:
        raise ValueError(f"{name} should be an array of Dask with {ndim} dimensions; got {X!r}.")
    if np.isnan(X.shape).any():
        raise ValueError(
            f"{name} has chunks of unknown size, as after a selection of rows; call {name}.compute_chunk_sizes() first."
        )
    return X.rechunk(dict.fromkeys(range(1, ndim), -1)) if any(len(each) > 1 for each in X.chunks[1:]) else X


def sums_of_chunk(X: Any, sums: Callable, merged: Callable, *columns: np.ndarray | None) -> Any:
    """What `Blocks.summed` returns of one chunk: a task."""
    return Blocks(checked(X)).summed(sums, merged, *columns)
