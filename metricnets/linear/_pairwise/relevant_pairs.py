"""Checks of queries, their documents, relevance and groups."""

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import checked_array, checked_column


def check_shapes(X: np.ndarray, Y: np.ndarray, documents: np.ndarray) -> None:
    """Raise ValueError unless queries and their documents are as many, and all have the same features."""
    if Y.ndim != 2:
        raise ValueError("Y should be a 2D array, the embeddings of the documents: index[Y] if Y has rows of an index.")
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} queries and Y {len(Y)} documents; row i of Y is the document of query i.")
    for name, given in {"Y": Y, "documents": documents}.items():
        if given.shape[1] != X.shape[1]:
            raise ValueError(
                f"{name} has {given.shape[1]} features and X has {X.shape[1]}; both should be embeddings by one model."
            )


def check_relevance(y: ArrayLike | None, n_pairs: int) -> np.ndarray:
    """Relevance of each pair; ValueError unless it is in [0, 1], and positive for some pair."""
    if y is None:
        return np.ones(n_pairs)
    relevance = checked_array(y, "y", dtype=float, ensure_2d=False)
    if relevance.shape != (n_pairs,):
        raise ValueError(f"y has shape {relevance.shape}; it should hold the relevance of each of {n_pairs} pairs.")
    if relevance.min() < 0 or relevance.max() > 1:
        raise ValueError(f"y reaches from {relevance.min():.3g} to {relevance.max():.3g}; relevance is in [0, 1].")
    if not relevance.any():
        raise ValueError("y is 0 for all pairs: no document is relevant; give some pairs with a positive relevance.")
    return relevance


def check_groups(groups: ArrayLike, n_pairs: int) -> np.ndarray:
    """Group of each pair; ValueError unless there is one for each."""
    groups = checked_column(groups, "groups")
    if len(groups) != n_pairs:
        raise ValueError(f"groups has {len(groups)} values; it should have one for each of {n_pairs} pairs.")
    return groups
