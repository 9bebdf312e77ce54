"""Which points are similar, from targets or from pairs: their covariance, and how well an embedding finds them."""

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.utils import gen_batches

from metricnets._groups import group_means
from metricnets._targets import CLASS_RELATIONS
from metricnets._weights import scaled_rows
from metricnets.deep._training.foreign import naming

RIDGES = (0.3, 3.0, 0.03, 10.0)  # of `wccn`
N_FOLDS = 3
N_NEAREST = 3
N_OF_CLASS = 8  # samples of a class that are kept together in a sample of the samples
N_NUMBERS = 2**24  # that a relation computes at a time
N_DISTANCES = 2**20  # of embeddings that are computed at a time
N_GRADED = 2_000  # samples from which the covariance is computed for targets that are not classes
N_SIMILAR = 10  # nearest targets, to which samples are similar if the relation is graded


def deal(strata, rng):
    """Number the folds of samples, dealt to them stratum by stratum."""
    order = rng.permutation(len(strata))
    folds = np.empty(len(strata), int)
    folds[order[np.argsort(strata[order], kind="stable")]] = np.arange(len(strata)) % N_FOLDS
    return folds


def deal_sets(strata, sets, rng):
    """Number the folds of samples, of which those of a set are dealt together, unless its stratum has no other set."""
    several = np.array([len(np.unique(sets[strata == s])) > 1 for s in np.unique(strata)])
    alone = ~several[np.unique(strata, return_inverse=True)[1]]
    units = np.where(alone, sets.max() + 1 + np.arange(len(sets)), sets)
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    return deal(strata[first], rng)[unit]


class Similarity:
    """Which points are similar, and by which embedding they are found."""

    ridges = RIDGES  # candidates
    weights = None  # of the samples, or of the pairs or comparisons

    def weights_of(self, rows):
        """The weights of some rows, or None."""
        return None if self.weights is None else self.weights[rows]

    def best(self, quality):
        """The candidate with the largest sum of these qualities, one array (n_candidates,) for each fold."""
        return int(sum(quality).argmax())


