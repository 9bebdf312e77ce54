"""Samples to learn from: those of the user for validation behind them, how often they are drawn, weights of classes."""

from functools import partial
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse, vstack
from sklearn.utils.validation import check_consistent_length

from metricnets._arrays import count_rows
from metricnets._tables import Stacked, Table
from metricnets._weights import rows_counted


def check_validation(data: object, y_val: object, early_stopping: bool, name: str) -> bool:
    """Whether there are validation data; ValueError if they are incomplete, empty or have no use."""
    if data is None and y_val is None:
        return False
    for missing, given in ((name, data), ("y_val", y_val)):
        if given is None:
            raise ValueError(f"{missing} is not given; give both {name} and y_val, or neither.")
    check_early_stopping(early_stopping, name)
    check_consistent_length(data, y_val)
    if not count_rows(y_val, "y_val"):
        raise ValueError(f"y_val has no rows; leave {name} and y_val out to hold back a part of the training data.")
    return True


def check_views(views: tuple, validation: tuple, early_stopping: bool, learner: str) -> bool:
    """Whether there are validation data; ValueError if X, Y and y of either are incomplete or do not match."""
    X, Y, y = views
    if Y is None:
        raise ValueError(
            f"{learner} learns from two views: give Y, with a row for each row of X. Expected array-like (array or "
            "non-string sequence), got None."
        )
    _check_matching(X, Y, y, "")
    if all(part is None for part in validation):
        return False
    X_val, Y_val, y_val = validation
    if X_val is None or Y_val is None or (y_val is None) != (y is None):
        raise ValueError("validation data are incomplete: give X_val and Y_val, and y_val if there is y, or none.")
    check_early_stopping(early_stopping, "X_val")
    _check_matching(X_val, Y_val, y_val, "_val")
    if not count_rows(X_val, "X_val"):
        raise ValueError("X_val has no rows; leave it and Y_val out to hold back a part of the training data.")
    return True


def _check_matching(X, Y, y, end):
    """Raise ValueError unless X, Y and y, whose names end so, have the same number of rows; y may be None."""
    n, n_other = count_rows(X, f"X{end}"), count_rows(Y, f"Y{end}")
    if n != n_other:
        raise ValueError(f"X{end} has {n} rows and Y{end} has {n_other}; row i of Y should match row i of X.")
    if y is not None and count_rows(y, f"y{end}") != n:
        raise ValueError(f"y{end} has {count_rows(y, 'y')} labels, and there are {n} rows; give one for each.")


def check_form(train: np.ndarray, val: ArrayLike, kind: str) -> None:
    """Raise ValueError if one of the tuples, of this kind, are indicators and the others are points."""
    shape = np.shape(val)
    if len(train.shape) != len(shape) and min(len(train.shape), len(shape)) == 2:
        raise ValueError(
            f"{kind}_val has shape {shape}, and {kind} {train.shape}: one has indicators, the other points; give both "
            "as points, or both as indicators with preprocessor=."
        )


def check_validation_tuples(tuples: object, early_stopping: bool, name: str) -> None:
    """Raise ValueError if validation tuples, which have no labels, are given and are empty or have no use."""
    if tuples is None:
        return
    check_early_stopping(early_stopping, name)
    if not count_rows(tuples, name):
        raise ValueError(f"{name} has no rows; leave it out to hold back a part of the training data.")


def check_early_stopping(early_stopping: bool, name: str) -> None:
    """Raise ValueError for validation data without early stopping."""
    if not early_stopping:
        raise ValueError(
            f"{name} is for early stopping, and early_stopping=False; set it to True, or leave {name} out."
        )


def check_class_weight(class_weight: object, n_train: int, n: int) -> None:
    """Raise ValueError unless some samples are left to train on, and some to validate on, n in all."""
    if not 0 < n_train < n:
        part = "y_val" if n_train else "y"
        raise ValueError(f"class_weight={class_weight} leaves out all samples of {part}; each part needs some.")


def followed_by(train: ArrayLike, val: ArrayLike | None, name: str) -> ArrayLike:
    """The rows of both; ``train`` itself without ``val``.  ValueError if their rows are not of one shape.

    Single precision is that of the training data, whatever the validation data have.
    """
    if val is None:
        return train
    if issparse(train) or issparse(val):
        return vstack([train, val], format="csr")
    in_parts = isinstance(train, Table) or isinstance(val, Table)
    train, val = (train, val) if in_parts else (np.asarray(train), np.asarray(val))
    if train.shape[1:] != val.shape[1:] or not val.ndim:
        raise ValueError(
            f"{name} has shape {val.shape}, and the training data {train.shape}; only the first may differ."
        )
    if in_parts:
        return Stacked(train, val)
    if train.dtype == np.float32 and val.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is refused afterwards
            val = val.astype(np.float32)
    return np.concatenate([train, val])


