"""Labels of points as class codes; the only definition of an unknown label."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from metricnets.exceptions import warn

UNKNOWN = -1


def read(y: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read labels of any type, some of which may be unknown.

    Parameters
    ----------
    y : array-like of shape (n,)
        A list, an array or a column of a data frame, of any dtype.

    Returns
    -------
    labels : ndarray of shape (n,)
    missing : ndarray of bool of shape (n,)
        Where the label is None, NaN, or pandas' NA or NaT, which is always unknown.
    negative : ndarray of bool of shape (n,)
        Where the label is a negative number, which is unknown in learners that take partial labels.

    Examples
    --------
    >>> _, missing, negative = read(["b", None, float("nan"), -1])
    >>> missing, negative
    (array([False,  True,  True, False]), array([False, False, False,  True]))
    """
    kind = getattr(getattr(y, "dtype", None), "kind", "O")
    if kind == "c":
        raise ValueError("Complex data not supported: y should hold classes.")
    labels = column_or_1d(np.asarray(y, dtype=None if kind in "fiubUS" else object), warn=True)
    if labels.dtype.kind in "fiubUS":
        none = np.zeros(len(labels), bool)
        numbers = labels.dtype.kind in "fiu"
        return labels, labels != labels if numbers else none, labels < 0 if numbers else none
    missing = np.array([is_missing(label) for label in labels], bool)
    negative = np.array([isinstance(label, Real) and label < 0 for label in labels], bool)
    return labels, missing, negative


def is_missing(label: object) -> bool:
    """Whether a label is None, NaN, or pandas' NA or NaT."""
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


def warn_of_names(y: ArrayLike) -> None:
    """Warn of strings that look like unknown labels, and are classes."""
    names = {label for label in np.asarray(y, dtype=object).flat if isinstance(label, str)}
    for name in sorted(names & {"", "-1", "nan", "None"}):
        warn(
            f"y has the string {name!r}, which is a class; if it means unknown, give None, such as "
            f"np.where(y == {name!r}, None, y)."
        )


def plain(labels: np.ndarray, name: str = "y") -> np.ndarray:
    """Convert an array of objects to one of strings or numbers, if all of them are; ``name`` is for the message."""
    if labels.dtype.kind != "O" or not len(labels):
        return labels
    names, numbers = (sum(isinstance(label, kind) for label in labels) for kind in (str, Real))
    if 0 < names < len(labels):
        raise ValueError(f"{name} mixes strings with other labels; use labels of one type.")
    return np.array(labels.tolist()) if len(labels) in (names, numbers) else labels


def partial_codes(y: ArrayLike) -> np.ndarray:
    """Number the classes of ``y`` from 0; unknown labels, negative numbers, NaN, None, NA or NaT, become −1.

    >>> partial_codes(["b", "a", None, "b"])
    array([ 1,  0, -1,  1])
    >>> partial_codes([7, -1, 9])
    array([ 0, -1,  1])
    """
    labels, missing, negative = read(y)
    codes, known = np.full(len(labels), UNKNOWN, dtype=np.int64), ~missing & ~negative
    codes[known] = np.unique(plain(labels[known]), return_inverse=True)[1]
    return codes


def class_codes(y: ArrayLike) -> np.ndarray:
    """Number the classes of ``y`` from 0; raise ValueError if they are not classes, or some are missing."""
    y = check_known(y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)[1]


def check_known(y: np.ndarray) -> np.ndarray:
    """Return labels that are all known; raise ValueError if some are missing, or are not of one kind."""
    if y.dtype.kind != "O" or y.ndim != 1:
        return y
    check_not_missing(y)
    return plain(y)


def check_not_missing(y: ArrayLike, advice: str = "leave these samples out") -> None:
    """Raise ValueError if labels are missing: scikit-learn does not say so of columns of all types.

    Targets that are not a list, an array or a column of a data frame, and those of two dimensions, are not looked at.
    """
    kind = getattr(getattr(y, "dtype", None), "kind", "O" if isinstance(y, list | tuple) else "")
    if kind not in ("O", "f", "i"):
        return
    labels = np.asarray(y, dtype=None if isinstance(y, np.ndarray) else object)
    n_missing = sum(map(is_missing, labels)) if labels.ndim == 1 and labels.dtype.kind in "Of" else 0
    if n_missing:
        raise ValueError(
            f"y has {n_missing} labels that are None, NaN or the like, and all labels are needed here; {advice}."
        )


def known_classes(y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the codes of `partial_codes`; raise ValueError if the known labels are not classes."""
    labels, missing, negative = read(y)
    known = ~missing & ~negative
    labels = plain(labels[known])
    check_classification_targets(labels)
    codes = np.full(len(known), UNKNOWN, dtype=np.int64)
    classes, codes[known] = np.unique(labels, return_inverse=True)
    return classes, codes


def supervised_codes(y: ArrayLike) -> np.ndarray:
    """Encode as `partial_codes`, and check that there are two classes if some labels are unknown.

    Negative numbers may have been meant as a class, so a warning says how many samples are left out.
    """
    classes, codes = known_classes(y)
    n_unknown, n_negative = np.count_nonzero(codes < 0), np.count_nonzero(read(y)[2])
    if n_unknown and len(classes) < 2:
        found = "one known class only" if len(classes) else "no known class"
        raise ValueError(
            f"y has {found}, as its {n_unknown} labels that are negative, None or NaN count as "
            "unknown; number the classes from 0, as scikit-learn's LabelEncoder does."
        )
    if n_negative:
        warn(
            f"{n_negative} of {len(codes)} labels in y are negative, which means unknown: these samples are left out. "
            "If they are a class, number the classes from 0; if they are unknown, None or NaN avoids this warning."
        )
    return codes
