"""Values as a tree of JSON and back: what is shared is written once, and depth is bounded.

A string, an integer, a finite number, a truth value and None are themselves.  Everything else is an object with one
entry, ``{kind: content}``, and is counted, so that it can be referred to as ``{"same": number}`` afterwards.  Arrays
are kept beside the tree by name.  As a number refers to what was finished before, a file has no cycles.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from metricnets.persistence._names import Names

PLAIN = (str, bool, type(None))
SMALL = 2**63  # integers that every reader of JSON can read
DEPTH = 64
USES = 100  # of one array, to build search trees for instance
LARGEST = 2**26  # values, each counted as often as it occurs: lists of a list twice, and so on, would be endless


class Kind(NamedTuple):
    """How values of a kind are written and read.

    Parameters
    ----------
    takes : callable
        Whether a value is of this kind.
    write : callable
        ``(value, writer, where) -> content``, where ``where`` says what the value is, for messages.
    read : callable
        ``(content, reader) -> value``; any exception says that the file is wrong.
    """

    takes: Callable[[Any], bool]
    write: Callable[[Any, Writer, str], Any]
    read: Callable[[Any, Reader], Any]


class Writer:
    """Writes values as a tree, and collects their arrays by name.

    Parameters
    ----------
    kinds : dict of `Kind`
    """

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self.kinds, self.arrays = kinds, {}
        self._numbers, self._kept, self._open = {}, [], set()  # numbers by id, values by number, ids

    def __call__(self, value: Any, where: str) -> Any:
        """The tree of a value; TypeError if it cannot be written."""
        if type(value) in PLAIN or _is_plain_number(value):
            return value
        if id(value) in self._numbers:
            return {"same": self._numbers[id(value)]}
        if id(value) in self._open or len(self._open) == DEPTH:
            raise TypeError(f"{where:.80} cannot be saved: it contains itself, or is nested {DEPTH} levels deep.")
        self._open.add(id(value))
        name = next((name for name, kind in self.kinds.items() if kind.takes(value)), None)
        if name is None:
            raise TypeError(refusal(value, where))
        content = self.kinds[name].write(value, self, where)
        self._open.remove(id(value))
        self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)  # so that no other value gets its id
        return {name: content}

    def array(self, array: np.ndarray, where: str) -> str:
        """Keep a contiguous array, and return its name."""
        name = (where.partition(".")[2] or where).encode(errors="replace").decode()  # of text that UTF-8 has
        name = name if name not in self.arrays else f"{name} ({len(self.arrays)})"
        self.arrays[name] = array
        return name


class Reader:
    """Reads values from a tree.

    Parameters
    ----------
    kinds : dict of `Kind`
    names : Names
    arrays : dict of ndarray

    Attributes
    ----------
    size : int
        Number of values read, what is shared counted each time.
    """

    def __init__(self, kinds: dict[str, Kind], names: Names, arrays: dict[str, np.ndarray]) -> None:
        self.kinds, self.names, self.arrays = kinds, names, arrays
        self._made, self._sizes = [], []  # values, and of how many values each consists
        self._uses = Counter()  # of values, by their id
        self._depth = self.size = 0

    def __call__(self, tree: Any) -> Any:
        """The value of a tree; ValueError or another exception if it is wrong."""
        before = self.size
        self._grow(1)
        if type(tree) in PLAIN or _is_plain_number(tree):
            return tree
        ((name, content),) = tree.items()
        if name == "same":
            self._grow(self._sizes[content])
            return self._made[content] if content >= 0 else None
        if self._depth == DEPTH:
            raise ValueError(f"it is nested more than {DEPTH} levels deep.")
        self._depth += 1
        value = self.kinds[name].read(content, self)
        self._depth -= 1
        self._made.append(value)
        self._sizes.append(self.size - before)
        return value

    def _grow(self, n):
        self.size += n
        if self.size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} values.")

    def use(self, *values: Any) -> None:
        """Count that something is computed with values that were read; ValueError if they are used all over again."""
        for value in values:
            self._uses[id(value)] += value is not None
            if self._uses[id(value)] > USES:
                raise ValueError(f"it uses a {type(value).__name__} more than {USES} times.")

    def each(self, trees: list) -> list:
        """The values of several trees."""
        return [self(tree) for tree in trees]

    def of_type(self, tree: Any, *types: type) -> Any:
        """The value of a tree; ValueError if it is of another type."""
        value = self(tree)
        if type(value) not in types:
            raise ValueError(f"it has a {type(value).__name__} instead of a {types[0].__name__}.")
        return value


def _is_plain_number(value):
    return (type(value) is int and abs(value) < SMALL) or (type(value) is float and math.isfinite(value))


def refusal(value: Any, where: str, why: str = "of which metricnets does not know how to save the state") -> str:
    """The message for a value that cannot be written."""
    kind = value if isinstance(value, type) else type(value)
    if "SearchCV." in where:
        return f"{where} cannot be saved: it is of {kind.__module__}.{kind.__qualname__}. Save best_estimator_ alone."
    if kind.__module__.partition(".")[0] == "pandas":
        return f"{where} cannot be saved: it is of pandas, {why}; give an array, or a data frame of numbers."
    return (
        f"{where} cannot be saved: it is of {kind.__module__}.{kind.__qualname__}, {why}. Set it to None if it is a "
        "parameter that is not needed any more, or use pickle if the file needs no safety."
    )
