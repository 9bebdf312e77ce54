"""Scores of retrieval by Hamming distance, expected for ties in random order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from metricnets._arrays import checked_column
from metricnets._codes import count_differences, packed, words
from metricnets.metrics._hamming import check_same_bits
from metricnets.metrics._retrieval import check_k


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
