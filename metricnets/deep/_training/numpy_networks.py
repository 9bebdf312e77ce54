"""Translation of trained networks to NumPy, if all their layers are of known types."""

import copy
from functools import partial

import numpy as np
import torch
from scipy.special import expit, softmax
from torch import nn
from torch.nn.modules import module as torch_modules

from metricnets import networks
from metricnets._fused_views import CheckedViews, FusedViews, Views
from metricnets._numpy_networks import (
    Affine,
    Average,
    Chain,
    GaussianKernels,
    Residual,
    SideBySide,
    Standardized,
    SubspaceNorms,
    Total,
    gelu,
    lifted,
    nonsaturating,
    relu,
    unit_norm,
)
from metricnets.deep._training.runtime import defaults, single_precision
from metricnets.deep._training.several_views import Checked, Fused, ViewNetworks
from metricnets.networks import MLP, Dropout, Ensemble, Mean, NonSaturatingSigmoid, Skip, Standardize, Sum, UnitNorm

FUNCTIONS = {
    nn.Tanh: np.tanh,
    nn.Sigmoid: expit,
    NonSaturatingSigmoid: nonsaturating,
    nn.ReLU: relu,
    nn.GELU: gelu,
    UnitNorm: unit_norm,
}
HOOKS = ("_forward_hooks", "_forward_pre_hooks")


class TorchEmbedding:
    """Any other network, as a function of NumPy arrays."""

    def __init__(self, module, in_double):
        self.module, self.dtype = copy.deepcopy(module).cpu().eval(), torch.float64 if in_double else torch.float32
        if in_double:
            self.module.double()

    def __call__(self, x):
        with defaults(gradients=False), single_precision:
            return self.module(torch.as_tensor(x, dtype=self.dtype)).to(self.dtype).numpy()


def as_numpy(module, in_double=False):
    """Translate a network to NumPy, in float64; a network that cannot be translated is wrapped unchanged.

    Returns
    -------
    embed : callable
        Picklable: (n, ...) array in, (n, n_components) array out.
    """
    plain = all(_does_what_its_type_does(part) for part in module.modules())
    translated = _translated(module) if plain else None
    return TorchEmbedding(module, in_double) if translated is None else translated


def _does_what_its_type_does(module):
    """Whether a module has no hook, global or its own, and no replaced forward, which would change its output."""
    changed = any(getattr(module, hooks) or getattr(torch_modules, f"_global{hooks}") for hooks in HOOKS)
    return not changed and "forward" not in vars(module)


def _translated(module):
    """The function of a module of a known type, subclasses excluded; otherwise None."""
    kind = type(module)
    if kind is nn.Linear:
        bias = 0.0 if module.bias is None else module.bias.detach().double().numpy()
        return Affine(module.weight.detach().double().numpy(), bias)
    if kind in FUNCTIONS and getattr(module, "approximate", "none") == "none":  # GELU has two forms
        return FUNCTIONS[kind]
    if kind is nn.Softmax and module.dim is not None:
        return partial(softmax, axis=module.dim)
    if kind in (nn.Dropout, Dropout, nn.Identity):
        return Chain([])
    if kind in (MLP, nn.Sequential):
        return _joined(Chain, [_translated(part) for part in module])
    if kind is Ensemble:
        n = len(module.members)
        return _joined(SideBySide, [_translated(member) for member in module.members], [n**-0.5] * n)
    if kind is Mean:
        return _joined(Average, [_translated(member) for member in module.members])
    if kind is Sum:
        return _joined(Total, [_translated(member) for member in module.members])
    if kind is networks.Residual:
        function = _translated(module.network)
        return None if function is None else Residual(function, module.scale.double().numpy())
    if kind is Standardize:
        return Standardized(*(part.double().numpy() for part in (module.origin, module.mean, module.scale)))
    if kind is networks.GaussianKernel:
        return GaussianKernels(module.landmarks.double().numpy(), module.scale)
    if kind is networks.Lift:
        return partial(lifted, place=module.place)
    if kind is networks.SubspaceNorm:
        return SubspaceNorms(module.size, networks.TINY)
    if kind in (Checked, ViewNetworks):
        views = CheckedViews if kind is Checked else Views
        return _joined(views, [_translated(part) for part in module.networks], module.columns)
    if kind is Fused and module.expectation is not None:
        options = module.columns, module.weights.numpy(), module.expectation, module.normalize
        return _joined(FusedViews, [_translated(part) for part in module.networks], *options)
    if kind is Skip and module.center.ndim == 1:
        points = Standardized(0.0, module.center.double().numpy(), 1.0)
        return _joined(SideBySide, [_translated(module.network), points], [1.0, module.factor.double().numpy()])
    return None


def _joined(join, parts, *extra):
    """The parts joined; None unless all of them are translated."""
    return None if any(part is None for part in parts) else join(parts, *extra)
