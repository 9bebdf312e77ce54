"""Files of checkpoints: written whole, with a checksum and versions; reading them runs no code."""

import contextlib
import hashlib
import io
import pickle

import numpy as np
import sklearn
import skorch
import torch

from metricnets._atomic import write_whole
from metricnets._version import __version__

MAGIC = b"metricnets checkpoint 1\n"
UNREADABLE = (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError, ValueError)


def before(path):
    """Where the file that a new one replaced is kept."""
    return path.with_suffix(".before")


def replace(path, data):
    """Write a file, and keep the one that it replaces; at any moment one of them is whole."""
    if path.exists():
        with contextlib.suppress(FileNotFoundError):  # another process that does the same may have moved it
            path.replace(before(path))
    write_whole(path, data)


def versions():
    """Versions of what the numbers depend on."""
    libraries = {each.__name__: each.__version__ for each in (torch, skorch, np, sklearn)}
    return {"metricnets": __version__} | libraries | {"torch": str(torch.__version__)}


def packed(state):
    """The bytes of a file: a mark, the hash of what follows, and the state with its versions."""
    buffer = io.BytesIO()
    torch.save({"versions": versions(), "state": state}, buffer)
    data = buffer.getvalue()
    return MAGIC + hashlib.sha256(data).digest() + data


def unpacked(data):
    """The state in the bytes of a file; ValueError if it is damaged, or of other versions.  No code of it is run."""
    start = len(MAGIC) + 32
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(data[start:]).digest() != data[len(MAGIC) : start]:
        raise ValueError("is damaged")
    try:
        found = torch.load(io.BytesIO(data[start:]), weights_only=True)
        written_by, state = found["versions"], found["state"]
    except UNREADABLE as error:
        raise ValueError(f"cannot be read: {error!s:.200}") from error
    if written_by != versions():
        raise ValueError(f"was written with {written_by!s:.200}, and this is {versions()}")
    return state
