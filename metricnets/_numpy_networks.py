"""NumPy twins of networks: a few microseconds a point, where PyTorch takes tens."""

import copy

import numpy as np
import torch
from scipy.special import erf, expit
from torch import nn

from metricnets.networks import MLP, Ensemble, NonSaturatingSigmoid, Skip, Standardize, UnitNorm


class Affine:
    """x ↦ x Wᵀ + b on rows."""

    def __init__(self, weight, bias=0.0):
        self.weight, self.bias = np.asarray(weight, dtype=float), np.asarray(bias, dtype=float)

    def __call__(self, x):
        return x @ self.weight.T + self.bias


class Chain:
    """Functions applied one after the other."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x):
        for step in self.steps:
            x = step(x)
        return x


class SideBySide:
    """Outputs of several functions, joined, each times its factor."""

    def __init__(self, members, factors):
        self.members, self.factors = members, factors

    def __call__(self, x):
        return np.hstack([factor * member(x) for member, factor in zip(self.members, self.factors)])


class Standardized:
    """x ↦ (x − origin − mean) / scale."""

    def __init__(self, origin, mean, scale):
        self.origin, self.mean, self.scale = origin, mean, scale

    def __call__(self, x):
        return (x - self.origin - self.mean) / self.scale


class TorchEmbedding:
    """Any other network, frozen: NumPy in, NumPy out."""

    def __init__(self, module):
        self.module = copy.deepcopy(module).cpu().eval()

    def __call__(self, x):
        with torch.inference_mode():
            return self.module(torch.as_tensor(x, dtype=torch.float32)).numpy()


def _nonsaturating(z):
    return 2 * np.sinh(np.arcsinh(1.5 * z) / 3)


def _relu(z):
    return np.maximum(z, 0)


def _gelu(z):
    return 0.5 * z * (1 + erf(z / np.sqrt(2)))


def _unit_norm(z):
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


TWINS = {
    nn.Tanh: np.tanh,
    nn.Sigmoid: expit,
    NonSaturatingSigmoid: _nonsaturating,
    nn.ReLU: _relu,
    nn.GELU: _gelu,
    UnitNorm: _unit_norm,
}


def as_numpy(module):
    """Translate a network to NumPy, in float64; a network it has no twin for stays as it is.

    Returns
    -------
    embed : callable
        Picklable: (n, ...) array in, (n, n_components) array out.
    """
    if type(module) is Ensemble:
        n = len(module.members)
        return SideBySide([as_numpy(member) for member in module.members], [n**-0.5] * n)
    if type(module) is Skip and module.center.ndim == 1:
        points = Standardized(0.0, module.center.numpy().astype(float), 1.0)
        return SideBySide([as_numpy(module.network), points], [1.0, float(module.factor)])
    if type(module) is nn.Sequential and len(module) and type(module[0]) is Standardize:
        buffers = (buffer.numpy() for buffer in (module[0].origin, module[0].mean, module[0].scale))
        return Chain([Standardized(*buffers), as_numpy(module[1])])
    steps = []
    for _, layer in module.named_modules(remove_duplicate=False):  # one activation may serve twice
        if type(layer) is nn.Linear:
            bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()
            steps.append(Affine(layer.weight.detach().numpy(), bias))
        elif type(layer) in TWINS and getattr(layer, "approximate", "none") == "none":  # GELU has two forms
            steps.append(TWINS[type(layer)])
        elif type(layer) not in (MLP, nn.Sequential, nn.Dropout, nn.Identity):
            return TorchEmbedding(module)
    return Chain(steps)
