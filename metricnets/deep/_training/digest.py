"""A digest of what a fit depends on, the same in every process."""

import hashlib
import re
import types
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

ROWS = 65_536  # taken at a time
OF_LIBRARIES = ("torch.", "metricnets.", "sklearn.", "skorch.", "numpy.", "builtins")  # their code has versions


class Digest:
    """A hash of values of any kind, which does not depend on addresses.

    Functions and classes of the user count with their own code, not with that of what they call.
    """

    def __init__(self, *values):
        self.hash, self.open = hashlib.blake2b(digest_size=16), set()
        for value in values:
            self.add(value)

    def __str__(self):
        return self.hash.hexdigest()

    def add(self, value):
        """Add a value and what it consists of; one that is part of itself only once."""
        self.hash.update(f"({type(value).__qualname__} ".encode())
        if id(value) in self.open:
            self.hash.update(b"again)")
            return
        self.open.add(id(value))
        if isinstance(value, torch.Tensor):
            self._add_tensor(value)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            self._add_array(value)
        elif isinstance(value, bytes):
            self.hash.update(value)
        elif value is None or isinstance(value, bool | int | float | complex | str | np.generic):
            self.hash.update(repr(value).encode())
        else:
            for part in _parts(value):
                self.add(part)
        self.hash.update(b")")
        self.open.discard(id(value))

    def _add_tensor(self, value):
        self.hash.update(str((value.dtype, value.layout)).encode())
        if value.layout is not torch.strided:
            value = value.to_sparse_coo().coalesce()
            self.add([value.shape, value.indices(), value.values()])
            return
        value = value.detach().cpu()
        self._add_array((value if value.ndim else value[None]).contiguous().view(torch.uint8).numpy())

    def _add_array(self, value):
        self.hash.update(f"{value.dtype.str}{value.shape}".encode())
        for first in range(0, len(value) if value.ndim else 0, ROWS):  # of a file, not all at once
            self.hash.update(np.ascontiguousarray(value[first : first + ROWS]).view(np.uint8))
        if not value.ndim:
            self.hash.update(value.tobytes())


def _parts(value):
    """What a value consists of."""
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, np.ndarray):
        return [value.shape, value.tolist()]
    if isinstance(value, nn.Module):
        return [repr(value), value.state_dict(), type(value)]
    if isinstance(value, torch.Generator):
        return [value.get_state()]
    if isinstance(value, np.ufunc):
        return [repr(value)]  # libraries attach attributes to those of NumPy
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__module__, value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    if isinstance(value, types.CodeType):
        return [value.co_code, value.co_names, value.co_consts]
    if isinstance(value, type):
        name = f"{value.__module__}.{value.__qualname__}"
        own = [] if name.startswith(OF_LIBRARIES) else vars(value).values()
        return [name, *(part for part in own if isinstance(part, types.FunctionType))]
    try:
        reduced = value.__reduce_ex__(4)  # as `pickle` takes objects apart
    except TypeError:
        reduced = vars(value) if hasattr(value, "__dict__") else re.sub(r" at 0x\w+", "", repr(value))
    parts = reduced if isinstance(reduced, tuple) else [reduced]
    return [type(value), *(list(part) if isinstance(part, Iterator) else part for part in parts)]
