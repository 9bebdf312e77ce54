"""Means of groups of rows."""

import numpy as np


def group_means(X: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute the mean of each group of rows of X.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        With one row at least.
    groups : ndarray of shape (n,)

    Returns
    -------
    names : ndarray of shape (n_groups,)
        The groups, sorted.
    number : ndarray of int of shape (n,)
        Index of the group of each row.
    sizes : ndarray of int of shape (n_groups,)
    means : ndarray of shape (n_groups, d)
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(number, kind="stable")
    return names, number, sizes, np.add.reduceat(X[order], np.cumsum(sizes) - sizes) / sizes[:, None]
