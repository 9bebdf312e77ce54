"""What tests of checkpoints need in two processes, under the same names: fits that end before their time."""

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import torch
from deep_learners import Linear
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from skorch.callbacks import Callback

from metricnets import DDML

X, y = load_iris(return_X_y=True)
QUICK = {"max_epochs": 4, "batch_size": 50, "random_state": 0}


class Ended(Exception):  # noqa: N818
    """What ends a fit, as a signal would."""


class Ending(Callback):
    """End a fit after some epochs, in the middle of the next one; count the epochs that began."""

    def __init__(self, after=np.inf, error=Ended, kill=False):
        self.after, self.error, self.kill, self.n_begun = after, error, kill, 0

    def on_epoch_begin(self, net, **kwargs):
        self.n_begun += 1

    def on_batch_end(self, net, training, **kwargs):
        if training and self.n_begun > self.after:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise self.error


class Equal(torch.nn.Module):
    """A layer that begins with the identity, and draws nothing."""

    def __init__(self, shape):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.eye(*shape))

    def forward(self, x):
        return x @ self.weight


class Counting(torch.nn.Module):
    """A network with statistics of batches, a count and a buffer that state_dict does not have."""

    def __init__(self, shape):
        super().__init__()
        self.layers, self.n_calls = torch.nn.Sequential(Linear(shape), torch.nn.BatchNorm1d(3)), 0
        self.register_buffer("scale", torch.ones(3), persistent=False)

    def forward(self, x):
        if self.training:
            self.n_calls, self.scale = self.n_calls + 1, self.scale * 1.01
        return self.layers(x) * self.scale * (1 + self.n_calls / 100)


def growing(labels, batch_size, rng):
    """A sampler that remembers how many passes it made."""
    passes = []

    class Batches:
        def __iter__(self):
            passes.append(None)
            return iter(rng.integers(len(labels), size=(3, 20 + 5 * len(passes))))

    return Batches()


def of_set(x):
    return x in {"a", "b", "c"}


THINGS = [
    {"a", "b", "c"}, of_set, growing, Counting, torch.nn.BatchNorm1d(3), partial(of_set, x=2), np.random.default_rng(0),
    torch.Generator().manual_seed(1), torch.eye(2).to_sparse(), Path("a"), np.exp, sum, torch.relu, DDML(), X, y,
    np.array(["a", None], object), np.zeros((0, 3)), torch.tensor(1, dtype=torch.bfloat16), csr_array(np.eye(3)),
]  # fmt: skip
