"""Targets encoded for the relations, and checks that they tell samples apart."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.preprocessing import label_binarize
from sklearn.utils.multiclass import type_of_target

from metricnets import relations
from metricnets._checks import check_option
from metricnets._labels import check_known, known_classes
from metricnets.exceptions import warn

NAMES = ["auto", *relations.NAMES]
CLASSES = ("same_class", "known_class")
LABEL_SETS = ("hamming", "jaccard", "shared_label")
DISTRIBUTIONS = ("hellinger", "overlap", "symmetric_kl")
CLASS_RELATIONS = (relations.same_class, relations.known_class)
MANY_VALUES = 100  # different whole numbers from which on they may be quantities
N_PAIRS = 2**24  # pairs that are searched at most


def readable(y: ArrayLike, relation: str | Callable) -> ArrayLike:
    """Encode missing labels as −1 for `known_class`, as scikit-learn's validation refuses them.

    For other relations y is returned unchanged.
    """
    return known_classes(y)[1] if relation == "known_class" else y


def resolve(y: np.ndarray, relation: str | Callable = "auto") -> tuple[Callable, np.ndarray, np.ndarray | None]:
    """Encode the targets for a relation, and select the relation if it is 'auto'.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, L)
        Classes, label sets, distributions or real values, already checked to be finite.
    relation : str or callable, default='auto'
        A name of :mod:`metricnets.relations`, or ``(y_a, y_b) -> r``.  'auto' takes
        `same_class` for classes, `jaccard` for label sets, `overlap` for distributions
        and `absolute` for real values.  Whole numbers are classes, as everywhere in
        scikit-learn, with a warning if they have hundreds of different values: set 'absolute' if they are
        counts or prices.

    Returns
    -------
    relation : callable
        ``(y_a, y_b) -> r`` for rows of the encoded targets, arrays or tensors.
    targets : ndarray of shape (n,) or (n, L)
        int64 codes for classes, float32 for everything else; int64 or float64 for a callable.
    classes : ndarray of shape (n_classes,) or None
        The classes of the codes, or None for other targets.

    Raises
    ------
    ValueError
        If the relation does not apply to targets of this kind.
    """
    if not callable(relation) and relation not in NAMES:
        check_option("relation", relation, NAMES)
    if relation == "known_class":
        return _resolved_partial(y)
    y = y.toarray() if issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind == "O" and all(isinstance(value, Real) for value in y.flat):
        y = y.astype(float)
    if y.dtype.kind == "O":
        y = check_known(y)
    if relation == "auto":
        relation = _suitable(y)
    if callable(relation):
        if y.dtype.kind not in "fiub":
            return relation, *_codes(y)[::-1]
        return relation, y.astype(np.float64 if y.dtype.kind == "f" else np.int64), None
    if relation == "same_class":
        classes, codes = _codes(y)
        return relations.same_class, codes, classes
    if relation == "absolute":
        if y.dtype.kind not in "fiub":
            raise ValueError(f"relation='absolute' needs numbers in y; y holds {y.dtype}.")
        return relations.absolute, _unit_range(y).astype(np.float32), None
    if relation == "hierarchy":
        return relations.hierarchy, _levels(y).astype(np.float32), None
    if relation in LABEL_SETS and y.ndim == 1:
        raise ValueError(
            f"relation={relation!r} compares label sets, y of shape (n_samples, n_labels) with entries 0 and 1, and y "
            f"has shape {y.shape}; set relation='same_class' if it holds classes."
        )
    rows, classes = (y, None) if y.ndim == 2 else _one_hot(y)
    _check_rows(rows, relation)
    chosen = getattr(relations, relation)
    if relation == "l1" and not _sum_to_one(rows):
        chosen = partial(relations.l1, span=float(max(2, rows.shape[1])))
    return chosen, rows.astype(np.float32), classes


def _suitable(y):
    if y.ndim == 1 and _are_classes(y):
        _warn_of_quantities(y)
        return "same_class"
    kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        return "jaccard"
    if kind == "continuous-multioutput" and y.min() >= 0 and _sum_to_one(y):
        return "overlap"
    if kind.startswith("continuous"):
        return "absolute"
    raise ValueError(
        f"Unknown label type: relation='auto' does not know what to do with y of the type {kind!r}; "
        "set a relation, such as 'absolute', or pass a function."
    )


def _warn_of_quantities(y):
    """Warn of whole numbers that look like quantities: many values, with gaps, some of which occur once."""
    if y.dtype.kind not in "fiu":
        return
    values, counts = np.unique(y, return_counts=True)
    if len(values) >= MANY_VALUES and np.ptp(values) >= len(values) and np.mean(counts == 1) > 0.05:
        warn(
            f"y has {len(values)} different whole numbers, which relation='auto' takes as classes; set "
            "relation='absolute' if they are quantities, or relation='same_class' if they are classes."
        )


def _unit_range(y):
    """Scale columns to [0, 1], independently of their origin to the last bit; constant columns become 0."""
    y = y.astype(np.float64)
    y -= y.min(axis=0)
    span = y.max(axis=0)
    return y / np.where(span > 0, span, 1)


def _levels(y):
    """Encode the labels of each column as codes."""
    if y.ndim != 2:
        raise ValueError(
            "relation='hierarchy' needs y with a column for each level, from coarse to fine; for one level set "
            "'same_class'."
        )
    return np.stack([_codes(check_known(column))[1] for column in y.T], axis=1)


def _resolved_partial(y):
    classes, codes = known_classes(y)
    if not len(classes):
        raise ValueError("y has no known class: all its labels are negative, None or NaN.")
    return relations.known_class, codes, classes


def _codes(y):
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
    if not _are_classes(y):
        raise ValueError(f"Unknown label type: y should hold classes, whole numbers or strings; got {y[:3].tolist()}.")
    return np.unique(y, return_inverse=True)


def _are_classes(y):
    """Whether y has whole numbers or strings; scikit-learn's test would warn of many small classes."""
    if y.dtype.kind == "O":
        return all(isinstance(label, str) for label in y) or all(isinstance(label, Integral) for label in y)
    return y.dtype.kind != "f" or np.array_equal(y, np.trunc(y))


