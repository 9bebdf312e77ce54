"""Pairs, triplets and chunks from labels, as metric-learn names them, and the functions that draw them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array

from metricnets._draws import chunks, knn_triplets, negative_pairs, positive_pairs, relevance_triplets, triplets
from metricnets._labels import partial_codes, plain, read
from metricnets._params import random_state_of
from metricnets.exceptions import warn

__all__ = [
    "Constraints",
    "chunks",
    "knn_triplets",
    "negative_pairs",
    "partial_codes",
    "positive_pairs",
    "relevance_triplets",
    "wrap_pairs",
]


def wrap_pairs(X: ArrayLike, constraints: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Form the pairs of points given by the indices of `Constraints.positive_negative_pairs`.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Points.
    constraints : tuple of four arrays of int
        Indices ``(a, b, c, d)`` of similar pairs (a, b) and dissimilar pairs (c, d).

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2, d)
        The similar pairs, then the dissimilar pairs.
    y : ndarray of int of shape (n_pairs,)
        +1 for similar and −1 for dissimilar pairs.
    """
    X, (a, b, c, d) = np.asarray(X), constraints
    pairs = np.concatenate([np.stack([X[a], X[b]], axis=1), np.stack([X[c], X[d]], axis=1)])
    return pairs, np.repeat([1, -1], [len(a), len(c)])


class Constraints:
    """Pairs, triplets and chunks from labels, some of which may be unknown.

    Parameters
    ----------
    partial_labels : array-like of shape (n,)
        Classes; None, NaN or a negative number where the class is unknown.

    Examples
    --------
    >>> from metricnets import Constraints
    >>> a, b, c, d = Constraints([0, 0, 1, 1, -1]).positive_negative_pairs(2, random_state=0)
    >>> sorted(sorted(pair) for pair in zip(a.tolist(), b.tolist()))
    [[0, 1], [2, 3]]
    """

    def __init__(self, partial_labels: ArrayLike) -> None:
        y, *_ = read(partial_labels)
        self.partial_labels = y if y.dtype.kind in "iu" else partial_codes(y)
        self._names = np.unique(plain(y[partial_codes(y) >= 0]))

    def positive_negative_pairs(
        self, n_constraints: int, same_length: bool = False, random_state: int | np.random.RandomState | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Draw pairs of samples of one class and pairs of samples of two classes.

        Parameters
        ----------
        n_constraints : int
            Number of pairs of each kind; if there are fewer, all are returned, with a warning.
        same_length : bool, default=False
            Whether to return the same number of both kinds.
        random_state : int, RandomState or None, default=None
            Determines which pairs are drawn.  Pass an int for reproducible results.

        Returns
        -------
        a, b, c, d : ndarrays of int
            Indices of the samples: a and b are of one class, c and d of two.
        """
        codes, rng = partial_codes(self.partial_labels), random_state_of(random_state)
        drawn = {
            "positive": positive_pairs(codes, n_constraints, rng),
            "negative": negative_pairs(codes, n_constraints, rng),
        }
        for kind, pairs in drawn.items():
            if len(pairs) < n_constraints:
                warn(f"Only generated {len(pairs)} {kind} constraints (requested {n_constraints})")
        positive, negative = drawn.values()
        if same_length:
            n = min(len(positive), len(negative))
            positive, negative = positive[:n], negative[:n]
        return *positive.T, *negative.T

    def generate_knntriplets(self, X: ArrayLike, k_genuine: int, k_impostor: int) -> np.ndarray:
        """Form triplets of a sample, a neighbour in its class and a neighbour in another class.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Points.
        k_genuine, k_impostor : int
            Number of neighbours in the class and in other classes; all combinations are triplets.  If there are
            fewer, all are taken, with a warning for each class, as in metric-learn.

        Returns
        -------
        triplets : ndarray of int of shape (n_triplets, 3)
            Indices of the samples.
        """
        codes = partial_codes(self.partial_labels)
        self._warn_of_small(codes[codes >= 0], k_genuine, k_impostor)
        return triplets(check_array(X, dtype=float), codes, k_genuine, k_impostor)

    def _warn_of_small(self, codes, k_genuine, k_impostor):
        for code, size in zip(*np.unique(codes, return_counts=True)):
            name, n_others = self._names[code], len(codes) - size
            if size <= k_genuine:
                warn(
                    f"The class {name} has {size} elements, which is not sufficient to generate {k_genuine} genuine "
                    f"neighbors as specified by k_genuine. Will generate {size - 1} genuine neighbors instead.\n"
                )
            if n_others < k_impostor:
                warn(
                    f"The class {name} has {n_others} elements of other classes, which is not sufficient to generate "
                    f"{k_impostor} impostor neighbors as specified by k_impostor. Will generate {n_others} impostor "
                    "neighbors instead.\n"
                )

    def chunks(
        self, n_chunks: int = 100, chunk_size: int = 2, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Draw chunks, disjoint sets of samples of one class.

        Parameters
        ----------
        n_chunks : int, default=100
            Number of chunks to draw.
        chunk_size : int, default=2
            Number of samples in a chunk.
        random_state : int, RandomState or None, default=None
            Determines which chunks are drawn.  Pass an int for reproducible results.

        Returns
        -------
        chunks : ndarray of int of shape (n,)
            Chunk number of each sample, −1 for none.

        Raises
        ------
        ValueError
            If the classes are too small for this number of chunks.
        """
        codes = partial_codes(self.partial_labels)
        numbers = chunks(codes, n_chunks, chunk_size, random_state_of(random_state))
        if numbers.max() + 1 < n_chunks:
            raise ValueError(
                f"Not enough possible chunks of {chunk_size} elements in each class to form expected {n_chunks} "
                f"chunks - maximum number of chunks is {numbers.max() + 1}"
            )
        return numbers
