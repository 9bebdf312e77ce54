"""Binary codes: packed bits and Hamming distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array
from metricnets._checks import check_count
from metricnets._codes import count_differences, packed, words


def pack_codes(codes: ArrayLike) -> np.ndarray:
    """Pack binary codes into bytes of eight bits.

    Parameters
    ----------
    codes : array-like of shape (n, n_bits)
        Numbers whose signs are the bits: 1 where they are positive, as in codes of ±1, of 0 and 1, or of Booleans.
        Arrays of uint8 are packed already, and returned as they are.

    Returns
    -------
    packed : ndarray of uint8 of shape (n, ⌈n_bits / 8⌉)
        As :func:`numpy.packbits` makes them; the last byte is filled up with zeros.

    Raises
    ------
    ValueError
        If ``codes`` is not a 2-D array of finite numbers.

    Examples
    --------
    >>> from metricnets.metrics import pack_codes
    >>> pack_codes([[1, -1, -1, -1, -1, -1, -1, 1, 1]])
    array([[129, 128]], dtype=uint8)
    """
    return packed(codes, "codes")


def unpack_codes(packed: ArrayLike, n_bits: int) -> np.ndarray:
    """Unpack binary codes into numbers of ±1.

    Parameters
    ----------
    packed : array-like of uint8 of shape (n, n_bytes)
        Codes as :func:`pack_codes` returns them.
    n_bits : int
        Number of bits of a code, from 1 to 8 n_bytes.

    Returns
    -------
    codes : ndarray of float32 of shape (n, n_bits)

    Raises
    ------
    ValueError
        If ``packed`` is not of uint8, or has not that many bits.

    Examples
    --------
    >>> from metricnets.metrics import pack_codes, unpack_codes
    >>> unpack_codes(pack_codes([[1, -1, -1]]), 3)
    array([[ 1., -1., -1.]], dtype=float32)
    """
    packed = checked_array(packed, "packed", dtype=None)
    if packed.dtype != np.uint8:
        raise ValueError(f"packed should be of uint8, as pack_codes returns it; got {packed.dtype}.")
    check_count(n_bits=n_bits)
    if n_bits > 8 * packed.shape[1]:
        raise ValueError(f"n_bits={n_bits} should be between 1 and the {8 * packed.shape[1]} bits of packed.")
    return np.unpackbits(packed, axis=1, count=int(n_bits)).astype(np.float32) * 2 - 1


def hamming_distances(codes: ArrayLike, other_codes: ArrayLike | None = None) -> np.ndarray:
    """Compute the Hamming distances of binary codes, the numbers of bits that differ.

    Parameters
    ----------
    codes : array-like of shape (n, n_bits), or of uint8 of shape (n, n_bytes)
        Codes as numbers whose signs are the bits, or packed codes, see :func:`pack_codes`.
    other_codes : array-like of shape (m, n_bits) or (m, n_bytes), default=None
        Other codes; None is ``codes``.

    Returns
    -------
    distances : ndarray of int32 of shape (n, m)

    Raises
    ------
    ValueError
        If the codes do not have the same number of bits, or are not finite numbers.

    Examples
    --------
    >>> from metricnets.metrics import hamming_distances
    >>> hamming_distances([[1, 1, -1], [-1, -1, -1]], [[1, -1, -1]])
    array([[1],
           [1]], dtype=int32)
    """
    a = packed(codes, "codes")
    b = a if other_codes is None else packed(other_codes, "other_codes")
    check_same_bits(a, b, codes, other_codes)
    database = words(b)
    return np.array([count_differences(code, database) for code in words(a)], np.int32)


def check_same_bits(a: np.ndarray, b: np.ndarray, codes: ArrayLike, other: ArrayLike | None) -> None:
    """Raise ValueError if packed codes, or the codes they were packed from, do not have the same number of bits."""
    widths = [np.shape(given)[1] for given in (codes, codes if other is None else other)]
    both_packed = [getattr(given, "dtype", None) == np.uint8 for given in (codes, other)]
    if a.shape[1] != b.shape[1] or (not any(both_packed) and widths[0] != widths[1]):
        raise ValueError(f"codes should have the same number of bits; got {widths[0]} and {widths[1]} columns.")
