"""Pairs drawn from classes of weighted samples, as if each sample were there as often as its weight says."""

import numpy as np

from metricnets._groups import sorted_by_class


def weighted_pairs(
    codes: np.ndarray, weights: np.ndarray, n_pairs: int, rng: np.random.RandomState, *, similar: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of weighted samples of one class, or of two.

    A pair counts w_i w_j times, and the copies of a sample form w_i (w_i − 1)/2 similar pairs with one another.  If
    there are at most ``n_pairs`` different pairs, all are taken with these counts, otherwise ``n_pairs`` are drawn with
    replacement in proportion to them.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class codes; negative where the class is unknown.
    weights : ndarray of shape (n,)
        Positive.
    n_pairs : int
        Number of pairs to draw.
    rng : numpy.random.RandomState
        Generator of the draws.
    similar : bool
        Whether the pairs are of one class.

    Returns
    -------
    pairs : ndarray of int of shape (n_drawn, 2)
        Indices of the samples, in random order.
    counts : ndarray of shape (n_drawn,)
        How often each pair counts; their sum is that of all pairs, or ``n_pairs`` if that is less.
    """
    rows, ends = sorted_by_class(codes)
    w, own = weights[rows], np.arange(len(rows))
    first, last = (own + 1, ends) if similar else (ends, np.full(len(rows), len(rows)))
    copies = np.maximum(w * (w - 1) / 2, 0) if similar else np.zeros(len(rows))
    below = np.concatenate([[0.0], np.cumsum(w)])
    mass = copies + w * (below[last] - below[first])
    if (last - first).sum() + np.count_nonzero(copies) <= n_pairs:
        i, j, counts = _all(w, first, last, copies)
        counts *= min(1.0, n_pairs / max(mass.sum(), n_pairs))
    else:
        i, j = _some(w, first, last, copies, below, mass, rng.uniform(size=n_pairs))
        counts = np.full(n_pairs, min(1.0, mass.sum() / n_pairs))
    order = rng.permutation(len(i))
    return rows[np.column_stack([i, j])[order]], counts[order]


def _all(w, first, last, copies):
    """All pairs (i, j), first[i] <= j < last[i], and of copies (i, i), with their counts."""
    n_each = last - first
    i = np.repeat(np.arange(len(w)), n_each)
    j = np.arange(len(i)) - np.repeat(np.cumsum(n_each) - n_each, n_each) + first[i]
    twice = np.flatnonzero(copies)
    return np.r_[i, twice], np.r_[j, twice], np.r_[w[i] * w[j], copies[twice]]


def _some(w, first, last, copies, below, mass, shares):
    """The pairs at some shares of the sum of all counts."""
    ends = np.cumsum(mass)
    counted = np.flatnonzero(mass)
    i = counted[np.searchsorted(ends[counted[:-1]], shares * ends[-1], side="right")]
    rest = shares * ends[-1] - (ends[i] - mass[i]) - copies[i]
    j = np.searchsorted(below, below[first[i]] + rest / w[i], side="right") - 1
    return i, np.where(rest < 0, i, j.clip(first[i], np.maximum(last[i] - 1, first[i])))
