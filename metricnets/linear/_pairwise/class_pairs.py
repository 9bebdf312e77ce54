"""Mean scatters of the differences of all pairs of samples of one class, and of two, without forming the pairs."""

import numpy as np

from metricnets._groups import group_means

ROUNDING = 1e-12  # share of all pairs that is none of them


def class_scatters(
    X: np.ndarray, codes: np.ndarray, views: np.ndarray | None = None, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean scatters of the differences of similar and of dissimilar pairs.

    The pairs are those of two rows of X; with ``views`` the rows are of two views.  They are counted by inclusion and
    exclusion: the pairs of one class and two views are those of one class less those of one class and one view.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        Classes, numbered from 0.
    views : ndarray of int of shape (n,) or None
        Views, numbered from 0.
    weights : ndarray of shape (n,) or None
        How often each row counts, positive.

    Returns
    -------
    similar, dissimilar : ndarray of shape (d, d)
        0 if there are no such pairs.
    n_similar, n_dissimilar : float
        How many pairs there are, those of the copies of a row among themselves included.
    """
    same, n_same = sum_within(X, codes, weights)
    total, n_total = sum_within(X, np.zeros(len(X), int), weights)
    if views is not None:
        of_view, n_of_view = sum_within(X, views, weights)
        of_both, n_of_both = sum_within(X, codes * (views.max() + 1) + views, weights)
        same, n_same = same - of_both, n_same - n_of_both
        total, n_total = total - of_view, n_total - n_of_view
    n_other = n_total - n_same
    n_same, n_other = (n if n > ROUNDING * n_total else 0 for n in (n_same, n_other))
    return same / (n_same or 1), (total - same) / (n_other or 1), n_same, n_other


def sum_within(X: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """Σ (x − x')(x − x')ᵀ over the pairs of rows of one group, and their number.

    For a group of n rows with mean m it is n Σ (x − m)(x − m)ᵀ.  A row of weight w stands for w copies, which form
    w (w − 1)/2 pairs among themselves if w > 1.
    """
    _, number, sizes, means = group_means(X, groups, weights)
    deviations = X - means[number]
    if weights is None:
        return (deviations * sizes[number, None]).T @ deviations, int((sizes * (sizes - 1) // 2).sum())
    S = (deviations * (sizes[number] * weights)[:, None]).T @ deviations
    return S, ((sizes**2).sum() - np.minimum(weights, weights**2).sum()) / 2
