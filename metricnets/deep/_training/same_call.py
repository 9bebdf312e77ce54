"""Whether processes that train together call the same ``fit``: a summary of its parameters and arguments is compared.

Numbers of arrays are summed, in parts of rows, so that those that two machines have computed with other roundings count
as the same.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import issparse
from torch import nn

from metricnets._tables import REAL, Table
from metricnets.deep._training.digest import Digest

OF_EACH = {"callbacks", "checkpoint", "device", "n_jobs", "random_state", "verbose"}  # parameters that may differ
PLAIN = (bool, int, float, str, np.generic, type(None))
WHOLE = 2**22  # numbers of an array up to which all are summed
N_ROWS = 1000  # of another array, that are looked at
PRECISION = 1e-5  # of sums, relative to those of absolute values
N_PARTS = 1000  # of an array, that are summed apart


class Summary(NamedTuple):
    """What a value is in words, a digest of what is compared exactly, and sums of numbers and of their sizes."""

    words: str
    digest: str = ""
    sums: tuple[tuple[float, float], ...] = ()

    def is_like(self, other):
        """Whether the values are the same, as far as this shows."""
        pairs = zip(self.sums, other.sums)
        return self[:2] == other[:2] and all(a == b or abs(a - b) <= PRECISION * (c + d) for (a, c), (b, d) in pairs)


def check_same_call(processes, estimator, method, arguments):
    """Raise ValueError, in all processes, if one calls another method, or with other parameters or arguments."""
    given = {name: value for name, value in estimator.get_params(deep=False).items() if name not in OF_EACH}
    given |= {name: value for name, value in arguments.items() if name != "self"}
    called = {"the method": Summary(f"{type(estimator).__name__}.{method}")}
    called["checkpoint"] = Summary("None" if estimator.checkpoint is None else "a folder")  # all have one, or none
    called |= {name: summary(value) for name, value in given.items()}
    first, *others = processes.of_all(called)
    for rank, other in enumerate(others, 1):
        for name in first | other:
            a, b = (each.get(name, Summary("not given")) for each in (first, other))
            if not a.is_like(b):
                found = f"{a.words} in process 0 and {b.words} in process {rank}"
                if a.words == b.words:
                    found = f"{a.words}, with other values in process {rank} than in process 0"
                raise ValueError(
                    f"distributed=True: {name} is {found}; give all processes the same data and parameters, they share "
                    "the batches themselves."
                )


def summary(value: Any) -> Summary:
    """The `Summary` of a parameter or argument, the same in each process."""
    if isinstance(value, float):
        return Summary(f"{value:.9g}")
    if isinstance(value, PLAIN) or (isinstance(value, list | tuple) and are_plain(value)):
        return Summary(repr(value))
    if isinstance(value, nn.Module):
        return Summary(repr(value))  # with the weights of process 0
    if isinstance(value, dict):
        return joined("a dict", [part for item in value.items() for part in item])
    if issparse(value):
        arrays = [vars(value)[name] for name in ("data", "indices", "indptr", "coords") if name in vars(value)]
        return joined(f"a sparse matrix of shape {value.shape}", arrays)
    if isinstance(value, torch.Tensor):
        return of_array(value.detach().cpu().numpy())
    if isinstance(value, list | tuple):
        if any(getattr(part, "ndim", 0) for part in value):
            return joined(f"a {type(value).__name__} of {len(value)} arrays", value)
        return of_array(array_of(value))
    if isinstance(value, np.ndarray | Table) or hasattr(value, "iloc"):
        return of_array(value)
    kind = value if hasattr(value, "__qualname__") else type(value)
    return Summary(f"{kind.__module__}.{kind.__qualname__}{getattr(value, 'shape', '')}")


def are_plain(values):
    """Whether a list is short, and its values have a short form in print."""
    return len(values) < 10 and all(isinstance(each, PLAIN) for each in values)


def array_of(values):
    """An array of a list; of objects if its parts are of several sizes."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.fromiter(values, object, len(values))


def joined(words, values):
    """One `Summary` of several values."""
    parts = [summary(value) for value in values]
    return Summary(words, str([part[:2] for part in parts]), tuple(pair for part in parts for pair in part.sums))


def of_array(X):
    """The `Summary` of an array, a data frame or a table: of all numbers, or of some rows."""
    kind = "an array" if isinstance(X, np.ndarray) else f"a {type(X).__name__}"
    words, n_rows = f"{kind} of shape {X.shape}", len(X) if X.ndim else 1
    is_small = isinstance(X, np.ndarray) and X.dtype.kind in REAL and X.size <= WHOLE
    n = min(N_ROWS, max(1, WHOLE * n_rows // max(1, X.size)))
    if isinstance(X, Table):  # rows that are stored together
        some = np.concatenate([X[:n], X[-n:]])
    else:
        some = np.asarray(X if is_small or not X.ndim else getattr(X, "iloc", X)[:: max(1, -(-n_rows // n))])
    if some.dtype.kind != "f":
        return Summary(words, str(Digest(some)))
    values = some.astype(float).ravel()
    is_finite = np.isfinite(values)
    values[~is_finite] = 0
    values *= 1 + np.arange(len(values)) * 0.618034 % 1  # in another order they have other sums
    n_parts = min(N_PARTS, len(values), len(some) if some.ndim else 1)
    starts = np.linspace(0, len(values), n_parts, endpoint=False).astype(int)
    sums, sizes = np.add.reduceat(values, starts), np.add.reduceat(abs(values), starts)
    sizes += sizes.sum() / max(1, n_parts)  # a part of little but roundings is not compared
    return Summary(words, f"{some.dtype} {is_finite.sum()}", tuple(zip(sums.tolist(), sizes.tolist())))
