"""A bounded random sample of the rows of a stream, with the same number of each class."""

import copy
from typing import Self

import numpy as np

from metricnets._groups import places_in_groups


class Reservoir:
    """At most ``size`` rows of a stream, drawn at random, and as equally as possible from its groups.

    Each row gets a random number when it comes, and the rows with the smallest numbers of each group are kept.  So what
    is kept of a group is a random sample of all of its rows so far, however they were divided into batches.

    Parameters
    ----------
    size : int
        Number of rows kept, at most.
    rng : numpy.random.Generator
    arrays : tuple of ndarray of shape (n, ...)
        The rows that are kept, of each array; none at the beginning.
    numbers : ndarray of shape (n,)
        Their random numbers.
    n_seen : int
        Number of rows that came.

    References
    ----------
    J. S. Vitter, "Random sampling with a reservoir", ACM TOMS 1985, for one group.

    Examples
    --------
    >>> reservoir = Reservoir(4, np.random.default_rng(0))
    >>> for batch in np.split(np.repeat([0, 1], [90, 10]), 10):
    ...     (rows,) = reservoir.joined(batch)
    ...     reservoir = reservoir.after(rows, groups=rows)
    >>> reservoir.arrays
    (array([0, 0, 1, 1]),)
    """

    def __init__(
        self,
        size: int,
        rng: np.random.Generator,
        arrays: tuple[np.ndarray, ...] = (),
        numbers: np.ndarray = (),
        n_seen: int = 0,
    ) -> None:
        self.size, self.rng, self.arrays, self.numbers = size, rng, arrays, np.asarray(numbers, float)
        self.n_seen = n_seen

    def __len__(self) -> int:
        return len(self.numbers)

    def joined(self, *batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """The rows that are kept, followed by those of a batch, of each array."""
        return tuple(map(np.concatenate, zip(self.arrays, batch))) if self.arrays else batch

    def after(self, *arrays: np.ndarray, groups: np.ndarray) -> Self:
        """The reservoir after a batch, which ``arrays`` has last; this one stays as it is.

        Parameters
        ----------
        *arrays : ndarray of shape (n, ...)
            What `joined` returned.
        groups : ndarray of int of shape (n,)
            The group of each of these rows.
        """
        rng, n_new = copy.deepcopy(self.rng), len(groups) - len(self)
        numbers = np.append(self.numbers, rng.random(n_new))
        order = np.argsort(numbers, kind="stable")
        places = np.empty(len(order), int)
        places[order] = places_in_groups(groups[order])
        kept = np.sort(np.lexsort([numbers, places])[: self.size])
        rows = tuple(array[kept] for array in arrays)
        return type(self)(self.size, rng, rows, numbers[kept], self.n_seen + n_new)
