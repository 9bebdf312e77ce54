"""Ranks of the gallery samples that match a query, computed for a chunk of queries at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from sklearn.preprocessing import normalize

from metricnets._arrays import checked_array, checked_column
from metricnets._tuples import FLOATS

CHUNK = 2**22  # distances in memory at a time
SLACK = 4  # distances that differ by less than this many times their precision count as equal


def match_ranks(
    z: ArrayLike, y: ArrayLike, z_gallery: ArrayLike | None, y_gallery: ArrayLike | None, metric: str
) -> Iterator[np.ndarray]:
    """Yield, for each query that has a match, the ranks of its matches, ascending and counted from 1.

    Of samples at equal distances, up to rounding, those that do not match are ranked first.  Ranks therefore do not
    depend on the order of the samples, and embeddings that have collapsed to a point are ranked worst.
    The arguments are those of :func:`metricnets.metrics.retrieval_scores`.
    """
    check_metric(metric)
    z, codes, gallery, gallery_codes, alone = _check(z, y, z_gallery, y_gallery)
    order = np.argsort(gallery_codes, kind="stable")  # the matches of a query are adjacent
    begin, end = (np.searchsorted(gallery_codes[order], codes, side=side) for side in ("left", "right"))
    queries = np.flatnonzero(end - begin > alone)
    itself = np.argsort(order)
    z, gallery, penalty = _prepared(z, gallery[order], metric)
    size = max(1, CHUNK // len(gallery))
    distances = np.empty((min(size, len(queries)), len(gallery)), np.result_type(z, gallery))
    for start in range(0, len(queries), size):
        chunk = queries[start : start + size]
        d = np.matmul(z[chunk], gallery.T, out=distances[: len(chunk)])
        np.subtract(penalty, d, out=d)  # half the squared distance, up to a constant for each query
        if alone:
            d[np.arange(len(chunk)), itself[chunk]] = np.inf
        matches = [np.sort(row[begin[i] : end[i]]) for row, i in zip(d, chunk)]
        d.sort(axis=1)
        for row, match, norm in zip(d, matches, (z[chunk] ** 2).sum(axis=1)):
            match = match[: len(match) - alone]  # the query itself is last
            reach = match + SLACK * np.finfo(d.dtype).eps * (norm + np.abs(match))  # equal rows may differ by rounding
            others = np.searchsorted(row, reach, side="right") - np.searchsorted(match, reach, side="right")
            yield others + np.arange(1, len(match) + 1)


def check_metric(metric: str) -> None:
    """Raise ValueError unless ``metric`` is known."""
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f"metric={metric!r} is unknown; use 'euclidean' or 'cosine'.")


def _prepared(z, gallery, metric):
    """Queries, gallery and a penalty: penalty − z·gallery sorts the gallery by its distance to a query."""
    if metric == "cosine":
        return (
            normalize(z.astype(float)),
            normalize(gallery.astype(float)),
            0,
        )  # in double precision, as close unit rows differ in late digits
    origin = np.median(gallery, axis=0)  # far from it squares lose digits; medians of whole numbers are exact
    z, gallery = z - origin, gallery - origin
    return z, gallery, (gallery**2).sum(axis=1) / 2


def _table(z, name):
    """Embeddings in single or double precision, as squares overflow in half precision and small integers."""
    return checked_array(z, name, dtype=FLOATS)


def _check(z, y, z_gallery, y_gallery):
    """Validated arguments of `match_ranks` except the metric, with classes as codes."""
    z, y = _table(z, "z"), checked_column(y, "y")
    if (z_gallery is None) != (y_gallery is None):
        raise ValueError("z_gallery and y_gallery should be given together.")
    alone = z_gallery is None
    gallery = z if alone else _table(z_gallery, "z_gallery")
    y_gallery = y if alone else checked_column(y_gallery, "y_gallery")
    if len(z) != len(y) or len(gallery) != len(y_gallery):
        raise ValueError(
            f"each sample should have a class: z has {len(z)} rows and y {len(y)}, "
            f"z_gallery {len(gallery)} and y_gallery {len(y_gallery)}."
        )
    if z.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"z has {z.shape[1]} columns and z_gallery {gallery.shape[1]}; embed both with the same metric."
        )
    if (y.dtype.kind in "SU") != (y_gallery.dtype.kind in "SU"):
        here, there = y.tolist()[0], y_gallery.tolist()[0]
        raise ValueError(f"y holds {here!r} and y_gallery {there!r}; both should hold classes of one kind.")
    codes = np.unique(np.concatenate([y, y_gallery]), return_inverse=True)[1]
    exponent = np.frexp(max(np.abs(z).max(), np.abs(gallery).max()))[1]
    if abs(exponent) > 30:  # squares might overflow or underflow; ranks do not depend on the scale
        z, gallery = np.ldexp(z, -exponent), np.ldexp(gallery, -exponent)
    return z, codes[: len(y)], gallery, codes[len(y) :], alone
