"""The format of safetensors, written one array after another, so that saving takes no memory for the file.

The format is the length of the header in eight bytes, the header in JSON, and the arrays, one behind the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

TYPES = {
    **{"<f8": "F64", "<f4": "F32", "<f2": "F16", "|b1": "BOOL"},
    **{"<i8": "I64", "<i4": "I32", "<i2": "I16", "|i1": "I8"},
    **{"<u8": "U64", "<u4": "U32", "<u2": "U16", "|u1": "U8"},
}
LONGEST = 100_000_000  # bytes of a header that safetensors reads


def parts_of(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> Iterator[bytes | memoryview]:
    """Give the parts of a file.

    Parameters
    ----------
    arrays : dict of ndarray
        By name; of `TYPES`, and contiguous.
    metadata : dict of str
        Texts for the header.

    Yields
    ------
    part : bytes or memoryview

    Raises
    ------
    ValueError
        If the header is longer than `LONGEST`.
    """
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # so that each begins at its own size
    header, place = {"__metadata__": metadata}, 0
    for name in names:
        array = arrays[name]
        offsets = [place, place := place + array.nbytes]
        header[name] = {"dtype": TYPES[array.dtype.str], "shape": array.shape, "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST:
        raise ValueError(
            f"what is no array takes {len(text)} bytes, and a file may have {LONGEST}: keep large lists, dictionaries "
            "and strings as arrays of numbers or of strings."
        )
    yield len(text).to_bytes(8, "little")
    yield text
    for name in names:
        yield memoryview(arrays[name].reshape(-1).view(np.uint8))
