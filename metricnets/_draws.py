"""Pairs, triplets and chunks drawn from class codes, for learners from tuples."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.random import sample_without_replacement

from metricnets._groups import sorted_by_class
from metricnets._neighbors import neighborhoods
from metricnets.exceptions import warn


def positive_pairs(codes: np.ndarray, n_pairs: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw pairs of samples of one class without replacement, all pairs with the same probability.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class codes; negative where the class is unknown.
    n_pairs : int
        Number of pairs to draw.
    rng : numpy.random.RandomState
        Generator of the draws.

    Returns
    -------
    pairs : ndarray of int of shape (min(n_pairs, n_possible), 2)
        Indices of the samples.
    """
    rows, ends = sorted_by_class(codes)
    return _draw(rows, np.arange(len(rows)) + 1, ends, n_pairs, rng)


def negative_pairs(codes: np.ndarray, n_pairs: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw pairs of samples of two classes without replacement, all pairs with the same probability.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class codes; negative where the class is unknown.
    n_pairs : int
        Number of pairs to draw.
    rng : numpy.random.RandomState
        Generator of the draws.

    Returns
    -------
    pairs : ndarray of int of shape (min(n_pairs, n_possible), 2)
        Indices of the samples.
    """
    rows, ends = sorted_by_class(codes)
    return _draw(rows, ends, np.full(len(rows), len(rows)), n_pairs, rng)


def _draw(rows, first, last, n_pairs, rng):
    """Draw pairs of ``rows[i]`` and ``rows[j]``, first[i] <= j < last[i], by their number in the list of all pairs."""
    below = np.concatenate([[0], np.cumsum(last - first)])  # number of the first pair of each i
    n_drawn = min(n_pairs, int(below[-1]))
    numbers = rng.permutation(sample_without_replacement(int(below[-1]), n_drawn, random_state=rng))
    i = np.searchsorted(below, numbers, side="right") - 1
    pairs = np.column_stack([rows[i], rows[first[i] + numbers - below[i]]])
    swapped = rng.randint(2, size=n_drawn) == 1
    pairs[swapped] = pairs[swapped][:, ::-1]
    return pairs


def check_triplets(codes: np.ndarray) -> None:
    """Raise ValueError if there are no two samples of one class and a sample of another."""
    counts = np.bincount(codes[codes >= 0])
    if np.count_nonzero(counts) < 2 or counts.max() < 2:
        raise ValueError("y gives no triplets; it needs two classes, and two samples in one of them.")


def random_triplets(codes: np.ndarray, n_triplets: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw triplets of a sample, another one of its class and one of another class, with replacement.

    The first is any sample that is not alone in its class, all with the same probability, and so are the others.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class codes that `check_triplets` accepts; negative where the class is unknown.
    n_triplets : int
        Number of triplets to draw.
    rng : numpy.random.RandomState
        Generator of the draws.

    Returns
    -------
    triplets : ndarray of int of shape (n_triplets, 3)
        Indices of the samples.
    """
    rows, ends = sorted_by_class(codes)
    starts = np.searchsorted(codes[rows], codes[rows])
    sizes = ends - starts
    a = np.flatnonzero(sizes > 1)
    a = a[rng.randint(len(a), size=n_triplets)]
    b = starts[a] + rng.randint(sizes[a] - 1)
    b += b >= a
    c = rng.randint(len(rows) - sizes[a])
    c += np.where(c >= starts[a], sizes[a], 0)
    return rows[np.column_stack([a, b, c])]


def knn_triplets(X: np.ndarray, codes: np.ndarray, k_genuine: int, k_impostor: int) -> np.ndarray:
    """Form triplets of a sample, a neighbour in its class and a neighbour in another class.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    codes : ndarray of int of shape (n,)
        Class codes; negative where the class is unknown.
    k_genuine, k_impostor : int
        Number of neighbours in the class and in other classes; all combinations are triplets.  If there are
        fewer, all are taken, with a warning.

    Returns
    -------
    triplets : ndarray of int of shape (n_triplets, 3)
        Indices of the samples.
    """
    sizes = np.bincount(codes[codes >= 0])
    sizes = sizes[sizes > 0]
    _warn_of_few("k_genuine", k_genuine, sizes - 1, "in the class")
    _warn_of_few("k_impostor", k_impostor, sizes.sum() - sizes, "in other classes")
    return triplets(X, codes, k_genuine, k_impostor)


def _warn_of_few(name, k, others, where):
    if (others < k).any():
        warn(
            f"{name}={k} is too many for {np.count_nonzero(others < k)} of {len(others)} classes: there a sample has "
            f"only {others.min()} or more neighbours {where}, and all of them are taken."
        )


def triplets(X: np.ndarray, codes: np.ndarray, k_genuine: int, k_impostor: int) -> np.ndarray:
    """Form the triplets of `knn_triplets` without a warning."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    n_within, n_between = min(k_genuine, len(rows)), min(k_impostor, len(rows))
    genuine, impostor = neighborhoods(X, codes, n_within, n_between)
    both = np.broadcast_arrays(rows[:, None, None], genuine[rows, :, None], impostor[rows, None, :])
    found = np.stack(both, axis=-1).reshape(-1, 3)
    return found[(found[:, 1:] != found[:, :1]).all(axis=1)]  # a row itself replaces a missing neighbour


def chunks(codes: np.ndarray, n_chunks: int, chunk_size: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw chunks, disjoint sets of ``chunk_size`` samples of one class.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class codes; negative where the class is unknown.
    n_chunks : int
        Number of chunks to draw; all possible ones are taken if there are fewer.
    chunk_size : int
        Number of samples in a chunk.
    rng : numpy.random.RandomState
        Generator of the draws.

    Returns
    -------
    chunks : ndarray of int of shape (n,)
        Chunk number of each sample, −1 for none.
    """
    possible = [np.empty((0, chunk_size), np.intp)]
    for code in np.unique(codes[codes >= 0]):
        own = rng.permutation(np.flatnonzero(codes == code))
        possible.append(own[: len(own) // chunk_size * chunk_size].reshape(-1, chunk_size))
    possible = rng.permutation(np.concatenate(possible))[:n_chunks]
    numbers = np.full(len(codes), -1, dtype=np.int64)
    numbers[possible] = np.arange(len(possible))[:, None]
    return numbers


def relevance_triplets(
    relevance: ArrayLike, n_triplets: int, rng: np.random.RandomState, min_gap: float = 0.0
) -> np.ndarray:
    """Draw triplets of a sample, a relevant one and a less relevant one, with replacement, as in deep ranking.

    The first two are drawn in proportion to the relevance of the second for the first; the third is any sample whose
    relevance for the first is smaller by more than ``min_gap``.

    Parameters
    ----------
    relevance : array-like of shape (n, n)
        Non-negative relevance of the samples of the columns for those of the rows; NaN where it is unknown.  The
        diagonal is ignored.
    n_triplets : int
        Number of triplets to draw.
    rng : numpy.random.RandomState
        Generator of the draws.
    min_gap : float >= 0, default=0.0
        Difference of relevances above which they are compared.

    Returns
    -------
    triplets : ndarray of int of shape (n_triplets, 3)
        Indices of the samples.

    Raises
    ------
    ValueError
        If ``relevance`` does not have this form, or no two relevances of a row differ by more than ``min_gap``.

    References
    ----------
    J. Wang et al., "Learning fine-grained image similarity with deep ranking", CVPR 2014.
    """
    r = np.array(relevance, dtype=float)
    if r.ndim != 2 or len(r) != r.shape[1] or (r < 0).any() or np.isinf(r).any():
        raise ValueError(f"relevance should hold finite numbers >= 0, of shape (n, n); got shape {r.shape}.")
    np.fill_diagonal(r, np.nan)
    order = np.argsort(r, axis=1)  # NaN last
    n_smaller = np.array([np.searchsorted(row[places], row - min_gap) for row, places in zip(r, order)])
    weights = np.where(n_smaller > 0, np.nan_to_num(r), 0.0)
    if not weights.any():
        raise ValueError(f"relevance gives no triplets: no two values of a row differ by more than min_gap={min_gap}.")
    a, b = np.divmod(rng.choice(weights.size, n_triplets, p=weights.ravel() / weights.sum()), len(r))
    return np.column_stack([a, b, order[a, rng.randint(n_smaller[a, b])]])
