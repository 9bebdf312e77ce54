"""Tables of points that are read by blocks of rows: arrays larger than `LARGE`, and sparse matrices."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from metricnets._linalg import middle
from metricnets._weights import rows_of

LARGE = 2**25  # entries of an array above which it is read by blocks: 256 MB in double precision
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
        found = self.X[numbers]
        return found.toarray() if issparse(found) else found

    def origin(self) -> np.ndarray:
        """A point near the rows, as `middle`."""
        return middle(self.X)

    def summed(self, sums: Callable, merged: Callable, *columns: np.ndarray | None) -> Any:
        """Merge what ``sums(X, *columns)`` returns of each block of the rows, and of columns (n,) that may be None."""
        parts = (sums(self.X[rows], *(rows_of(each, rows) for each in columns)) for rows in self._slices())
        return functools.reduce(merged, parts)

    def _slices(self) -> Iterator[slice]:
        n, d = self.shape
        width = max(self.X.nnz / n, 1) if issparse(self.X) else d
        step = max(int(BLOCK / width), 1)
        return (slice(start, start + step) for start in range(0, n, step))


def precision(dtype: np.dtype) -> np.dtype:
    """That of a metric of points of this type: single precision for such points, and double precision for others."""
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


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
