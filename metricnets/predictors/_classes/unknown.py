"""The label of samples of no known class."""

import numpy as np


def label_of_none(classes: np.ndarray, label: int | str | None) -> int | str:
    """The label of samples of no known class; ValueError if it is one of the classes, or of another type."""
    are_names = classes.dtype.kind == "U"
    if label is None and not are_names:
        label = next(number for number in range(-1, -2 - len(classes), -1) if number not in classes)
    label = "unknown" if label is None else label
    if isinstance(label, str) != are_names:
        raise ValueError(f"unknown_label={label!r} and the classes in y, such as {classes[0]}, should be of one type.")
    if label in classes.tolist():
        raise ValueError(f"unknown_label={label!r} is a class in y; choose a label that is none.")
    return label
