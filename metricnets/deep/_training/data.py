"""What training takes and gives: points, targets with named fields, a problem and its solution."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import Dataset

from metricnets.deep._training.tables import Points

CHUNK = 4096  # rows taken at a time


@dataclass
class Targets:
    """Targets of the samples, as tensors, and the relation of two of them.

    Parameters
    ----------
    labels : tensor of shape (n,) or (n, n_labels)
        Class codes, label sets, distributions or real values; for pairs, +1 if similar and −1 if dissimilar.
    row : tensor of int of shape (n,) or None
        Row of each sample in X; a row that occurs twice in a batch forms no pair with itself.
    source : tensor of bool of shape (n,) or None
        Whether a sample is of the source domain.
    relation : callable or None
        Function ``(y_a, y_b) -> r`` of labels.
    members : ndarray of int of shape (n_pairs, 2) or None
        Rows of X that form each pair, if samples are pairs.
    classes : ndarray of shape (n_classes,) or None
        The classes of the codes, if labels are class codes.
    weights : ndarray of shape (n,) or None
        Positive weights of the samples, how often they are drawn; None if they are equal.
    sets : tensor of int of shape (n,) or None
        Number of the set of each sample, if samples form sets.
    processes : metricnets.deep._training.distributed.Processes or None
        Those that share the loss of the samples.
    """

    labels: torch.Tensor
    row: torch.Tensor | None = None
    source: torch.Tensor | None = None
    relation: object = None
    members: np.ndarray | None = None
    classes: np.ndarray | None = None
    weights: np.ndarray | None = None
    sets: torch.Tensor | None = None
    processes: object = None

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, indices):
        row, source = self.row, self.source
        return Targets(
            self.labels[indices],
            None if row is None else row[indices],
            None if source is None else source[indices],
            self.relation,
            classes=self.classes,
            weights=None if self.weights is None else self.weights[indices],
            sets=None if self.sets is None else self.sets[indices],
            processes=self.processes,
        )

    def to(self, device):
        """Move the tensors to a device."""
        if str(device) == "cpu":
            return self
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return dataclasses.replace(self, **{name: value.to(device) for name, value in tensors.items()})


class Rows(Dataset):
    """Points and their targets; ``rows[indices]``, for a tensor of indices, is a batch.

    Parameters
    ----------
    X : tensor or Points of shape (n, ...)
    targets : Targets
    kept : array of int or None
        The rows to train on; None if all are.
    """

    def __init__(self, X, targets, kept=None):
        self.X, self.targets = X, targets
        self.kept = np.arange(len(targets)) if kept is None else kept
        self.in_windows = isinstance(X, Points) and X.table.in_windows  # whether a pass should go by stored batches

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, indices):
        return self.X[indices], self.targets[indices]


@dataclass
class Plan:
    """Kind of networks to train.

    Parameters
    ----------
    of_ours : bool
        Whether the networks are perceptrons: their points are vectors, which are centred and scaled.  Other networks
        take points of any shape, unchanged.
    n_networks : int
    of_others : bool
        Whether modules, losses, samplers or other functions are the user's, which may draw from PyTorch's global
        generators.
    """

    of_ours: bool = True
    n_networks: int = 1
    of_others: bool = False


@dataclass
class Problem:
    """A training problem: networks, rows and seed.

    Parameters
    ----------
    plan : Plan
    rows : Rows
        Their points are what the networks take, after ``layers``.
    layers : list of torch.nn.Module
        Layers before the networks, which are not trained.
    kept, held_back : ndarray of int
        Rows to train on, and rows for early stopping.
    seed : int
    start : Start or None
        What training goes on from.
    history : list of dict
        Epochs of training before.
    n_train : int or None
        Number of the rows before the validation data of the user, if there are such data.
    shrinkage : float in [0, 1]
        How far trained weights are moved back to those of the start.
    decay : float
        Weight decay of AdamW if it is 'auto'.
    n_after : int
        How many times networks are trained afterwards in the same fit, such as rounds or layers.
    """

    plan: Plan
    rows: Rows
    layers: list
    kept: np.ndarray
    held_back: np.ndarray
    seed: int
    start: object = None
    history: list = field(default_factory=list)
    n_train: int | None = None
    shrinkage: float = 0.0
    decay: float = 3.0
    n_after: int = 0


@dataclass
class Trained:
    """Result of training.

    Parameters
    ----------
    networks : list of torch.nn.Module
    history : list of dict
    criteria : list of callable
        The loss of each network; if it is a module, its parameters are trained.
    interrupted : bool
        Whether the user interrupted it.
    learned : bool
        Whether the loss of any batch had a gradient.
    stopped : bool
        Whether a callback of scikit-learn asked to stop.
    starts : list of dict
        The state of each network before training, None if nothing is shrunk to it.
    """

    networks: list
    history: list
    criteria: list = field(default_factory=list)
    interrupted: bool = False
    learned: bool = False
    stopped: bool = False
    starts: list = field(default_factory=list)


def tensor_of(array, dtype=None):
    """A tensor of the array, copied if it is read-only or has negative strides, which PyTorch cannot share."""
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), dtype=dtype)
