"""The expectation of the embeddings of views that a row does not have, given those it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

RIDGE = 0.03  # added to the covariance of the views a row has, with its mean variance 1
N_ITER = 10


class Expectation:
    """Conditional expectation of columns, if all are jointly normal.

    Parameters
    ----------
    mean : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
    sizes : list of int
        Number of columns of each view, which follow each other.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray, sizes: list[int]):
        self.mean, self.covariance, self.sizes = mean, covariance, sizes

    def of_patterns(self, present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """For each combination of missing views: its rows, their missing columns, and an affine map to these.

        The map, (k, n_missing) and (n_missing,), takes all columns, with 0 in those that are missing.
        """
        for pattern in np.unique(present, axis=0):
            has = np.repeat(pattern, self.sizes)
            if not has.all():
                B, rows = self.regression(has), np.flatnonzero((present == pattern).all(axis=1))
                yield rows, np.flatnonzero(~has), B, self.mean[~has] - self.mean @ B

    def regression(self, has: np.ndarray) -> np.ndarray:
        """Coefficients of the columns that are missing, (k, n_missing), 0 in the rows of these."""
        B, C = np.zeros((len(has), np.count_nonzero(~has))), self.covariance[np.ix_(has, has)]
        variance = np.trace(C) / len(C)
        if variance:
            B[has] = np.linalg.solve(C + RIDGE * variance * np.eye(len(C)), self.covariance[np.ix_(has, ~has)])
        return B


def filled(z, present: np.ndarray, expectation: Expectation, convert: Callable = np.asarray):
    """Embeddings (n, k), arrays or tensors, with the expectation in place of views that are missing.

    ``convert`` makes an array one of the kind of z.
    """
    z = z + 0
    for rows, columns, B, b in expectation.of_patterns(present):
        z[rows[:, None], columns] = z[rows] @ convert(B) + convert(b)
    return z


@np.errstate(over="ignore", invalid="ignore")  # the caller checks whether embeddings are finite
def joint_normal(z: np.ndarray, present: np.ndarray, sizes: list[int]) -> Expectation:
    """Estimate mean and covariance of the columns of all views from rows that may lack some, by maximum likelihood.

    Expectation maximisation: in turn, what is missing is its expectation, with its conditional covariance, and mean and
    covariance are those of the rows.  Views that no row has together are taken as uncorrelated.

    Parameters
    ----------
    z : ndarray of shape (n, k)
        With 0 where a view is missing.
    present : ndarray of bool of shape (n, n_views)
    sizes : list of int
        Number of columns of each view.
    """
    has = np.repeat(present, sizes, axis=1)
    mean = z.sum(axis=0) / has.sum(axis=0).clip(1)
    found = Expectation(mean, _covariance(np.where(has, z, mean), mean), sizes)
    for _ in range(0 if has.all() else N_ITER):
        Z = filled(np.where(has, z, 0.0), present, found)
        mean = Z.mean(axis=0)
        C = _covariance(Z, mean)
        for rows, columns, B, _ in found.of_patterns(present):
            place = np.ix_(columns, columns)
            C[place] += len(rows) / len(z) * (found.covariance[place] - B.T @ found.covariance[:, columns])
        found = Expectation(mean, C, sizes)
    return found


def _covariance(Z, mean):
    return (Z - mean).T @ (Z - mean) / len(Z)
