"""Tables whose rows are read some at a time: sparse matrices, arrays that are large, parts and sequences of these."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

N_BYTES = 2**28  # of a table up to which it may be copied, in the precision that learners use
LARGEST = N_BYTES // 4  # numbers of such a table, of deep learners; linear ones have double precision, `_blocks.LARGE`
FLOATS = [np.float64, np.float32]  # types of points that are kept; others become the first
REAL = "fiub"  # kinds of numbers
N_AT_ONCE, N_NUMBERS = 4096, 2**24  # rows that are taken at a time, and, of a larger table, their numbers


class Table:
    """Points of which some at a time are read, ``table[rows]``, as a dense array.

    Parameters
    ----------
    source : object with ``shape``
        What rows are read from: an array, a matrix in CSR form, or a table.
    dtype : dtype or None
        Type of the points that are read; None for that of the source.
    """

    def __init__(self, source: Any, dtype: Any = None):
        self.source, self.shape = source, tuple(source.shape)
        self.dtype = np.dtype(source.dtype if dtype is None else dtype)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The points of a slice, of an array of row numbers of any shape, or of a mask."""
        if isinstance(rows, tuple):  # as scikit-learn's splits index arrays
            if any(each is not Ellipsis and each != slice(None) for each in rows[1:]):
                raise IndexError(f"{type(self).__name__} reads whole rows; got the index {rows!r:.80}.")
            rows = rows[0]
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
            if rows.ndim != 1:
                return self[rows.ravel()].reshape(*rows.shape, *self.shape[1:])
        return np.asarray(self._read(rows), dtype=self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def _read(self, rows: slice | np.ndarray) -> np.ndarray:
        """Hook: the points of a slice or of an array of row numbers."""
        part = self.source[rows]
        return part.toarray() if issparse(part) else part

    @cached_property
    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of each feature; not finite if one of the values is not."""
        low = high = self[:1][0]
        for part in parts_of(self.shape):
            points = self[part]
            low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        return low, high

    @property
    def in_windows(self) -> bool:
        """Whether a pass over the rows should go from window to window, as rows of a window are read together."""
        return isinstance(self.source, Table) and self.source.in_windows

    def windows_of(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row the number of its window, of windows that are drawn anew."""
        return self.source.windows_of(rows, rng) if isinstance(self.source, Table) else np.zeros(len(rows), int)

    def taken(self, rows: np.ndarray) -> Self:
        """The table of some of the rows, numbers or a mask, of which none are read."""
        return Taken(self, rows)


class Taken(Table):
    """Some rows of a table, in the order of their numbers."""

    def __init__(self, source: Any, rows: np.ndarray):
        super().__init__(source)
        self.rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        self.shape = (len(self.rows), *self.shape[1:])

    def _read(self, rows):
        return super()._read(self.rows[rows])

    def windows_of(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Those of the rows of the source."""
        return super().windows_of(self.rows[rows], rng)


class Stacked(Table):
    """The rows of a table, followed by those of another one; the type is that of the first."""

    def __init__(self, source: Any, below: Any):
        super().__init__(source)
        self.below, self.shape = below, (len(source) + len(below), *self.shape[1:])

    def _read(self, rows):
        rows, n = np.arange(len(self))[rows] if isinstance(rows, slice) else rows % len(self), len(self.source)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        above = rows < n
        found[above], found[~above] = self.source[rows[above]], self.below[rows[~above] - n]
        return found

    @property
    def in_windows(self) -> bool:
        """Whether those of one of the tables should."""
        return any(isinstance(each, Table) and each.in_windows for each in (self.source, self.below))

    def windows_of(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Those of one of the tables, if all rows are from it."""
        n = len(self.source)
        for source, start, are_there in ((self.source, 0, rows < n), (self.below, n, rows >= n)):
            if are_there.all() and isinstance(source, Table):
                return source.windows_of(rows - start, rng)
        return np.zeros(len(rows), int)


def is_table(X: Any) -> bool:
    """Whether points are read some at a time: a sparse matrix, a table, or an array that is large."""
    of_numbers = isinstance(X, np.ndarray) and X.dtype.kind in REAL
    return issparse(X) or isinstance(X, Table) or (of_numbers and is_large(X.shape))


def advice_on(X: Any, y: Any = None, shape: tuple[int, ...] | None = None) -> str:
    """What to give in place of an X that is no table: the name of a file, an Arrow table of lists, a list of arrays.

    ``shape`` is that of a point, if it is known.
    """
    batches = "metricnets.datasets.Batches"
    if isinstance(X, (str, os.PathLike)):
        return f"X is the name of a file, {os.fspath(X)!r}: give {batches}.from_parquet({os.fspath(X)!r})."
    kinds = getattr(getattr(X, "schema", None), "types", ()) if type(X).__module__.startswith("pyarrow") else ()
    if any(kind.num_fields for kind in kinds):
        return f"X is an Arrow table with lists in a column: give {batches}.from_arrow(X)."
    if isinstance(X, (list, tuple)) and X and all(getattr(part, "ndim", 0) > 1 for part in X):
        rows = y.shape if hasattr(y, "shape") else (len(y),) if isinstance(y, (list, tuple)) else ()
        of_points = shape is not None and all(part.shape[1:] == shape for part in X)
        if of_points or rows[:1] == (sum(part.shape[0] for part in X),):  # else they may be images, or tuples
            return f"X is a {type(X).__name__} of {len(X)} arrays: give {batches}(X)."
    return ""


def advise(error: Exception, X: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError if there is `advice_on` points X, of this shape each, which were refused by an error."""
    if advice := advice_on(X, shape=shape):
        raise ValueError(f"{advice}  {error}") from error


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape has more than `LARGEST` numbers."""
    return int(np.prod(shape, dtype=object)) > LARGEST


def parts_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of rows of an array of this shape: at most `N_AT_ONCE` rows and, if it is large, `N_NUMBERS` numbers."""
    size = N_AT_ONCE
    if is_large(shape):
        size = max(1, min(size, N_NUMBERS // int(np.prod(shape[1:], dtype=object))))
    return gen_batches(shape[0], size)


def checked_table(X: Any, name: str, dtype: list, finite: bool | str = True) -> Table:
    """A table of an array, a sparse matrix or a table; ValueError unless it holds real numbers, which are finite.

    Its type is that of the source if it is one of ``dtype``, otherwise the first of these.
    """
    kind = np.dtype(X.dtype)
    if kind.kind not in REAL:
        raise ValueError(f"{name} holds {kind}, and points are real numbers; convert it first.")
    X = Table(X, kind if kind in dtype else dtype[0])
    if finite is True and kind.kind == "f" and not all(np.isfinite(each).all() for each in X.extent):
        found = "NaN" if np.isnan(X.extent).any() else f"infinity or a value too large for dtype({str(X.dtype)!r})"
        raise ValueError(f"Input {name} contains {found}.")
    return X
