"""Which points are similar, from labels of pairs."""

import numpy as np
from scipy.stats import rankdata

from metricnets._weights import rows_of, scaled_rows
from metricnets.deep._training.similarity import Similarity, deal


class OfPairs(Similarity):
    """Points that are similar according to labels of pairs.

    Parameters
    ----------
    members : ndarray of int of shape (n_pairs, 2)
        Rows of the points.
    similar : ndarray of bool of shape (n_pairs,)
    weights : ndarray of shape (n_pairs,) or None
    """

    def __init__(self, members, similar, weights=None):
        self.members, self.similar, self.weights = members, similar, weights

    def __len__(self):
        return len(self.members)

    def sample(self, n, rng):
        """Pairs of at most n points, and the row numbers of these points."""
        some = np.sort(rng.permutation(len(self))[: n // 2])
        rows, members = np.unique(self.members[some], return_inverse=True)
        return OfPairs(members.reshape(-1, 2), self.similar[some], rows_of(self.weights, some)), rows

    def of_points(self):
        """Weights of the points, (n,), the sum of those of their pairs; or None."""
        return None if self.weights is None else np.bincount(self.members.ravel(), np.repeat(self.weights, 2))

    def folds(self, rng):
        """The number of the fold of each pair."""
        return deal(self.similar, rng)

    def covariance(self, Z, pairs):
        """Half the covariance of the differences of similar pairs, (r, r)."""
        similar = pairs[self.similar[pairs]]
        a, b = self.members[similar].T
        D = scaled_rows(Z[a] - Z[b], rows_of(self.weights, similar))
        return D.T @ D / max(1, 2 * len(D))

    def truth(self, kept, held):
        """Whether the pairs held back are similar."""
        return self.similar[held]

    def quality(self, z, kept, held, truth):
        """Area under the ROC curve of the pairs held back; 0 if they are of one kind, (n_embeddings,)."""
        a, b = self.members[held].T
        n_similar, n = truth.sum(), len(truth)
        if not 0 < n_similar < n:
            return np.zeros(len(z))
        similarity = -((z[:, a] - z[:, b]) ** 2).sum(axis=2)
        if self.weights is not None:
            return np.array([_area(s, truth, self.weights[held]) for s in similarity])
        ranks = rankdata(similarity, axis=1)
        return (ranks[:, truth].sum(axis=1) - n_similar * (n_similar + 1) / 2) / (n_similar * (n - n_similar))


def _area(similarity, truth, weights):
    """Area under the ROC curve of weighted pairs; a tie is half."""
    order = np.argsort(similarity[~truth])
    others, passed = similarity[~truth][order], np.r_[0.0, np.cumsum(weights[~truth][order])]
    below, not_above = (passed[np.searchsorted(others, similarity[truth], side)] for side in ("left", "right"))
    return weights[truth] @ (below + not_above) / 2 / (passed[-1] * weights[truth].sum())
