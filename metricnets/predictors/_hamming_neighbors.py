"""HammingNeighbors: search for the nearest binary codes."""

from bisect import bisect_left
from numbers import Integral
from typing import Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._codes import count_differences, packed, words
from metricnets._params import Array, Count, MaybeArray, MaybeCount, Parametrized, fitting


class HammingNeighbors(Parametrized):
    """Search for the nearest binary codes by Hamming distance, the number of bits that differ.

    The search is exhaustive, over packed bits: a query of a million codes of 64 bits takes a few milliseconds, and
    the codes take 8 MB of memory.  Of codes at the same distance those come first that come first in the database.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        Number of neighbours that `kneighbors` returns.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the codes.
    n_samples_fit_ : int
        Number of codes in the database.

    See Also
    --------
    DeepHashing : Codes learned without labels.
    SupervisedDeepHashing : Codes learned from labels.

    Notes
    -----
    Codes are numbers whose signs are the bits, 1 where they are positive; arrays of uint8 are packed codes, as
    ``packed=True`` and :func:`metricnets.metrics.pack_codes` make them.  Codes that are not packed when
    the search begins are packed for it.

    Examples
    --------
    >>> from metricnets import HammingNeighbors
    >>> search = HammingNeighbors(n_neighbors=2).fit([[1, 1, 1], [1, 1, -1], [-1, -1, -1]])
    >>> search.kneighbors([[1, -1, -1]])
    (array([[1, 1]], dtype=int32), array([[1, 2]]))
    """

    n_neighbors: Count = 5

    @fitting
    def fit(self, X: Array, y: MaybeArray = None) -> Self:
        """Store a database of codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bits), or of uint8 of shape (n_samples, n_bytes)
            Codes, or packed codes.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted search.
        """
        X = validate_data(self, X)
        self._is_packed, self._words = X.dtype == np.uint8, words(packed(X, "X"))
        self.n_samples_fit_ = len(X)
        return self

    def kneighbors(self, X: MaybeArray = None, n_neighbors: MaybeCount = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest codes of the database.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes), default=None
            Queries, codes in the form of those in the database.  None searches the neighbours of each code of the
            database, which is not its own neighbour.
        n_neighbors : int or None, default=None
            Number of neighbours; None takes that of the constructor.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Ascending.
        indices : ndarray of int of shape (n_queries, n_neighbors)
            Rows of the database.

        Raises
        ------
        ValueError
            If there are fewer codes in the database, or the queries have another form.
        """
        check_is_fitted(self)
        k, most = self.n_neighbors if n_neighbors is None else n_neighbors, self.n_samples_fit_ - (X is None)
        if not isinstance(k, Integral) or not 1 <= k <= most:
            raise ValueError(f"n_neighbors={k!r} should be between 1 and {most}, the number of codes to choose from.")
        distances, indices = zip(*(nearest(d, k) for d in self._distances(X)))
        return np.array(distances, np.int32), np.array(indices)

    def _distances(self, X):
        """Distances of the codes of the database (n_samples,), query by query."""
        if X is None:
            for row, code in enumerate(self._words):
                distances = count_differences(code, self._words)
                distances[row] = np.iinfo(distances.dtype).max
                yield distances
            return
        X = validate_data(self, X, reset=False)
        if (X.dtype == np.uint8) != self._is_packed:
            raise ValueError(
                f"X is of {X.dtype}, and codes are packed, of uint8, in one of X and the database only; pack both."
            )
        for code in words(packed(X, "X")):
            yield count_differences(code, self._words)


def nearest(distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest distances, ascending, and their indices, the smaller index first among equals."""
    numbers = range(int(distances.max()) + 1)
    largest = bisect_left(numbers, k, key=lambda number: np.count_nonzero(distances <= number))
    indices = np.flatnonzero(distances <= largest)
    indices = indices[np.argsort(distances[indices], kind="stable")[:k]]
    return distances[indices], indices
