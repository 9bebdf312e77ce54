"""Points that are read by blocks of rows: arrays and tables larger than `LARGE`, and sparse matrices."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from metricnets._arrays import dense
from metricnets._linalg import middle
from metricnets._tables import FLOATS, N_BYTES, Table
from metricnets._weights import rows_of

LARGE = N_BYTES // 8  # entries of an array above which it is read by blocks, of which each is in double precision
BLOCK = 2**21  # entries of a block; of a sparse one those that are stored


class Blocks:
    """Points that are read by blocks of rows.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Validated; an array may be a memory map.
    """

    def __init__(self, X: np.ndarray | csr_matrix) -> None:
        self.X, self.shape, self.dtype = X, X.shape, precision(X.dtype)
        self.is_array, self.kind = isinstance(X, np.ndarray), "sparse matrix" if issparse(X) else "array"

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """The rows with these numbers, in ascending order, as an array."""
        return dense(self._part(numbers))

    def whole(self) -> np.ndarray:
        """All rows, as an array."""
        return self._part(slice(None))

    def origin(self) -> np.ndarray:
        """A point near the rows, as `middle`."""
        return middle(self.X)

    def summed(self, sums: Callable, merged: Callable, *columns: np.ndarray | None) -> Any:
        """Merge what ``sums(X, *columns)`` returns of each block of the rows, and of columns (n,) that may be None."""
        parts = (sums(self._part(rows), *(rows_of(each, rows) for each in columns)) for rows in self._slices())
        return functools.reduce(merged, parts)

    def _part(self, rows: slice | np.ndarray) -> np.ndarray | csr_matrix:
        return self.X[rows]

    def _slices(self) -> Iterator[slice]:
        n, d = self.shape
        width = max(self.X.nnz / n, 1) if issparse(self.X) else d
        step = max(int(BLOCK / width), 1)
        return (slice(start, start + step) for start in range(0, n, step))


class CheckedBlocks(Blocks):
    """The rows of a `Table`, of which each block is checked when it is read."""

    def __init__(self, X: Table) -> None:
        super().__init__(X)
        self.is_array, self.like = True, X  # what has the number of features, and their names

    def origin(self) -> np.ndarray:
        return middle(self._part(next(self._slices())))

    def _part(self, rows):
        return checked(self.X[rows])

    def validated(self, learner: Any, y: np.ndarray | None, reset: bool) -> np.ndarray | None:
        """Check the features and y as ``validate_data`` does; the numbers are checked when they are read."""
        if len(self.shape) != 2:
            raise ValueError(f"X has shape {self.shape}; it should have a row of features for each sample.")
        validate_data(learner, self.like, y, reset=reset, skip_check_array=True)
        if len(self) < 2:
            raise ValueError(f"X has {len(self)} sample(s), and {type(learner).__name__} needs at least 2.")
        if y is None:
            return None
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_consistent_length(self, y)
        return y


def checked(X: Any) -> Any:
    """Rows of X, validated: an array or a sparse matrix of finite numbers."""
    return check_array(X, dtype=FLOATS, accept_sparse="csr", ensure_min_samples=0, input_name="X")


def precision(dtype: np.dtype) -> np.dtype:
    """That of a metric of points of this type: single precision for such points, and double precision for others."""
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def few_as_array(X: csr_matrix, name: str) -> np.ndarray | csr_matrix:
    """Sparse rows, as an array if it has no more numbers than the matrix of the metric; errors as `check_square`."""
    check_square(X.shape[1], name)
    return X.toarray() if X.shape[0] <= X.shape[1] else X


def check_square(d: int, name: str, n_matrices: int = 5) -> None:
    """Raise ValueError if ``n_matrices`` of d × d numbers in double precision exceed the memory of the machine."""
    needed, memory = 8 * d**2 * n_matrices, memory_of_machine()
    if memory is not None and needed > memory:
        raise ValueError(
            f"X has {d} features, and {name} needs {n_matrices} matrices of {d} × {d}, {needed / 2**30:.3g} GB. "
            f"This machine has {memory / 2**30:.3g} GB of memory. Reduce the features, for example by TruncatedSVD."
        )


def memory_of_machine() -> int | None:
    """Bytes of memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
