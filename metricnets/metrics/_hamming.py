"""Binary codes: Hamming distances, and scores of retrieval by them with ties in random order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from metricnets._arrays import checked_array, checked_column
from metricnets._codes import count_differences, packed, words
from metricnets.metrics._retrieval import check_k


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
    if not 1 <= n_bits <= 8 * packed.shape[1]:
        raise ValueError(f"n_bits={n_bits} should be between 1 and the {8 * packed.shape[1]} bits of packed.")
    return np.unpackbits(packed, axis=1, count=n_bits).astype(np.float32) * 2 - 1


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
    return np.array([count_differences(code, database) for code in words(a)])


def hamming_scores(
    codes: ArrayLike, y: ArrayLike, codes_gallery: ArrayLike, y_gallery: ArrayLike, *, k: ArrayLike = (1, 10, 100)
) -> dict[str, Any]:
    """Compute the scores of retrieval by Hamming distance, expected for ties in random order.

    Many codes of a gallery have the same distance to a query.  The scores are means over all orders of them, in closed
    form: no order is drawn, and none is preferred.  A query and the samples of its class match.

    Parameters
    ----------
    codes : array-like of shape (n, n_bits), or of uint8 of shape (n, n_bytes)
        Codes of the queries as numbers whose signs are the bits, or packed, see :func:`pack_codes`.
    y : array-like of shape (n,)
        Classes of the queries.
    codes_gallery : array-like of shape (n_gallery, n_bits) or (n_gallery, n_bytes)
        Codes of the gallery.
    y_gallery : array-like of shape (n_gallery,)
        Classes of the gallery.
    k : int or array-like of int, default=(1, 10, 100)
        Numbers of nearest samples that ``precision_at_k`` and ``recall_at_k`` consider.

    Returns
    -------
    scores : dict
        ``mean_average_precision``; ``precision_at_k``, the share of matches among the first k samples, and
        ``recall_at_k``, the share of the matches among them, arrays if ``k`` is one; ``precision_within_2``, the share
        of matches among the samples at a distance of at most 2, 0 if there are none, as papers on hashing report it;
        ``n_queries``, the number of queries with a match, which are those that count.

    Raises
    ------
    ValueError
        If the shapes do not fit, or no query has a match.

    See Also
    --------
    retrieval_scores : Scores by Euclidean distance, where ties are broken against the query.

    Notes
    -----
    Let n samples, r of them matches, be at one distance, and N, R of them matches, at smaller ones; let R_all be the
    number of all matches and ΔH = H(N + n) − H(N) the difference of harmonic numbers.  Then these n samples contribute
    (r / n) [(R + 1) ΔH + (r − 1) / (n − 1) (n − (N + 1) ΔH)] / R_all to the expected average precision.

    References
    ----------
    F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently in the presence of tied
    scores", ECIR 2008.

    Examples
    --------
    >>> from metricnets.metrics import hamming_scores
    >>> hamming_scores([[1, 1]], ["a"], [[1, 1], [1, 1]], ["a", "b"], k=1)["mean_average_precision"]
    0.75
    """
    k, y, y_gallery = check_k(k), checked_column(y, "y"), checked_column(y_gallery, "y_gallery")
    queries, gallery = packed(codes, "codes"), packed(codes_gallery, "codes_gallery")
    check_same_bits(queries, gallery, codes, codes_gallery)
    if len(queries) != len(y) or len(gallery) != len(y_gallery):
        raise ValueError(
            f"each sample should have a class: codes has {len(queries)} rows and y {len(y)}, codes_gallery "
            f"{len(gallery)} and y_gallery {len(y_gallery)}."
        )
    database, rows = words(gallery), []
    for code, label in zip(words(queries), y):
        matches = y_gallery == label
        if matches.any():
            distances = count_differences(code, database)
            n, r = np.bincount(distances), np.bincount(distances[matches], minlength=distances.max() + 1)
            rows.append(np.concatenate([[average_precision(n, r)], *precisions(n, r, k.ravel())]))
    if not rows:
        raise ValueError("no query has a sample of its class in the gallery; y and y_gallery have no class in common.")
    average, *at_k, within = np.split(np.mean(rows, axis=0), [1, 1 + k.size, 1 + 2 * k.size])
    scores = {"mean_average_precision": float(average[0])}
    for name, values in zip(("precision_at_k", "recall_at_k"), at_k):
        scores[name] = values.reshape(k.shape) if k.ndim else float(values[0])
    return scores | {"precision_within_2": float(within[0]), "n_queries": len(rows)}


def average_precision(n: np.ndarray, r: np.ndarray) -> float:
    """Expected average precision for n samples and r matches at each distance, in ascending order."""
    before, found = np.cumsum(n) - n, np.cumsum(r) - r
    n, r, before, found = (values[r > 0] for values in (n, r, before, found))
    harmonic = digamma(before + n + 1) - digamma(before + 1)
    others = (r - 1) / np.maximum(n - 1, 1)  # chance that another sample at this distance is a match
    return float((r / n * ((found + 1) * harmonic + others * (n - (before + 1) * harmonic))).sum() / r.sum())


def precisions(n: np.ndarray, r: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Expected precision and recall at k, and the precision within a distance of 2, of such counts."""
    found = np.interp(k, np.append(0, np.cumsum(n)), np.append(0, np.cumsum(r)))
    return found / k, found / r.sum(), [r[:3].sum() / max(1, n[:3].sum())]


def check_same_bits(a: np.ndarray, b: np.ndarray, codes: ArrayLike, other: ArrayLike | None) -> None:
    """Raise ValueError if packed codes, or the codes they were packed from, do not have the same number of bits."""
    widths = [np.shape(given)[1] for given in (codes, codes if other is None else other)]
    both_packed = [getattr(given, "dtype", None) == np.uint8 for given in (codes, other)]
    if a.shape[1] != b.shape[1] or (not any(both_packed) and widths[0] != widths[1]):
        raise ValueError(f"codes should have the same number of bits; got {widths[0]} and {widths[1]} columns.")
