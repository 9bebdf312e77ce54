"""Targets of several tasks: a column of classes each, some of them not annotated; and label sets, tasks of columns."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import dense
from metricnets._labels import UNKNOWN, known_classes
from metricnets.exceptions import did_you_mean


@dataclass
class Tasks:
    """The classes of each column, and the task to which it belongs.

    Parameters
    ----------
    names : list
        Names of the columns, or their numbers.
    classes : list of ndarray
        The classes of each column.
    group : ndarray of int of shape (n_columns,)
        Number of the task of each column; the columns of a label set are one task.
    one_dimensional : bool
        Whether the targets have one dimension.
    """

    names: list
    classes: list
    group: np.ndarray
    one_dimensional: bool = False

    def pairs(self) -> list[tuple[int, int]]:
        """The ordered pairs of columns of different tasks."""
        columns = range(len(self.names))
        return [(a, b) for a in columns for b in columns if self.group[a] != self.group[b]]

    def shares(self) -> np.ndarray:
        """The weights of `shares_of`."""
        return shares_of(self.group)

    def place(self, column: Hashable, name: str) -> int:
        """The position of a column; ValueError, naming the parameter, if there is none of this name."""
        if column in self.names:
            return self.names.index(column)
        raise ValueError(
            f"{name} has the column {column!r}, which y does not have; its columns are {self.names!s:.200}."
            f"{did_you_mean(str(column), map(str, self.names))}"
        )

    def codes(self, y: Any, name: str, may_be_new: bool = False) -> np.ndarray:
        """Class codes (n, n_columns) of other targets, −1 if unknown; ValueError for columns or classes not in y.

        The columns of a data frame are found by their names, if those of y have names too.  New classes, if there may
        be some, have the code after the last one.
        """
        columns = self._in_order(*columns_of(y, name)[:2], name)
        coded = []
        for column, label, classes in zip(columns, self.names, self.classes):
            found, codes = known_classes(column)
            numbers = {each: number for number, each in enumerate(classes.tolist())}
            places = [numbers.get(each, len(numbers)) for each in found.tolist()]
            new = [each for each, place in zip(found.tolist(), places) if place == len(numbers)]
            if new and not may_be_new:
                raise ValueError(f"{name} has the class {new[0]!r} in column {label!r}, which y does not have.")
            coded.append(np.array([*places, UNKNOWN])[codes])  # −1 is the last one
        return np.stack(coded, axis=1)

    def _in_order(self, columns, names, name):
        """Columns in the order of those of ``fit``."""
        if len(columns) != len(self.names):
            raise ValueError(
                f"{name} should have the {len(self.names)} columns of the y of fit, one for each task; it has "
                f"{len(columns)}."
            )
        numbers = list(range(len(columns)))
        if numbers in (names, self.names):
            return columns
        missing = [label for label in self.names if label not in names]
        if missing:
            raise ValueError(f"{name} has no column {missing[0]!r}; its columns are {names!s:.200}, not those of fit.")
        return [columns[names.index(label)] for label in self.names]


def shares_of(groups: np.ndarray) -> np.ndarray:
    """Weights of columns, which sum to 1: their tasks have the same weight, and so have the columns of a task.

    >>> shares_of(np.array([0, 1, 1]))
    array([0.5 , 0.25, 0.25])
    """
    number = np.unique(groups, return_inverse=True)[1]
    return 1 / (np.bincount(number)[number] * (number.max() + 1))


def read_tasks(y: ArrayLike, label_sets: Sequence | None = None) -> tuple[Tasks, np.ndarray]:
    """Read the targets of several tasks.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n, n_columns) or (n,)
        Classes; None, NaN or a negative number where a sample is not annotated.
    label_sets : list of lists of columns, or None
        Columns by name or number that are the labels of one task.

    Returns
    -------
    tasks : Tasks
    codes : ndarray of int64 of shape (n, n_columns)
        Class codes; −1 if unknown.

    Raises
    ------
    ValueError
        If a task has fewer than two classes, or ``label_sets`` does not have this form.

    Examples
    --------
    >>> read_tasks([["a", 1], ["b", None], [None, 2]])[1]
    array([[ 0,  0],
           [ 1, -1],
           [-1,  1]])
    """
    columns, names, one_dimensional = columns_of(y)
    classes, codes = zip(*(_classes_of(*each, one_dimensional) for each in zip(columns, names)))
    tasks = Tasks(names, list(classes), np.arange(len(columns)), one_dimensional)
    tasks.group = _groups(tasks, label_sets)
    sizes = np.array([len(each) for each in classes])
    for group in np.unique(tasks.group):
        members = np.flatnonzero(tasks.group == group)
        if sizes[members].max() < 2:
            name, found = names[members[0]], classes[members[0]].tolist()
            has = f"one class only, {found[0]}" if found else "no known classes"
            where = "" if len(columns) == 1 else f" in column {name!r}"
            raise ValueError(
                f"y has {has}{where}; a task needs two. Negative numbers, None and NaN are not annotated: number the "
                "classes from 0."
            )
    return tasks, np.stack(codes, axis=1)


def columns_of(y: Any, name: str = "y") -> tuple[list, list, bool]:
    """The columns of targets, their names or numbers, and whether the targets have one dimension."""
    if hasattr(y, "columns"):  # a data frame, whose columns have types of their own
        names = list(y.columns)
        twice = [label for label in names if names.count(label) > 1]
        if twice:
            raise ValueError(f"{name} has several columns of the name {twice[0]!r}; give each task a name of its own.")
        return [np.asarray(y[label], dtype=object) for label in names], names, False
    y = np.array(y, dtype=object) if isinstance(y, list | tuple) else np.asarray(dense(y))
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise ValueError(f"{name} should have a column for each task, shape (n_samples, n_tasks); got {y.shape}.")
    columns = list(y.T) if y.ndim == 2 else [y]
    return columns, list(range(len(columns))), y.ndim == 1


def _classes_of(column, label, one_dimensional):
    try:
        return known_classes(column)
    except ValueError as error:
        where, message = "y" if one_dimensional else f"y in column {label!r}", str(error)
        if "continuous" in message:
            message = (
                f"{message.removesuffix('.')}; tasks are classes. Bin real targets, for example with KBinsDiscretizer, "
                "or learn one of them with EmbeddingNet or MLKR."
            )
        raise ValueError(f"{where}: {message}") from None


def _groups(tasks, label_sets):
    """Number of the task of each column, in the order of their first columns."""
    members = np.arange(len(tasks.names))
    taken = set()
    for labels in label_sets or ():
        if isinstance(labels, str) or not isinstance(labels, Sequence) or not len(labels):
            raise ValueError(f"label_sets should hold lists of columns, one for each label set; got {labels!r}.")
        places = [tasks.place(label, "label_sets") for label in labels]
        if taken & {*places} or len({*places}) < len(places):
            raise ValueError(f"label_sets={label_sets} has a column twice; a column is in one task.")
        taken |= {*places}
        members[places] = min(places)
    return np.unique(members, return_inverse=True)[1]
