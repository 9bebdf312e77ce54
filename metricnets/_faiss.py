"""What FAISS takes and how: rows in single precision, threads, and its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from metricnets._cores import n_threads
from metricnets._linalg import middle, shifted
from metricnets._params import random_state_of

EUCLIDEAN = 1  # METRIC_L2
TRAINING_ROWS = 500_000
MORE = 4  # neighbours that are measured besides those asked for
NUMBERS = 2**23  # of their features in memory at a time


def rows_of(X: np.ndarray, origin: np.ndarray | None, unit: float) -> np.ndarray:
    """Rows as FAISS takes them: in single precision, from the origin in units, or of length one."""
    if origin is not None:
        rows = shifted(X, origin)
        rows /= unit
        return np.ascontiguousarray(rows, dtype=np.float32)
    largest = np.abs(X).max(axis=1, keepdims=True)
    X = X / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return np.ascontiguousarray(X / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def origin_and_unit(X: np.ndarray) -> tuple[np.ndarray, float]:
    """A point near the rows, and a power of 2 near their distance from it, as their squares may overflow."""
    origin = middle(X)
    largest = max(np.abs(end - origin).max() for end in (X.min(axis=0), X.max(axis=0)))
    return origin, float(2.0 ** np.floor(np.log2(largest))) if largest > 0 else 1.0


def drawn(X: np.ndarray, seed: Any) -> np.ndarray:
    """Some of the rows, if they are many."""
    if len(X) <= TRAINING_ROWS:
        return X
    return X[np.sort(random_state_of(seed).choice(len(X), TRAINING_ROWS, replace=False))]


def nearest(index: Any, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """What the index finds, the nearest first: squared distances or inner products (n, k), and rows, −1 for none.

    FAISS takes squared distances of many queries from inner products, in which near points lose all digits.  So a few
    more than k are found, and the differences of their features squared.
    """
    n_found = min(k + MORE, index.ntotal)
    if index.metric_type != EUCLIDEAN:
        return index.search(queries, k)
    parts = gen_batches(len(queries), max(1, NUMBERS // (n_found * queries.shape[1])))
    found = [_measured(index, queries[part], *index.search(queries[part], n_found)) for part in parts]
    distances, rows = (np.concatenate(arrays) for arrays in zip(*found))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _measured(index, queries, distances, rows):
    """The same neighbours with distances from differences, if the index has the points."""
    distances[rows < 0] = np.inf
    which, place = np.nonzero(rows >= 0)
    with contextlib.suppress(RuntimeError):  # of an index that keeps codes only
        points = index.reconstruct_batch(rows[which, place])
        distances[which, place] = ((queries[which] - points) ** 2).sum(axis=1)
    return distances, rows


@contextlib.contextmanager
def words_of_faiss(parameter: str) -> Iterator[None]:
    """Raise ValueError that names the parameter where FAISS raises an error of its own."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        words = str(error).partition("\n")[0].rpartition(": ")[2]
        raise ValueError(f"FAISS does not take {parameter}: {words}") from error


@contextlib.contextmanager
def threads(faiss: Any, n_jobs: int | None) -> Iterator[None]:
    """Let FAISS use so many threads of this thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n_threads(n_jobs))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
