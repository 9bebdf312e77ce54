"""Comparisons of two distances: as rows of a batch, and as what they tell about similar points."""

import dataclasses

import numpy as np

from metricnets._weights import scaled_rows
from metricnets.deep._training.data import Rows
from metricnets.deep._training.shrinkage import within_error
from metricnets.deep._training.similarity import Similarity, deal

N_LEAST = 10  # comparisons by which anything is chosen
N_COMPARED = 20_000  # of which it is chosen at most


class Comparisons(Rows):
    """Comparisons of the distances of rows of X: a batch holds each of its points once.

    The ``members`` of the targets of a batch are rows of the batch.

    Parameters
    ----------
    X : tensor of shape (n, ...)
    targets : Targets
    members : tensor of int of shape (n_comparisons, 4)
        Rows (a, b, c, d): a and b should be nearer to each other than c and d.
    """

    def __init__(self, X, targets, members):
        super().__init__(X, targets)
        self.members = members

    def __getitem__(self, indices):
        rows, places = self.members[indices].unique(return_inverse=True)
        return self.X[rows], dataclasses.replace(self.targets[indices], members=places)


class OfComparisons(Similarity):
    """Points that are similar according to comparisons: those of the nearer pair.

    Parameters
    ----------
    members : ndarray of int of shape (n_comparisons, 4)
        Rows of the points.
    weights : ndarray of shape (n_comparisons,) or None
    """

    ridges = (10.0, 3.0)  # smaller ones are often chosen, and then are worse for points of other classes

    def __init__(self, members, weights=None):
        self.members, self.weights = members, weights

    def __len__(self):
        return len(self.members)

    def sample(self, n, rng):
        """At most n comparisons of at most n points, and the row numbers of these points."""
        order = rng.permutation(len(self))[:n]
        first = np.unique(self.members[order], return_index=True)[1]
        n_points = np.bincount(first // 4, minlength=len(order)).cumsum()
        some = np.sort(order[n_points <= n])
        rows, members = np.unique(self.members[some], return_inverse=True)
        return OfComparisons(members.reshape(-1, 4), self.weights_of(some)), rows

    def of_points(self):
        """Weights of the points, (n,), the sum of those of their comparisons."""
        return np.bincount(self.members.ravel(), None if self.weights is None else np.repeat(self.weights, 4))

    def folds(self, rng):
        """The number of the fold of each comparison."""
        return deal(np.zeros(len(self)), rng)

    def covariance(self, Z, comparisons):
        """Half the covariance of the differences of the nearer pairs, (r, r)."""
        a, b = self.members[comparisons, :2].T
        D = scaled_rows(Z[a] - Z[b], self.weights_of(comparisons))
        return D.T @ D / max(1, 2 * len(D))

    def truth(self, kept, held):
        """The comparisons held back, (n_held, 4)."""
        return self.members[held]

    def quality(self, z, kept, held, truth):
        """Whether each of the comparisons held back is right, times its weight, (n_embeddings, n_held)."""
        right = share_right(z, truth)
        return right if self.weights is None else right * self.weights[held]

    def best(self, quality):
        """The candidate that is right most often, but the first, the simplest one, unless it is clearly worse."""
        quality = np.concatenate(quality, axis=1).T  # (n_judged, n_candidates)
        if not len(quality):
            return 0
        best = int(quality.mean(axis=0).argmax())
        return 0 if within_error(quality[:, :1], quality[:, best], len(self)).all() else best


def share_right(z, members):
    """Whether each of the comparisons (n, 4) of rows of z, (..., n_points, k), is right, 1 or 0; a tie is half."""
    a, b, c, d = (z[..., points, :] for points in members.T)
    return np.sign(((c - d) ** 2).sum(axis=-1) - ((a - b) ** 2).sum(axis=-1)) / 2 + 0.5


def two_folds(n, rng):
    """Two folds (kept, held) of n comparisons, of which those of 20,000 take part at most; none of fewer than ten."""
    halves = np.array_split(rng.permutation(n)[:N_COMPARED], 2)
    return [(halves[0], halves[1]), (halves[1], halves[0])] if n >= N_LEAST else []
