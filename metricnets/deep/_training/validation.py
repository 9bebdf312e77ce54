"""Validation data of the user, which follow the training data as the last rows."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse, vstack


def check_validation(data: object, y_val: object, early_stopping: bool, name: str) -> bool:
    """Whether there are validation data; ValueError if they are incomplete or have no use."""
    if data is None and y_val is None:
        return False
    for missing, given in ((name, data), ("y_val", y_val)):
        if given is None:
            raise ValueError(f"{missing} is not given; give both {name} and y_val, or neither.")
    if not early_stopping:
        raise ValueError(
            f"{name} is for early stopping, and early_stopping=False; set it to True, or leave {name} out."
        )
    return True


def followed_by(train: ArrayLike, val: ArrayLike | None, name: str) -> ArrayLike:
    """The rows of both; ``train`` itself without ``val``.  ValueError if their rows are not of one shape."""
    if val is None:
        return train
    if issparse(train) or issparse(val):
        return vstack([train, val], format="csr")
    train, val = np.asarray(train), np.asarray(val)
    if train.shape[1:] != val.shape[1:] or not val.ndim:
        raise ValueError(
            f"{name} has shape {val.shape}, and the training data {train.shape}; only the first may differ."
        )
    return np.concatenate([train, val])
