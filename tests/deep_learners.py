"""The deep learners, found by name, and what they make of modules: what laws over all of them are tried on.

``learner(name).fit(*data(name))`` fits any of ``LEARNERS``.
"""

import inspect

import numpy as np
import torch
from discovery import ESTIMATORS, METRICS, TUPLE_LEARNERS, TWO_VIEWS, quick, training_data
from torch import nn

from metricnets.networks import small_conv

BUILT_IN = [name for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.deep")]
OF_MODULES = [name for name in BUILT_IN if "module" in ESTIMATORS[name]._get_param_names() and name != "Mahalanobis"]


class Linear(nn.Module):
    """A layer that makes tensors of PyTorch's default precision, on its default device."""

    def __init__(self, shape):
        super().__init__()
        self.linear = nn.Linear(*shape, 3)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.dropout(self.linear(x)) + torch.ones(3) * torch.tensor(0.5)


class OfIds(nn.Module):
    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(20, 3)

    def forward(self, ids):
        return self.vectors(ids).mean(dim=1)


def points(name):
    return training_data(name.split()[0])


def images(name):
    X, y = points(name)
    return np.tile(X[..., None, None, :], (1,) * (X.ndim - 1) + (1, 4, 1)).astype(np.float32), y


def ids(name):
    X, y = points(name)
    return np.clip(X * 3 + 8, 0, 19).astype(int), y


# name -> parameters beside the quick ones, data
VARIANTS = {
    **{name: ({}, points) for name in BUILT_IN},
    "EmbeddingNet with dropout": ({"dropout": 0.3, "input_dropout": 0.1}, points),
    "DDMLPairs with jitter": ({"jitter": 0.5}, points),
    "DDML from autoencoders": ({"init": "dae"}, points),
    "HRAML of three beside the points": ({"n_networks": 3, "skip": 1.0, "init": "glorot"}, points),
    **{f"{name} of a module": ({"module": Linear}, points) for name in OF_MODULES},
    "EmbeddingNet of images": ({"module": lambda shape: small_conv(shape, 3, channels=(4,))}, images),
    "EmbeddingNet of ids": ({"module": OfIds}, ids),
}
LEARNERS = [*VARIANTS]


def learner(name, **params):
    """Make an unfitted estimator."""
    params = VARIANTS[name][0] | params
    if "module" in params:
        hidden = inspect.signature(ESTIMATORS[name.split()[0]]).parameters["hidden"].default
        params = {"hidden": hidden} | params
        params |= {"module_y": Linear} if name.split()[0] in TWO_VIEWS else {}
    return quick(name.split()[0], **params)


def of_one_view(name):
    """Parameters with which a module takes all features."""
    return {"views": 1} if "views" in ESTIMATORS[name.split()[0]]._get_param_names() else {}


def data(name):
    """Return the arguments of ``fit``."""
    return VARIANTS[name][1](name)


def points_of(X, name):
    """The points of the arguments of ``fit``, of tuples the first ones."""
    return X[:, 0] if name.split()[0] in TUPLE_LEARNERS else X
