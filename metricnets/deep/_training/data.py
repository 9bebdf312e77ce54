"""What networks are trained on: points, targets with named fields, and the parts and chunks of both."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

CHUNK = 4096  # rows taken at a time


@dataclass
class Targets:
    """What is known of each sample, as tensors, and how two samples are related by it.

    Parameters
    ----------
    labels : tensor of shape (n,) or (n, n_labels)
        Class codes, label sets, distributions, real values; of pairs +1 for similar and −1 for dissimilar.
    row : tensor of int of shape (n,) or None
        Which row of the table a sample is: one that was drawn twice makes no pair with itself.
    source : tensor of bool of shape (n,) or None
        Whether a sample is of the source domain.
    relation : callable or None
        ``(y_a, y_b) -> r`` of labels.
    """

    labels: torch.Tensor
    row: torch.Tensor | None = None
    source: torch.Tensor | None = None
    relation: object = None

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, indices):
        row, source = self.row, self.source
        return Targets(
            self.labels[indices],
            None if row is None else row[indices],
            None if source is None else source[indices],
            self.relation,
        )

    def to(self, device):
        """Move the tensors to a device."""
        if str(device) == "cpu":
            return self
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return dataclasses.replace(self, **{name: value.to(device) for name, value in tensors.items()})


class Rows(Dataset):
    """Points and their targets; ``rows[indices]``, a tensor of indices, is a batch."""

    def __init__(self, X, targets):
        self.X, self.targets = X, targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, indices):
        return self.X[indices], self.targets[indices]


class Part:
    """Some of the rows, as samplers see them: numbered from 0; iterated over, its batches.

    ``sampler`` gives index lists, a new pass at every iteration.  Iterating stands in place of PyTorch's loader,
    which is made for one row at a time: a batch is one indexing of the whole table.
    """

    def __init__(self, rows, indices):
        self.rows, self.indices, self.sampler = rows, indices, None
        self.targets = rows.targets[torch.from_numpy(indices)]

    def __len__(self):
        return len(self.indices)

    def __iter__(self):
        for indices in self.sampler:
            yield self.rows[torch.from_numpy(self.indices[indices])]

    def points(self):
        """Points of the part, a copy."""
        return self.rows.X[torch.from_numpy(self.indices)]


@dataclass
class Plan:
    """What kind of networks are trained.

    Parameters
    ----------
    of_ours : bool
        Whether the networks are perceptrons: their points are vectors, which are centred and scaled.  Others see
        points of any shape, as they are.
    n_networks : int
    has_dropout : bool
        Whether training draws from PyTorch's global generators, as dropout does.
    of_others : bool
        Whether anything is the user's own: modules, losses, samplers.  They may draw from these too.
    """

    of_ours: bool = True
    n_networks: int = 1
    has_dropout: bool = False
    of_others: bool = False


@dataclass
class Problem:
    """What is trained, on which rows, seeded how.

    Parameters
    ----------
    plan : Plan
    rows : Rows
        With standardised points, where they are.
    standardize : Standardize or None
        What the points went through before.
    kept, held_back : ndarray of int
        The rows to learn from, and those that tell when to stop.
    seed : int
    """

    plan: Plan
    rows: Rows
    standardize: torch.nn.Module | None
    kept: np.ndarray
    held_back: np.ndarray
    seed: int


@dataclass
class Trained:
    """What came of training.

    Parameters
    ----------
    networks : list of torch.nn.Module
    history : list of dict
    interrupted : bool
        Whether the user interrupted it.
    """

    networks: list
    history: list
    interrupted: bool = False


def tensor_of(array, dtype=None):
    """A tensor of the array, copied if it is read-only or runs backwards, which PyTorch cannot share."""
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), dtype=dtype)
