"""The relation of pairs of samples that are given one by one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix, issparse, spmatrix

from metricnets.relations._classes import Targets


class GivenPairs:
    """Relation of pairs of samples that are given one by one.

    The targets are the numbers of the samples, ``y = np.arange(n)``, by which the pairs name them.  A pair is the same
    in either order, and a sample is similar to itself.  As few of the pairs of a random batch are given, use
    ``sampler=`` with the method ``batches``.

    Parameters
    ----------
    pairs : array-like of shape (n_pairs, 2), or array or sparse matrix of shape (n, n)
        Numbers of the samples of each pair; or a matrix of the relations, whose NaN, or entries that are not
        stored, are pairs that are not given.  Two rows of two numbers are a list.
    labels : array-like of shape (n_pairs,) or None, default=None
        Relation of each pair in [0, 1], where 1 is similar; −1 is dissimilar, as 0.  None if all are similar, or
        with a matrix.
    others : float in [0, 1] or NaN, default=NaN
        Relation of the pairs that are not given: NaN if it is unknown, 0 if they are dissimilar.

    Examples
    --------
    >>> relation = GivenPairs([[0, 1], [1, 2]], labels=[1, -1])
    >>> relation(np.arange(3), np.arange(3))
    array([[ 1.,  1., nan],
           [ 1.,  1.,  0.],
           [nan,  0.,  1.]])
    """

    def __init__(
        self, pairs: ArrayLike | spmatrix, labels: ArrayLike | None = None, others: float = float("nan")
    ) -> None:
        members, values = _as_list(pairs, labels)
        known = ~np.isnan(values)
        self.pairs, self.others, values = members[known], others, values[known]
        for name, numbers in (("pairs" if labels is None else "labels", values), ("others", np.array([others]))):
            wrong = numbers[(numbers < 0) & (numbers != -1) | (numbers > 1)]
            if len(wrong):
                raise ValueError(f"{name} should hold relations in [0, 1], or -1; got {wrong[0]}.")
        self._stored = _symmetric(self.pairs, values.clip(0, 1))

    def __repr__(self):
        return f"GivenPairs(<{len(self.pairs)} pairs>, others={self.others})"

    def __call__(self, y_a: Targets, y_b: Targets) -> Targets:
        a, b = (np.asarray(y.cpu() if hasattr(y, "cpu") else y).astype(np.int64) for y in (y_a, y_b))
        unnamed = self._stored.shape[0] - 1
        rows, columns = (np.where((y < 0) | (y > unnamed), unnamed, y) for y in (a, b))
        found = self._stored[rows][:, columns].toarray()  # (n_a, n_b), 1 more than the relation
        r = np.where(found == 0, self.others, found - 1)
        r[a[:, None] == b] = 1
        return (y_a * 1.0).new_tensor(r) if hasattr(y_a, "new_tensor") else r

    def batches(self, y: np.ndarray, batch_size: int, rng: np.random.Generator) -> "PairBatches":
        """Sample batches of given pairs, for the parameter ``sampler`` of an estimator.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Numbers of the samples.
        batch_size : int
            Approximate number of samples in a batch, two for every pair.
        rng : numpy.random.Generator
            Generator of the order.

        Returns
        -------
        batches : iterable of index arrays
            Each iteration goes through all pairs of these samples, in a new order.
        """
        y = np.asarray(y).astype(np.int64)
        order = np.argsort(y, kind="stable")
        place = np.searchsorted(y[order], self.pairs).clip(0, len(y) - 1)
        present = (y[order][place] == self.pairs).all(axis=1)
        return PairBatches(order[place[present]], batch_size, rng)


class PairBatches:
    """Batches of the samples of some pairs, each of which is in one batch of a pass."""

    def __init__(self, members: np.ndarray, batch_size: int, rng: np.random.Generator) -> None:
        self.members, self.rng = members, rng
        self.n_batches = max(1, round(2 * len(members) / batch_size))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        for some in np.array_split(self.rng.permutation(len(self.members)), self.n_batches):
            yield np.unique(self.members[some])


def _as_list(pairs, labels):
    """Numbers of the samples of each pair, (n_pairs, 2), and the relations of the pairs."""
    members, values = _of_matrix(pairs) if issparse(pairs) else (np.asarray(pairs), None)
    if values is None and members.ndim == 2 and members.shape[1] == len(members) != 2:
        members, values = _of_matrix(members)
    if members.ndim != 2 or members.shape[1] != 2:
        raise ValueError(f"pairs should have shape (n_pairs, 2) or (n, n); got {members.shape}.")
    if members.size and (members.dtype.kind not in "iu" or members.min() < 0):
        raise ValueError(f"pairs should hold numbers of samples, integers from 0; got {members.flat[0]!r} among them.")
    if labels is not None:
        if values is not None or np.shape(labels) != (len(members),):
            raise ValueError(f"labels should have a value for each of {len(members)} pairs; got {np.shape(labels)}.")
        values = np.asarray(labels)
    return members.astype(np.int64), np.ones(len(members)) if values is None else values.astype(float)


def _of_matrix(matrix):
    if not issparse(matrix):
        members = np.argwhere(~np.isnan(matrix))
        return members, matrix[tuple(members.T)]
    matrix = matrix.tocoo()
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"pairs should have shape (n_pairs, 2) or (n, n); got a sparse matrix of shape {matrix.shape}."
        )
    return np.stack([matrix.row, matrix.col], axis=1), matrix.data


def _symmetric(members, values):
    """Matrix with 1 more than the relation of each given pair, in both orders, and one row more than there are."""
    n = int(members.max(initial=-1)) + 2
    i, j = np.concatenate([members, members[:, ::-1]]).T
    keys, first, number = np.unique(i * n + j, return_index=True, return_inverse=True)
    values = np.concatenate([values, values])
    conflicts = np.flatnonzero(values != values[first][number.ravel()])
    if len(conflicts):
        at = conflicts[0]
        raise ValueError(f"pairs has ({i[at]}, {j[at]}) twice, with different relations; give each pair once.")
    return csr_matrix((values[first] + 1, (keys // n, keys % n)), shape=(n, n))
