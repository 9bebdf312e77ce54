"""Validation of frames and boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SMALLEST = 4.0  # pixels, of a side of a box
LARGEST = 2  # sides of a box in relation to those of the frame
PLANES = np.array([[0.299, 0.587, 0.114], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])  # of red, green and blue


def check_frame(frame: ArrayLike) -> np.ndarray:
    """Planes (n_planes, height, width) of a frame, in double precision; ValueError if it is no image.

    One plane of grey levels, and for colour two more, red - green and yellow - blue.
    """
    frame = _array(frame, "frame")
    colour = frame.ndim == 3 and frame.shape[2] == 3
    if not (frame.ndim == 2 or colour) or min(frame.shape[:2]) < 2:
        raise ValueError(
            f"frame has shape {frame.shape}; it should be an image of shape (height, width), or (height, width, 3) "
            "with red, green and blue."
        )
    if frame.dtype.kind not in "buif":
        raise ValueError(f"frame has dtype {frame.dtype}; it should hold real numbers, such as uint8 or float.")
    planes = PLANES @ frame.reshape(-1, 3).T.astype(np.float64) if colour else frame.astype(np.float64)
    if not np.isfinite(planes).all():
        raise ValueError("frame has entries that are NaN or infinite; replace them, for instance by the median.")
    return planes.reshape(-1, *frame.shape[:2])


def check_box(box: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Return a box as four floats; ValueError if it is none, or does not overlap a frame of this shape."""
    found = _array(box, "box")
    if found.shape != (4,) or found.dtype.kind not in "uif" or not np.isfinite(found).all():
        raise ValueError(f"box={box!r} should be four finite numbers: x and y of the upper left corner, width, height.")
    x, y, width, height = found = found.astype(np.float64)
    if min(width, height) < SMALLEST:
        raise ValueError(f"box={box!r} should be at least {SMALLEST:g} pixels wide and high.")
    if width > LARGEST * shape[1] or height > LARGEST * shape[0]:
        raise ValueError(
            f"box={box!r} should be at most {LARGEST} times as wide and high as the frame, which is {shape[1]} pixels "
            f"wide and {shape[0]} high."
        )
    if x + width <= 0 or y + height <= 0 or x >= shape[1] or y >= shape[0]:
        raise ValueError(f"box={box!r} is outside of the frame, which is {shape[1]} pixels wide and {shape[0]} high.")
    return found


def _array(values, name):
    try:
        return np.asarray(values)
    except ValueError as error:  # of NumPy, which does not name the parameter
        raise ValueError(f"{name}={values!r:.80} is not an array, as its rows have different lengths.") from error


def check_same_shape(planes: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Raise ValueError unless a frame has the shape of the first one."""
    if planes.shape != shape:
        raise ValueError(
            f"frame is {described(planes.shape)}, but the first one is {described(shape)}; frames of a sequence have "
            "one size, and all are grey or all in colour."
        )


def described(shape: tuple[int, int, int]) -> str:
    """Words for the shape of planes."""
    return f"{shape[2]} pixels wide and {shape[1]} high, {'grey' if shape[0] == 1 else 'in colour'}"


def check_structure(planes: np.ndarray, box: np.ndarray) -> None:
    """Raise ValueError if all pixels of a box are the same."""
    x, y = np.clip(np.floor(box[:2]), 0, None).astype(int)
    right, bottom = np.ceil(box[:2] + box[2:]).astype(int)
    if not np.ptp(planes[:, y:bottom, x:right], axis=(1, 2)).any():
        raise ValueError(f"box={box.tolist()} has pixels of one grey level only; it should show an object.")
