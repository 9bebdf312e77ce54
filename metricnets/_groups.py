"""Groups of rows: their means, places in them, and rows in the order of their classes."""

import numpy as np
from scipy.sparse import csr_matrix


def group_means(
    X: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute the mean of each group of rows of X.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        With one row at least.
    groups : ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
        Positive.

    Returns
    -------
    names : ndarray of shape (n_groups,)
        The groups, sorted.
    number : ndarray of int of shape (n,)
        Index of the group of each row.
    sizes : ndarray of shape (n_groups,)
        Number of rows of each group, or the sum of their weights.
    means : ndarray of shape (n_groups, d)
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if weights is not None:
        sizes = np.bincount(number, weights)
    n = len(number)
    members = csr_matrix((np.ones(n) if weights is None else weights, (number, np.arange(n))), (len(names), n))
    return names, number, sizes, members @ X / sizes[:, None]


def places_in_groups(number: np.ndarray) -> np.ndarray:
    """Number the rows of each group from 0, in their order.

    >>> places_in_groups(np.array([3, 1, 3, 3, 1]))
    array([0, 0, 1, 2, 1])
    """
    order = np.argsort(number, kind="stable")
    sizes = np.bincount(number)
    places = np.empty(len(number), dtype=int)
    places[order] = np.arange(len(number)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return places


def sorted_by_class(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of known class, sorted by class, and for each the end of its class in this order."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    return rows, np.searchsorted(codes[rows], codes[rows], side="right")
