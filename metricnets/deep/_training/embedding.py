"""Embedding of points with a network: validation, precision, chunks and device."""

import contextlib
import copy

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from metricnets._params import Array
from metricnets._tables import advise, is_table
from metricnets._tuples import FLOATS
from metricnets.base import MetricMixin
from metricnets.deep._training.data import tensor_of
from metricnets.deep._training.numpy_networks import as_numpy
from metricnets.deep._training.runtime import defaults, device_for, single_precision, threads_for
from metricnets.deep._training.tables import some_of, validated_table
from metricnets.exceptions import warn
from metricnets.networks import WholeNumbers

LARGEST = 2**24  # up to which single precision has all whole numbers
# Layers that hold nothing but numbers, tensors and other layers, as those of the package do
LAYERS = {nn.Sequential, nn.ModuleList, nn.Linear, nn.Identity, nn.GELU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softmax}
ERRORS = (RuntimeError, TypeError, ValueError, IndexError)  # of a network that cannot take its input


class EmbeddingMixin(MetricMixin):
    """Mixin of the learners that embed points with their ``module_``."""

    def transform(self, X: Array) -> np.ndarray:
        """Embed points.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points to embed.  With a ``preprocessor``, indicators of shape (n_samples,) too.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Embeddings, in the precision of X.
        """
        check_is_fitted(self)
        try:
            points = self._checked_points(self._looked_up(X))
        except (TypeError, ValueError) as error:
            advise(error, X, self._shape())
            raise
        return self._points(points)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def _checked_points(self, X):
        """Points to embed.  The shape of images is checked first: they have no number of features to compare."""
        if getattr(X, "ndim", 0) > 2 or len(self._point_shape) > 1:
            self._check_shape(X)
        if is_table(X):
            return validated_table(self, X, reset=False, finite=self._finite)
        return validate_data(self, X, reset=False, dtype=FLOATS, allow_nd=True, ensure_all_finite=self._finite)

    def _embed(self, X):
        options = {"n_rows": self._rows_at_once, "in_double": self._in_double, "device": self._device_here()}
        return embed(self.module_, X, n_jobs=self.n_jobs, **options)

    def _shape(self):
        return self._point_shape

    def _frozen(self):
        return as_numpy(self.module_, self._in_double)

    def _device_here(self):
        """The device to embed on, which may differ from that of training."""
        try:
            return device_for(self.device)
        except ValueError as error:
            warn(f"{error}; points are embedded on the CPU.")
            return "cpu"


def embed(module, X, *, n_rows, in_double, device, n_jobs=None):
    """Embed an array (n, ...), ``n_rows`` at a time, in its own precision if the network can."""
    dtype = torch.float64 if X.dtype == float and in_double else torch.float32
    if device != "cpu":
        module = copy.deepcopy(module).to(device)
    if dtype == torch.float64:
        module = doubled(module)
    with defaults(device, gradients=False), single_precision, threads_for(X, n_jobs, module, n_rows):
        Z = None
        for start in range(0, len(X), n_rows):  # scikit-learn's gen_batches takes longer than a small network
            part = slice(start, start + n_rows)
            z = module(tensor_of(X[part], dtype).to(device)).to("cpu", dtype)
            Z = torch.empty(len(X), *z.shape[1:], dtype=dtype) if Z is None else Z
            Z[part] = z
    return Z.numpy().astype(X.dtype, copy=False)


def doubled(module):
    """A copy of a network in double precision; deep copies, which take many times longer, are for modules of others."""
    if all(map(is_known, module.modules())):
        return _layers_doubled(module)
    return copy.deepcopy(module).double()


def is_known(part):
    """Whether a module is of ours or a plain layer, and has no ``forward`` of its own, bound to it."""
    known = type(part) in LAYERS or type(part).__module__.startswith("metricnets.")
    return known and "forward" not in vars(part)


def _layers_doubled(module):
    layer = type(module).__new__(type(module))
    vars(layer).update(vars(module), _modules={}, _parameters={}, _buffers={})
    for name, part in module._modules.items():
        layer._modules[name] = _layers_doubled(part)
    for own, copies in ((module._parameters, layer._parameters), (module._buffers, layer._buffers)):
        for name, tensor in own.items():
            dtype = torch.float64 if tensor is not None and tensor.is_floating_point() else None
            copies[name] = tensor if tensor is None else tensor.detach().to(dtype or tensor.dtype, copy=True)
    return layer


@torch.no_grad()
def checked_network(network, X, name="module"):
    """Check that a network, the parameter ``name``, embeds points, of which it is shown two.

    Returns
    -------
    network : torch.nn.Module
        The network, after a conversion to int64 if it takes only integers.

    Raises
    ------
    ValueError
        If the network cannot take these points, or does not return a row for each.
    """
    network.eval()
    every, X = some_of(X), X[:2]
    try:
        z = network(X)
    except ERRORS as error:
        network = nn.Sequential(WholeNumbers(), network)
        z = _of_integers(network, every)
        if z is None:
            raise ValueError(f"{name} cannot embed points of shape {tuple(X.shape[1:])}: {error}") from error
    is_real = isinstance(z, torch.Tensor) and z.is_floating_point()
    if not is_real or z.ndim != 2 or len(z) != len(X) or not z.shape[1]:
        got = f"{tuple(z.shape)} of {z.dtype}" if isinstance(z, torch.Tensor) else type(z).__name__
        raise ValueError(f"{name} should turn {len(X)} points into an array ({len(X)}, n_components); got {got}.")
    return network.train()


def check_trainable(network, criterion):
    """Raise ValueError unless the network, or a loss that is a module, has a parameter to train."""
    trained = [network, criterion] if isinstance(criterion, nn.Module) else [network]
    if not any(parameter.requires_grad for module in trained for parameter in module.parameters()):
        raise ValueError(
            "module has no parameter to train, nor has the loss; give a module with a parameter that requires a "
            "gradient."
        )


def _of_integers(network, X):
    """What a network that takes integers makes of two points; None if it does not, or X has other numbers."""
    z = None
    if (X.round() == X).all():
        with contextlib.suppress(*ERRORS):
            z = network(X[:2])
    if z is not None and X.abs().max() >= LARGEST:
        raise ValueError(
            f"X has whole numbers up to {X.abs().max():.0f}, and module takes integers: those from 2**24 = {LARGEST} "
            "on are rounded in single precision, in which X is kept. Number them from 0, as scikit-learn's "
            "OrdinalEncoder does, or take their remainders."
        ) from None
    return z


@torch.no_grad()
def takes_double(module, X):
    """Whether a network computes the same in double precision."""
    try:
        z, in_double = module(X), copy.deepcopy(module).double()(X.double())
    except ERRORS:
        return False
    return in_double.dtype == torch.float64 and torch.allclose(z.double(), in_double, rtol=1e-3, atol=1e-4)
