"""Binary codes: signs, packed bits, Hamming distances, and the rotation of iterative quantisation."""

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array

WORD = 8  # bytes
HAS_COUNT = hasattr(np, "bitwise_count")  # from NumPy 2


def signs(h: np.ndarray) -> np.ndarray:
    """The codes of continuous codes, +1 where they are positive, otherwise −1, in the same precision."""
    return np.where(h > 0, 1, -1).astype(h.dtype)


def packed(codes: ArrayLike, name: str) -> np.ndarray:
    """Validate codes, and pack their bits into bytes, (n, n_bytes); arrays of uint8 are packed already."""
    codes = checked_array(codes, name)
    if codes.dtype == np.uint8:
        return codes
    if codes.dtype.kind in "iu" and codes.min() >= 0 and codes.max() >= 128:
        raise ValueError(
            f"{name} has integers from {codes.min()} to {codes.max()}, like packed codes, which should be an array of "
            f"uint8, and is of {codes.dtype}; the bits of a code that is not packed are 1 and -1, or 1 and 0."
        )
    return np.packbits(codes > 0, axis=1)


def words(bytes_: np.ndarray) -> np.ndarray:
    """Packed codes as words of 64 bits, (n, n_words), the last one filled up with zeros; columns are contiguous."""
    padded = np.pad(bytes_, ((0, 0), (0, -bytes_.shape[1] % WORD)))
    return np.asfortranarray(np.ascontiguousarray(padded).view(np.uint64))


def counts_dtype(n_words: int) -> np.dtype:
    """The smallest type for Hamming distances of codes of so many words, and for a number above them."""
    return np.min_scalar_type(8 * WORD * n_words + 1)


def count_differences(code: np.ndarray, database: np.ndarray) -> np.ndarray:
    """Hamming distances of one code (n_words,) and those of a database (n, n_words), of the smallest type, (n,)."""
    counts = np.zeros(len(database), counts_dtype(len(code)))
    for word, column in zip(code, database.T):
        counts += ones(column ^ word)
    return counts


def ones(column: np.ndarray) -> np.ndarray:
    """Number of bits that are 1 in each word of a column (n,), uint8."""
    return np.bitwise_count(column) if HAS_COUNT else ones_by_sums(column)


def ones_by_sums(column: np.ndarray) -> np.ndarray:
    """What `ones` returns, from sums of 2, 4 and 8 neighbouring bits; their product with 0x0101... adds the bytes."""
    every_2nd, every_4th, every_8th, bytes_ = (np.uint64(int(digits * 8, 16)) for digits in ("55", "33", "0f", "01"))
    counts = column - ((column >> np.uint64(1)) & every_2nd)
    counts = (counts & every_4th) + ((counts >> np.uint64(2)) & every_4th)
    counts = (counts + (counts >> np.uint64(4))) & every_8th
    return ((counts * bytes_) >> np.uint64(56)).astype(np.uint8)


def quantization_rotation(V: np.ndarray, rng: np.random.Generator, n_iter: int = 50) -> np.ndarray:
    """The rotation R of iterative quantisation (ITQ), a local minimum of ‖sign(V R) − V R‖².

    Parameters
    ----------
    V : ndarray of shape (n, k)
        Centred points in k directions, the principal components as a rule.
    rng : numpy.random.Generator
        Generator of the first rotation.
    n_iter : int, default=50
        Number of iterations, each of which finds the codes of a rotation, and the rotation nearest to the codes.

    Returns
    -------
    R : ndarray of shape (k, k)

    References
    ----------
    Y. Gong, S. Lazebnik, "Iterative quantization: a procrustean approach to learning binary codes", CVPR 2011.
    """
    R = np.linalg.qr(rng.normal(size=(V.shape[1], V.shape[1])))[0]
    for _ in range(n_iter):
        left, _, right = np.linalg.svd(V.T @ signs(V @ R))
        R = left @ right
    return R