def used(weights, *arrays):
    """The rows of positive weight of each array; last their weights with mean 1, None if they are equal."""
    if weights is None:
        return *arrays, None
    *arrays, weights = rows_counted(weights, *arrays)
    return *arrays, None if weights is None or not np.ptp(weights) else weights / weights.mean()


def with_validation(weights, n):
    """Weights of the training rows, and their mean for the validation rows that follow, n in all; None stays None."""
    return None if weights is None else np.append(weights, np.full(n - len(weights), weights.mean()))


def training_counts(weights, is_train):
    """Weights of the training rows, 1 for None, and 0 for validation rows."""
    return np.where(is_train, 1.0 if weights is None else weights, 0.0)


def sampler_of(make, part, rng):
    """The sampler ``make(rows)`` of the rows of a part, or of a deck in which they occur by their weights."""
    weights = part.targets.weights
    if part.rows.in_windows:
        make = partial(Windows, make, part, rng)
    return make(np.arange(len(part.indices))) if weights is None else Weighted(make, weights, rng)


class Windows:
    """Batches of the rows of one window after another: of points that are read together, see `Table.windows_of`.

    Parameters
    ----------
    make : callable
        From rows of the part to a sampler of these.
    part : Part
    rng : numpy.random.Generator
    rows : ndarray of int
        Rows of the part.
    """

    def __init__(self, make, part, rng, rows):
        self.make, self.part, self.rng, self.rows = make, part, rng, rows

    def __iter__(self):
        number = self.part.rows.X.table.windows_of(self.part.indices[self.rows], self.rng)
        for window in np.unique(number):
            inside = np.flatnonzero(number == window)
            for batch in self.make(self.rows[inside]):
                yield inside[batch]


class Weighted:
    """Batches of a deck in which the number of cards of a row is in proportion to its weight.

    A pass takes about as many cards as there are rows.  The weights w have the mean 1, and u is uniform in [0, 1): in
    pass t a row has floor(t w + u) − floor((t − 1) w + u) cards.  So it has w cards a pass on average, and within any
    number of passes the rounding adds less than one card.

    Parameters
    ----------
    make : callable
        From the rows of the cards, an array of row numbers, to a sampler of these cards.
    weights : ndarray of float > 0 of shape (n,)
    rng : numpy.random.Generator

    Examples
    --------
    >>> from metricnets.samplers import Shuffled
    >>> rng = np.random.default_rng(0)
    >>> deck = Weighted(lambda rows: Shuffled(len(rows), 4, rng), np.array([1.0, 2.0, 3.0]), rng)
    >>> np.bincount(np.concatenate([rows for _ in range(10) for rows in deck]))
    array([ 5, 10, 15])
    """

    def __init__(self, make, weights, rng):
        self.make, self.weights, self.owed = make, weights / weights.mean(), rng.random(len(weights))

    def __iter__(self):
        self.owed += self.weights
        n_cards = np.floor(self.owed).astype(int)
        self.owed -= n_cards
        rows = np.repeat(np.arange(len(n_cards)), n_cards)
        for cards in self.make(rows):
            yield rows[cards]


def codes_of(labels):
    """Class codes (n,), from codes or one-hot rows."""
    return labels.argmax(axis=1) if labels.ndim > 1 else labels


def weights_of_classes(given, codes, classes, weights):
    """The weight of each class, by its code; ValueError for weights of other classes.

    Parameters
    ----------
    given : dict or 'balanced'
    codes : ndarray of shape (n,)
        Class codes, negative where the class is unknown.
    classes : ndarray of shape (n_classes,) or None
    weights : ndarray of shape (n,) or None
        Weights of the samples, which 'balanced' counts.
    """
    if classes is None:
        raise ValueError(f"class_weight={given!r} is for classes, and y holds other targets; set it to None.")
    if isinstance(given, str):
        known = codes >= 0
        totals = np.bincount(codes[known], None if weights is None else weights[known])
        return totals.mean() / totals
    unknown = [label for label in given if label not in set(classes.tolist())]
    are_numbers = all(isinstance(weight, Real) for weight in given.values())
    values = np.array([given.get(label, 1.0) for label in classes.tolist()] if are_numbers else [-1.0], float)
    if unknown or not (values >= 0).all() or not 0 < values.max() < np.inf:
        fault = "should hold numbers, at least 0, not all 0"
        about = f"has {unknown[0]!r}, which is no class of y" if unknown else fault
        raise ValueError(f"class_weight={given} {about}.")
    return values
