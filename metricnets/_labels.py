"""Labels of points as class codes, and which of them are not known."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

UNKNOWN = -1


def partial_codes(y):
    """Number the classes of ``y`` from 0; −1 where the label is not known: a negative number, NaN or None.

    >>> partial_codes(["b", "a", None, "b"])
    array([ 1,  0, -1,  1])
    >>> partial_codes([7, -1, 9])
    array([ 0, -1,  1])
    """
    y = column_or_1d(y)
    if y.dtype.kind in "fiub":
        known = np.ones(len(y), bool) if y.dtype.kind == "b" else y >= 0  # NaN is not
    else:
        known = np.array([label is not None and label == label for label in y], bool)
    codes = np.full(len(y), UNKNOWN, dtype=np.int64)
    codes[known] = np.unique(y[known], return_inverse=True)[1]
    return codes


def class_codes(y):
    """Number the classes of ``y`` from 0; ValueError if they are not classes."""
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)[1]


def known_codes(y):
    """Do as `class_codes`, with −1 for labels that are not known: negative numbers and None."""
    codes = partial_codes(y)
    check_classification_targets(y[codes >= 0])
    n_unknown = np.count_nonzero(codes < 0)
    if n_unknown and codes.max() < 1:
        raise ValueError(
            f"y has {codes.max() + 1} known class only, as its {n_unknown} labels that are negative or None count as "
            "not known; number the classes from 0, as scikit-learn's LabelEncoder does."
        )
    return codes
