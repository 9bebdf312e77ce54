"""Scores of boxes against the true ones, frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def center_error(boxes: ArrayLike, true_boxes: ArrayLike) -> np.ndarray:
    """Centre location error: the distance between the centres of boxes.

    Parameters
    ----------
    boxes, true_boxes : array-like of shape (n, 4)
        x and y of the upper left corner, width and height.

    Returns
    -------
    errors : ndarray of shape (n,)
        In pixels.

    Raises
    ------
    ValueError
        If the boxes do not have this shape, or differ in number.

    Examples
    --------
    >>> from metricnets.tracking import center_error
    >>> center_error([[0, 0, 4, 4]], [[3, 4, 4, 4]])
    array([5.])
    """
    a, b = check_boxes(boxes, true_boxes)
    return np.linalg.norm(a[:, :2] + a[:, 2:] / 2 - b[:, :2] - b[:, 2:] / 2, axis=1)


def box_overlap(boxes: ArrayLike, true_boxes: ArrayLike) -> np.ndarray:
    """Overlap of boxes: intersection over union, the share of the area that both have in common.

    Parameters
    ----------
    boxes, true_boxes : array-like of shape (n, 4)
        x and y of the upper left corner, width and height.

    Returns
    -------
    overlaps : ndarray of shape (n,)
        In [0, 1].

    Raises
    ------
    ValueError
        If the boxes do not have this shape, or differ in number.

    Examples
    --------
    >>> from metricnets.tracking import box_overlap
    >>> box_overlap([[0, 0, 4, 4]], [[0, 2, 4, 4]]).round(2)
    array([0.33])
    """
    a, b = check_boxes(boxes, true_boxes)
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    return both / (a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - both)


def check_boxes(boxes: ArrayLike, true_boxes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays (n, 4) of floats; ValueError if they have another form, or do not match."""
    found = [np.asarray(each, dtype=float) for each in (boxes, true_boxes)]
    for name, each in zip(("boxes", "true_boxes"), found):
        if each.ndim != 2 or each.shape[1] != 4 or not np.isfinite(each).all() or not (each[:, 2:] > 0).all():
            raise ValueError(
                f"{name} of shape {each.shape} should be rows of four finite numbers: x, y, width and height, the "
                "last two above 0."
            )
    if len(found[0]) != len(found[1]):
        raise ValueError(f"boxes has {len(found[0])} rows and true_boxes {len(found[1])}.")
    return found[0], found[1]
