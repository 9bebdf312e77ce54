"""Validation of true and predicted targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array

LARGEST = 1e150  # its square is finite


def check_rows(truth: ArrayLike, predicted: ArrayLike, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Validate two arrays of finite numbers and of the same shape; errors name them."""
    truth, predicted = (checked_array(rows, name, dtype=float) for rows, name in zip((truth, predicted), names))
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{names[0]} has shape {truth.shape} and {names[1]} {predicted.shape}; "
            "both should have shape (n_samples, n_labels)."
        )
    return truth, predicted


def two_sets(A: ArrayLike, B: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Points of two sets, in double precision; ValueError unless they have the same number of features."""
    A, B = checked_array(A, "A", dtype=float), checked_array(B, "B", dtype=float)
    if A.shape[1] != B.shape[1]:
        raise ValueError(f"A has points of {A.shape[1]} features and B of {B.shape[1]}; they should have as many.")
    check_squares("A", A)
    check_squares("B", B)
    return A, B


def check_squares(name: str, points: np.ndarray) -> None:
    """Raise ValueError if squared distances of the points may be no finite numbers."""
    largest = np.abs(points).max(initial=0)
    if largest > LARGEST:
        raise ValueError(f"{name} has values up to {largest:.1e}, whose squares are not finite; scale the points.")
