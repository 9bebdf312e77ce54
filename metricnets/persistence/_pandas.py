"""Data frames of numbers, such as the relatedness of two tasks by the names of their classes."""

from __future__ import annotations

import numpy as np
import pandas

from metricnets.persistence._containers import of_type
from metricnets.persistence._tree import Kind, Reader, Writer, refusal

NUMBERS = "biuf"


def _write_frame(frame, writer: Writer, where: str):
    columns = [column.to_numpy() for _, column in frame.items()]
    if not all(isinstance(dtype, np.dtype) and dtype.kind in NUMBERS for dtype in frame.dtypes):
        raise TypeError(refusal(frame, where, "and has columns that are no numbers"))
    return [writer(columns, where), *(_write_labels(axis, writer, where) for axis in (frame.index, frame.columns))]


def _write_labels(labels, writer: Writer, where: str):
    """Names of rows or columns, and the name of all of them."""
    if isinstance(labels, pandas.MultiIndex):
        raise TypeError(refusal(labels, where))
    return [writer(labels.tolist(), where), writer(labels.name, where)]


def _read_frame(content, reader: Reader):
    columns, rows, names = content
    columns = reader.of_type(columns, list)
    if not all(type(column) is np.ndarray and column.dtype.kind in NUMBERS for column in columns):
        raise ValueError("it has a data frame of something else than numbers.")
    reader.use(*columns)
    index = _read_labels(rows, reader)
    frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
    frame.columns = _read_labels(names, reader)
    return frame


def _read_labels(content, reader: Reader):
    labels, name = reader.of_type(content[0], list), reader(content[1])
    if not all(type(label) in (str, int, float, bool, type(None)) for label in [*labels, name]):
        raise ValueError("it has a data frame whose rows or columns have names that are neither text nor numbers.")
    return pandas.Index(labels, name=name)


KINDS = {"frame": Kind(of_type(pandas.DataFrame), _write_frame, _read_frame)}