class OfTargets(Similarity):
    """Points that are similar according to the relation of their targets.

    Parameters
    ----------
    labels : tensor of shape (n, ...)
    relation : callable
        ``(y_a, y_b) -> r``.
    weights : ndarray of shape (n,) or None
    sets : ndarray of int of shape (n,) or None
        Sets of points of one class, which are in one fold, unless a class is one set.
    """

    def __init__(self, labels, relation, weights=None, sets=None):
        self.labels, self.relation, self.of_classes = labels, relation, relation in CLASS_RELATIONS
        self.weights, self.sets = weights, sets

    def __len__(self):
        return len(self.labels)

    def sample(self, n, rng):
        """At most n of the samples, of some classes if there are many, and their row numbers."""
        rows = rng.permutation(len(self))
        if self.of_classes:
            rows = rows[self.labels.numpy()[rows] >= 0]
        if self.of_classes and len(rows) > n:
            codes = self.labels.numpy()[rows]
            counts = np.bincount(codes)
            codes = (np.cumsum(counts > 0, dtype=np.int32) - 1)[codes]  # less memory than that of np.unique
            counts = counts[counts > 0]
            order = np.argsort(codes, kind="stable")
            place = np.arange(len(order))
            place -= np.repeat(np.cumsum(counts) - counts, counts)  # in its class
            order = order[place < max(N_OF_CLASS, n // len(counts))]
            rows = rows[order[np.argsort(rng.permutation(len(counts))[codes[order]], kind="stable")]]
        rows = rows[:n]  # in random order, as `covariance` takes the first ones
        weights, sets = self.weights_of(rows), None if self.sets is None else self.sets[rows]
        return OfTargets(self.labels[rows], self.relation, weights, sets), rows

    def of_points(self):
        """Weights of the points, (n,), or None."""
        return self.weights

    def folds(self, rng):
        """The number of the fold of each sample."""
        strata = self.labels.numpy() if self.of_classes else np.zeros(len(self))
        return deal(strata, rng) if self.sets is None else deal_sets(strata, self.sets, rng)

    def covariance(self, Z, rows):
        """Covariance within the classes, or of samples and those with the nearest targets, among these rows, (r, r)."""
        if self.of_classes:
            return _within_classes(Z[rows], self.labels.numpy()[rows], self.weights_of(rows))
        rows = rows[:N_GRADED]
        similar, Z = _nearest(self._relation(rows, rows), N_SIMILAR), Z[rows]
        similar += similar.T
        if self.weights is not None:
            similar *= np.outer(self.weights[rows], self.weights[rows])
        return (Z.T * similar.sum(axis=1) @ Z - Z.T @ similar @ Z) / max(similar.sum(), 1.0)

    def truth(self, kept, held):
        """Relation of the samples held back to those kept, (n_held, n_kept)."""
        if not self.of_classes:
            return self._relation(held, kept)
        codes = self.labels.numpy()
        return (codes[held, None] == codes[kept]) * (codes[held, None] >= 0.0)

    def quality(self, z, kept, held, truth):
        """Mean relation of the samples held back to the nearest, and to the three nearest, of those kept; 0 of none.

        Parameters
        ----------
        z : ndarray of shape (n_embeddings, n, k)
            Several embeddings of the samples.

        Returns
        -------
        quality : ndarray of shape (n_embeddings,)
        """
        if not truth.size:
            return np.zeros(len(z))
        weights = self.weights_of(held)
        size = max(1, N_DISTANCES // truth.size)
        found = np.zeros(len(z))
        for some in gen_batches(len(z), size):
            found[some] = _found(z[some][:, held], z[some][:, kept], truth, weights)
        return found

    def _relation(self, a, b):
        """Relation of rows a and b, 0 where it is unknown, (n_a, n_b), some of the rows at a time."""
        labels = self.labels[b]
        size = max(1, N_NUMBERS // max(1, labels.numel()))
        parts = []
        for i in range(0, max(1, len(a)), size):
            some = self.labels[a[i : i + size]]
            with naming("relation", self.relation):
                parts.append(self.relation(some, labels).detach().double())
            if parts[-1].shape != (len(some), len(labels)):
                raise ValueError(
                    f"relation should turn tensors of n and m targets into an n x m tensor; got "
                    f"{tuple(parts[-1].shape)} for n={len(some)} and m={len(labels)}."
                )
        return torch.cat(parts).nan_to_num().numpy()


def _found(z, z_kept, truth, weights):
    """Mean of the relations to the nearest of the points kept, and of those to the three nearest, (n_embeddings,)."""
    far = ((z_kept**2).sum(axis=2) / 2)[:, None] - z @ z_kept.swapaxes(1, 2)
    k = min(N_NEAREST, truth.shape[1])
    near, nearest = np.argpartition(far, k - 1, axis=2)[..., :k], far.argmin(axis=2)[..., None]
    row = np.arange(len(truth))[:, None]
    near, nearest = truth[row, near], truth[row, nearest]  # (n_embeddings, n_held, k)
    if weights is None:
        return (near.mean(axis=(1, 2)) + nearest.mean(axis=(1, 2))) / 2
    return np.average((near.mean(axis=2) + nearest.mean(axis=2)) / 2, axis=1, weights=weights)


def _nearest(r, k):
    """1 for the k largest relations of each row to the others, with ties, if they are above 0, otherwise 0."""
    np.fill_diagonal(r, 0)
    k = min(k, len(r) - 1)
    least = np.partition(r, -k, axis=1)[:, -k, None]
    return ((r >= least) & (r > 0)) * 1.0


def _within_classes(Z, codes, weights):
    if not len(Z):
        return np.zeros((Z.shape[1], Z.shape[1]))
    _, number, sizes, means = group_means(Z if weights is None else Z * weights[:, None], codes)
    if weights is None:
        D = Z - means[number]
    else:
        means = means * (sizes / np.bincount(number, weights))[:, None]
        D = scaled_rows(Z - means[number], weights)
    return D.T @ D / max(1, len(Z) - len(sizes))


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
        return OfPairs(members.reshape(-1, 2), self.similar[some], self.weights_of(some)), rows

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
        D = scaled_rows(Z[a] - Z[b], self.weights_of(similar))
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