def _one_hot(y):
    classes, codes = _codes(y)
    rows = label_binarize(codes, classes=np.arange(len(classes)))
    return (rows if rows.shape[1] > 1 else np.hstack([1 - rows, rows])), classes


def _sum_to_one(rows):
    return np.allclose(rows.sum(axis=1), 1, atol=1e-3)


def _check_rows(rows, relation):
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"relation={relation!r} needs numbers in y; y holds {rows.dtype}.")
    if relation in LABEL_SETS and not np.isin(rows, (0, 1)).all():
        raise ValueError(f"relation={relation!r} needs label sets, y with entries 0 and 1.")
    if rows.min() < 0:
        raise ValueError(f"relation={relation!r} needs y without negative entries.")
    if relation == "l1" and rows.max() > 1:
        raise ValueError(f"relation='l1' needs y with entries in [0, 1]; they reach {rows.max():.3g}.")
    if relation in DISTRIBUTIONS and not _sum_to_one(rows):
        raise ValueError(f"relation={relation!r} needs distributions, rows of y that sum to 1.")


def check_differ(labels: np.ndarray, classes: np.ndarray | None, relation: str | Callable) -> None:
    """Raise ValueError if encoded targets are all the same."""
    if classes is None:
        if not callable(relation) and (labels == labels[0]).all():
            raise ValueError("y is the same in all rows; a metric needs targets that differ.")
        return
    codes = labels.argmax(axis=1) if labels.ndim > 1 else labels
    present = classes[np.unique(codes[codes >= 0])]
    if len(present) < 2:
        found = f"one class only, {present[0]!s}" if len(present) else "no known classes"
        raise ValueError(f"y has {found}; a metric needs samples of at least two classes.")


def check_pairs(
    relation: Callable, targets: np.ndarray, name: str | Callable, where: str = "y", with_itself: bool = False
) -> None:
    """Raise ValueError unless some pairs of samples are similar and some are dissimilar.

    Class codes are counted, in O(n).  For other targets pairs are searched until one of each kind is found: at most
    16 million, those of randomly drawn samples with all others if there are more.

    Parameters
    ----------
    relation : callable
        ``(y_a, y_b) -> r``.
    targets : ndarray or tensor of shape (n, ...)
        As `resolve` encodes them.
    name : str or callable
        The relation as given by the user.
    where : str, default='y'
        Name of the targets in the message.
    with_itself : bool, default=False
        Whether a sample forms a similar pair with itself, so that no other need be similar.
    """
    if relation in CLASS_RELATIONS:
        codes = np.asarray(targets)
        counts = np.unique(codes[codes >= 0], return_counts=True)[1]
        similar, dissimilar = counts.max(initial=0) > 1, len(counts) > 1
    else:
        similar, dissimilar = _kinds(relation, targets)
    by = f"related by {'more than' if similar else 'at most'} 0.5 by relation={name!r}"
    if not (similar or with_itself):
        raise ValueError(
            f"there is no similar pair in {where}, as all pairs of samples are {by}; a class needs two samples or "
            "more. For other targets use a relation that is above 0.5 for some pairs, or loss='alignment', which takes "
            "graded relations."
        )
    if not dissimilar:
        raise ValueError(
            f"there is no dissimilar pair in {where}, as all pairs of samples are {by}; there should be two classes "
            "or more. For other targets use a relation that is at most 0.5 for some pairs, such as 'jaccard' or "
            "'cosine' for sparse label sets, or loss='alignment', which takes graded relations."
        )


def _kinds(relation, targets):
    """Whether some pairs of rows are similar, and some are not."""
    n = len(targets)
    size = max(1, 2**22 // max(1, n * int(np.prod(targets.shape[1:]))))  # 4 million numbers, also for `overlap`
    order = np.random.default_rng(0).permutation(n)[: max(1, N_PAIRS // max(1, n))]
    similar = dissimilar = False
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        r = relation(targets[rows], targets) * 1.0  # (n_rows, n)
        r[np.arange(len(rows)), rows] = float("nan")
        similar, dissimilar = similar or bool((r > 0.5).any()), dissimilar or bool((r <= 0.5).any())
        if similar and dissimilar:
            break
    return similar, dissimilar
