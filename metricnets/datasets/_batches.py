"""Batches: a table of points that is stored as a sequence of batches, such as the row groups of Parquet files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from metricnets._lazy import needed
from metricnets._tables import REAL, Table, parts_of
from metricnets.datasets._loading.arrow import RowGroups, Slices
from metricnets.exceptions import did_you_mean

N_IN_WINDOW = 2**25  # numbers of the batches that are kept in memory, 128 megabytes in single precision


class Batches(Table):
    """A table of points that is stored as a sequence of batches, which are read when they are needed.

    Deep learners take it in place of an array, in ``fit`` and in ``transform``, and read a few batches at a time, and
    so do linear learners that sum, see :ref:`large_linear`; other estimators read all of it into an array, as
    ``np.asarray`` does.  ``batches[rows]`` are the points of some rows.

    Parameters
    ----------
    batches : sequence
        ``len(batches)`` batches, of which ``batches[i]`` is an array-like or a sparse matrix of shape (n_i, ...), the
        same each time.  It may be a list, or an object that reads batch i from a file.
    lengths : array-like of int or None, default=None
        The number of rows of each batch; None reads every batch once to count them.

    Attributes
    ----------
    shape : tuple
        Number of rows, followed by the shape of a point.
    dtype : dtype
        float32 if the first batch is of single or half precision, otherwise float64.

    See Also
    --------
    make_planted_metric : Makes points and their classes.

    Notes
    -----
    The batches that were read last are kept, as many as have 2**25 numbers, 128 megabytes in single precision, but two
    at least.  Training on a table that is kept in memory, see :ref:`large`, reads each batch a few times before the
    first pass.  Otherwise a pass goes through windows of as many batches in random order, and forms its batches
    of the rows of a window, in random order too, so that it reads each batch once.  If samples are stored class by
    class, a window may have one class only, which has no dissimilar pair: store them in random order, or copy them by
    ``to_memmap``, of which a pass reads rows in any order.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import EmbeddingNet
    >>> from metricnets.datasets import Batches
    >>> X, y = np.random.default_rng(0).normal(size=(90, 5)), np.arange(90) % 3
    >>> batches = Batches([X[:30], X[30:60], X[60:]])
    >>> EmbeddingNet(max_epochs=1, random_state=0).fit(batches, y).transform(batches).shape
    (90, 64)
    """

    in_windows = True

    def __init__(self, batches: Sequence, lengths: ArrayLike | None = None):
        if not (hasattr(batches, "__len__") and hasattr(batches, "__getitem__")) or isinstance(batches, (str, dict)):
            raise TypeError(
                f"batches should be a sequence, with len(batches) and batches[i]; got {type(batches).__name__}.  What "
                "can be read once only, as a generator, has to be stored first."
            )
        if not len(batches):
            raise ValueError("batches has no batch; give one or more.")
        self.batches, self._recent = batches, {}
        first = _points(batches[0], 0)
        self.dtype = np.dtype(np.float32 if first.dtype in (np.float32, np.float16) else np.float64)
        self.shape = (0, *first.shape[1:])
        if lengths is None:
            lengths = [len(self._checked(i)) for i in range(len(batches))]
        lengths = np.asarray(lengths)
        if lengths.shape != (len(batches),) or lengths.dtype.kind not in "iu" or lengths.min() < 0:
            raise ValueError(
                f"lengths should hold the number of rows of each of {len(batches)} batches; got {lengths!r:.80}."
            )
        self.ends = lengths.cumsum()
        self.shape = (int(self.ends[-1]), *self.shape[1:])
        size = int(np.prod(self.shape[1:])) * max(1, int(lengths.max()))
        self.n_recent = max(2, N_IN_WINDOW // max(1, size))

    @classmethod
    def from_arrow(cls, table: Any) -> Self:
        """Take the columns of an Arrow table, numbers or lists of one length, side by side.

        Parameters
        ----------
        table : pyarrow.Table
            In memory, or mapped to memory from an Arrow file, of which the parts that are needed are read.

        Returns
        -------
        batches : Batches
        """
        needed("pyarrow", "Batches.from_arrow")
        parts = Slices(table)
        return cls(parts, parts.lengths())

    @classmethod
    def from_parquet(cls, paths: Any, columns: str | list[str] | None = None) -> Self:
        """Read columns of Parquet files, numbers or lists of one length, side by side.

        Parameters
        ----------
        paths : str, path, or list of these
            One or more files of the same columns, whose rows follow each other.  Each row group is a batch.
        columns : str, list of str or None, default=None
            The columns of the points, such as those without the target; None takes all.

        Returns
        -------
        batches : Batches

        Raises
        ------
        ValueError
            If a file is no Parquet file, or has no column of a name.
        """
        needed("pyarrow.parquet", "Batches.from_parquet")
        columns = [columns] if isinstance(columns, str) else columns
        paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
        _check_columns(paths, columns or ())
        groups = RowGroups([str(path) for path in paths], columns)
        return cls(groups, groups.lengths())

    def to_memmap(self, path: str | Path) -> np.memmap:
        """Copy the points to a file of NumPy, and map it to memory.

        A pass of training over such a file reads rows in any order.  It has the size of the table, and may be deleted
        afterwards.

        Parameters
        ----------
        path : str or path
            File that is written, ``.npy``.

        Returns
        -------
        X : memmap of shape ``shape``
            Read-only.
        """
        try:
            X = np.lib.format.open_memmap(path, "w+", self.dtype, self.shape)
            for part in parts_of(self.shape):
                X[part] = self[part]
            X.flush()
        except BaseException:
            with contextlib.suppress(OSError):
                Path(path).unlink()
            raise
        return np.load(path, mmap_mode="r")

    def _read(self, rows):
        rows = np.arange(len(self))[rows]  # negative ones too; IndexError if one does not exist
        found, number = np.empty((len(rows), *self.shape[1:]), self.dtype), self._numbers(rows)
        for i in np.unique(number):
            here = number == i
            found[here] = self._batch(i)[rows[here] - (self.ends[i - 1] if i else 0)]
        return found

    def windows_of(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row the number of its window, of windows of as many batches as are kept in memory."""
        place = rng.permutation(len(self.ends))
        return (place // self.n_recent)[self._numbers(rows)]

    def _numbers(self, rows):
        return np.searchsorted(self.ends, rows, side="right")

    def _batch(self, i):
        batch = self._recent.pop(i, None)
        batch = self._checked(i) if batch is None else batch
        self._recent[i] = batch  # the last one
        for old in list(self._recent)[: -self.n_recent]:
            self._recent.pop(old, None)
        return batch

    def _checked(self, i):
        """The points of a batch; ValueError if they do not suit the others."""
        batch = _points(self.batches[i], i)
        n = len(batch) if not self.shape[0] else int(np.diff(self.ends, prepend=0)[i])
        if batch.shape != (n, *self.shape[1:]):
            raise ValueError(f"batch {i} has shape {batch.shape}; it should be {(n, *self.shape[1:])}.")
        return batch

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_recent": {}}


def _check_columns(paths, columns):
    """Raise ValueError, with the path, unless these are Parquet files that have the columns."""
    parquet = needed("pyarrow.parquet", "Batches.from_parquet")
    for path in paths:
        try:
            names = parquet.read_schema(path).names
        except ValueError as error:
            raise ValueError(f"{path} is not a Parquet file: {error}") from error
        for name in columns:
            if name not in names:
                raise ValueError(f"{path} has no column {name!r}; it has {names!s:.200}.{did_you_mean(name, names)}")


def _points(batch, i):
    """A batch as an array of numbers; ValueError if it is none."""
    points = batch.toarray() if issparse(batch) else np.asarray(batch)
    if points.dtype.kind not in REAL or points.ndim < 2:
        raise ValueError(
            f"batch {i} is an array of {points.dtype} of shape {points.shape}; it should hold real numbers, a row for "
            "each point."
        )
    return points
