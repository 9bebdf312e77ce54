"""Norms of queries and documents: their unit, and how to keep them."""

import numpy as np

from metricnets._arrays import lengths

UNIT = 1e-2  # how far from 1 norms may be, as embeddings are often kept in half precision
FAR = 1e6  # norms of queries, relative to those of documents
SMALLEST, LARGEST = 1e-153, 1e153  # unit whose square is a number


def common_unit(X: np.ndarray, documents: np.ndarray) -> tuple[float, bool]:
    """The root mean square of the norms of documents, and whether all norms are 1; the unit is 1 then."""
    norms, of_queries = lengths(documents), lengths(X)
    if max(np.abs(norms - 1).max(), np.abs(of_queries - 1).max()) < UNIT:
        return 1.0, True
    largest = norms.max()
    if not largest > 0:
        raise ValueError("Y and documents hold zeros only; they have no direction in which a query could change.")
    unit = float(largest * np.sqrt(np.mean((norms / largest) ** 2)))
    if not SMALLEST < unit < LARGEST:
        raise ValueError(f"documents have norms of about {unit:.3g}: scale X, Y and documents.")
    if not of_queries.max() < FAR * unit:
        raise ValueError(f"X has norms up to {of_queries.max():.3g}, and documents of about {unit:.3g}: scale X first.")
    return unit, False


def norm_ratios(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """By how much each row of X is longer than that of Z; 1 where one of them is zero."""
    before, after = lengths(X), lengths(Z)
    return np.divide(before, after, out=np.ones_like(after), where=after > 0).astype(X.dtype)
