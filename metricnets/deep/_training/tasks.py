"""Several tasks: which points are similar in them, and batches in which all of them occur."""

import numpy as np
import torch

from metricnets._labels import UNKNOWN
from metricnets._tasks import shares_of
from metricnets._weights import rows_of
from metricnets.deep._training.similarity import OfTargets, Similarity, deal
from metricnets.deep._training.wccn import bases_of_rows, whitening_layer
from metricnets.networks import fixed_linear
from metricnets.relations import known_class


class OfTasks(Similarity):
    """Points that are similar in several tasks, each as `OfTargets` of the points that are annotated in it.

    Parameters
    ----------
    codes : ndarray of int64 of shape (n, n_columns)
        Class codes; −1 if unknown.
    shares : ndarray of shape (n_columns,)
        Weights of the columns.
    weights : ndarray of shape (n,) or None
    """

    def __init__(self, codes, shares, weights=None):
        self.codes, self.shares, self.weights = codes, shares, weights
        self.tasks = [OfTargets(torch.from_numpy(column), known_class, weights) for column in codes.T]

    def __len__(self):
        return len(self.codes)

    def sample(self, n, rng):
        """At most n of the samples in random order, and their row numbers."""
        rows = rng.permutation(len(self))[:n]
        return OfTasks(self.codes[rows], self.shares, rows_of(self.weights, rows)), rows

    def of_points(self):
        """Weights of the points, (n,), or None."""
        return self.weights

    def folds(self, rng):
        """The number of the fold of each sample; those of the same classes are dealt to all folds."""
        return deal(np.unique(self.codes, axis=0, return_inverse=True)[1].ravel(), rng)

    def _annotated(self, j, rows):
        return rows[self.codes[rows, j] != UNKNOWN]

    def covariance(self, Z, rows):
        """The mean of the covariances within the classes of each task among these rows, (r, r)."""
        parts = [task.covariance(Z, self._annotated(j, rows)) for j, task in enumerate(self.tasks)]
        return np.tensordot(self.shares, parts, axes=1)

    def truth(self, kept, held):
        """For each task the rows kept and held that are annotated, and their relation."""
        rows = [(self._annotated(j, kept), self._annotated(j, held)) for j in range(len(self.tasks))]
        return [(*each, task.truth(*each)) for each, task in zip(rows, self.tasks)]

    def quality(self, z, kept, held, truth):
        """The mean of the qualities of the tasks, (n_embeddings,)."""
        return self.shares @ np.array([task.quality(z, *each) for task, each in zip(self.tasks, truth)])


def maps_of_tasks(X, standardize, codes, groups, weights, kept, n_components, normalize, seed):
    """The maps of `wccn` of all tasks together and of each of several tasks side by side, as a layer.

    They share the columns; where these are too few, or there is one task, there is the first map only.  Distances of
    one map alone lose: what all tasks share is better estimated together, and what one needs is in its own.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    standardize : torch.nn.Module
        The layer before.
    codes : ndarray of int64 of shape (n, n_columns)
    groups : ndarray of int of shape (n_columns,)
        Number of the task of each column.
    weights : ndarray of shape (n,) or None
    kept : ndarray of int
        Rows from which the maps are computed.
    n_components : int
    normalize : bool
    seed : int
    """
    n_tasks = groups.max() + 1
    members = [np.arange(len(groups)), *(np.flatnonzero(groups == task) for task in range(n_tasks))]
    members = members if n_tasks > 1 and n_components >= 2 * len(members) else members[:1]
    layers, bases = [], bases_of_rows(X, standardize, kept, weights, seed) if len(members) > 1 else None
    for columns, share in zip(members, np.array_split(np.arange(n_components), len(members))):
        rows = kept[(codes[kept][:, columns] != UNKNOWN).any(axis=1)]
        similarity = OfTasks(codes[rows][:, columns], shares_of(groups[columns]), rows_of(weights, rows))
        layers.append(whitening_layer(X, standardize, rows, similarity, len(share), normalize, seed, bases))
    parts = zip(*((layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers))
    return fixed_linear(*(np.concatenate(each) / np.sqrt(len(layers)) for each in parts))


class TaskBatches:
    """Shuffled batches, each with about the same share of the samples that are annotated in the same tasks.

    Parameters
    ----------
    annotated : ndarray of bool of shape (n, n_columns)
    batch_size : int
        Approximate number of samples in a batch.
    rng : numpy.random.Generator
    """

    def __init__(self, annotated, batch_size, rng):
        self.pattern, self.rng = np.unique(annotated, axis=0, return_inverse=True)[1].ravel(), rng
        self.n_batches = max(1, round(len(annotated) / batch_size - 1e-9))

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        order = self.rng.permutation(len(self.pattern))
        order = order[np.argsort(self.pattern[order], kind="stable")]
        return iter([order[first :: self.n_batches] for first in self.rng.permutation(self.n_batches)])
