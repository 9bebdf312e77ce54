"""Attribute-relation files, dense and sparse; SciPy reads dense ones only."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

ATTRIBUTE = re.compile(r"""@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.+)""", re.IGNORECASE)
NUMERIC = {"numeric", "real", "integer"}


class Table(NamedTuple):
    """The contents of a file.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Nominal values that are numbers as these numbers, other ones as their place in the declaration; NaN if missing.
    names : ndarray of str of shape (n_columns,)
    nominal : ndarray of bool of shape (n_columns,)
    """

    values: np.ndarray
    names: np.ndarray
    nominal: np.ndarray


def read(text: str) -> Table:
    r"""Read a table.

    >>> read("@relation r\n@attribute 'a b' real\n@attribute c {no, yes}\n@data\n1.5, yes\n{0 2}").values
    array([[1.5, 1. ],
           [2. , 0. ]])
    """
    lines = iter(filter(None, map(str.strip, text.splitlines())))
    names, kinds = [], []
    for line in lines:
        if line.lower() == "@data":
            break
        if found := ATTRIBUTE.match(line):
            names.append(found[1].strip("'\""))
            kinds.append(_codes(found[2].strip()))
    values = np.array([_row(line, kinds) for line in lines if line[0] != "%"])
    return Table(values, np.array(names), np.array([kind is not None for kind in kinds]))


def _codes(kind):
    """Numbers of the values of a nominal attribute; None for a numeric one."""
    if kind.lower() in NUMERIC:
        return None
    if kind[0] + kind[-1] != "{}":
        raise ValueError(f"attributes of type {kind!r} cannot be read")
    declared = _split(kind[1:-1])
    try:
        return {value: float(value) for value in declared}
    except ValueError:
        return {value: float(place) for place, value in enumerate(declared)}


def _row(line, kinds):
    if line[0] != "{":
        return [_number(value, kind) for value, kind in zip(_split(line), kinds, strict=True)]
    row = [0.0 if kind is None else next(iter(kind.values())) for kind in kinds]
    for entry in _split(line.strip("{}")):
        column, value = entry.split(maxsplit=1)
        row[int(column)] = _number(value.strip("'\""), kinds[int(column)])
    return row


def _number(value, kind):
    if value == "?":
        return np.nan
    return float(value) if kind is None else kind[value]


def _split(line: str) -> Iterable[str]:
    quote = '"' if '"' in line else "'"
    return [value.strip() for value in next(csv.reader([line], quotechar=quote, skipinitialspace=True), [])]
