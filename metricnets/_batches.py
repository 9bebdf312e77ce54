"""The batches of a stream: who takes them, and their targets, which may be of one class only."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from metricnets._labels import is_missing, partial_codes, read
from metricnets._tuples import check_pair_labels


def takes_batches(learner: object) -> bool:
    """Whether a learner has ``partial_fit``; AttributeError that says why if a parameter does not suit a stream."""
    reason = learner._why_not_in_batches()
    if reason:
        raise AttributeError(f"partial_fit of {type(learner).__name__} is not available: {reason}")
    return True


def rows_of_targets(y: ArrayLike, before: np.ndarray | None = None) -> np.ndarray:
    """Targets as rows of an array; ValueError if they are of another kind than some ``before``."""
    y = y.toarray() if issparse(y) else _array_of(y)
    y = y[:, 0] if y.shape[1:] == (1,) else y
    if not y.ndim:
        raise ValueError(
            f"y should have a target for each row of X; for one sample give X[[i]] and y[[i]], got y={y!s}."
        )
    if before is None or not len(before):
        return y
    kinds = {are_strings(each) for each in (y, before)} - {None}
    if y.shape[1:] != before.shape[1:] or len(kinds) > 1:
        raise ValueError(
            f"y holds {y.tolist()[0]!r}, and y of the batches before {before.tolist()[0]!r}; use targets of one type "
            "and shape."
        )
    return y


def _array_of(y):
    """An array of labels; of objects if a list has names and missing labels, as NaN would become a name."""
    labels = np.asarray(y)
    if labels.dtype.kind != "U" or hasattr(y, "dtype"):
        return labels
    objects = np.asarray(y, dtype=object)
    return objects if any(map(is_missing, objects.flat)) else labels


def are_strings(y: np.ndarray) -> bool | None:
    """Whether targets are strings; None if none of them is known."""
    known = [label for label in y.flat if not is_missing(label)] if y.dtype.kind == "O" else y
    if not len(known):
        return None
    return y.dtype.kind == "U" or isinstance(known[0], str)


def class_groups(y: np.ndarray) -> np.ndarray | None:
    """Codes of the classes of targets, negative if unknown; None if they are not classes, but rows or real values."""
    if y.ndim > 1:
        return None
    labels, missing, _ = read(y)
    if labels.dtype.kind == "f" and (labels[~missing] % 1).any():
        return None
    return partial_codes(y)


def suffices(codes: np.ndarray | None, n: int) -> bool:
    """Whether there are two classes and two samples of one of them; two of ``n`` samples if there are none."""
    if codes is None:
        return n > 1
    _, counts = np.unique(codes[codes >= 0], return_counts=True)
    return len(counts) > 1 and counts.max() > 1


def pair_signs(y: ArrayLike, n_pairs: int, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Validate labels of the pairs of a batch, which may be of one kind.

    Parameters
    ----------
    y : array-like of shape (n_pairs,)
    n_pairs : int
    classes : ndarray of shape (2,) or None
        The labels of dissimilar and of similar pairs of the batches before, if they are known.

    Returns
    -------
    signs : ndarray of int64 of shape (n_pairs,)
    classes : ndarray of shape (2,) or None
        None as long as all pairs are similar, as their label is 1 in either spelling.
    """
    given = np.asarray(y)
    if y is None or given.ndim != 1 or given.dtype.kind not in "biuf":
        return check_pair_labels(y, n_pairs)
    both = [-1, 1] if (given == -1).any() else [0, 1]
    if classes is not None:
        both = classes.tolist()
    signs, found = check_pair_labels(np.append(given, both), n_pairs + 2)
    known = classes is not None or (signs[:-2] < 0).any()
    return signs[:-2], found if known else None
