"""The rows that networks are trained on and embed: tables, their parts and their chunks."""

import numpy as np
import torch
from torch.utils.data import Dataset

CHUNK = 4096  # rows taken at a time


class Rows(Dataset):
    """A table and its targets; ``rows[indices]``, a tensor of indices, is a batch."""

    def __init__(self, X, targets):
        self.X, self.targets = X, targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, indices):
        return self.X[indices], self.targets[indices]


class Within:
    """A sampler of the rows of a part of the table."""

    def __init__(self, part, sampler):
        self.part, self.sampler = part, sampler

    def __len__(self):
        return len(self.sampler)

    def __iter__(self):
        return (torch.from_numpy(self.part[indices]) for indices in self.sampler)


def chunks(*arrays):
    """The arrays, or tensors, a few thousand rows at a time."""
    starts = range(0, len(arrays[0]), CHUNK)
    return (tuple(array[start : start + CHUNK] for array in arrays) for start in starts)


def tensor_of(array, dtype=None):
    """A tensor of the array, copied if it is read-only or runs backwards, which PyTorch cannot share."""
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), dtype=dtype)
