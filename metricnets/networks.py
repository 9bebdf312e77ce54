"""Embedding networks: multilayer perceptrons, a small convolutional net, and their NumPy twins."""

import copy

import numpy as np
import torch
from scipy.special import erf, expit
from torch import nn
from torch.nn import functional as F

__all__ = ["MLP", "NonSaturatingSigmoid", "UnitNorm", "as_numpy", "mlp", "small_conv"]


class NonSaturatingSigmoid(nn.Module):
    """The inverse of s³/3 + s = z, that is s = 2 sinh(asinh(3z/2) / 3): grows like the cube root.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Discriminative deep metric learning for face verification in the
    wild", CVPR 2014.
    """

    def forward(self, z):
        return 2 * torch.sinh(torch.asinh(1.5 * z) / 3)


class UnitNorm(nn.Module):
    """Divide rows by their Euclidean norm; equation (10) of HRAML."""

    def forward(self, z):
        return F.normalize(z, dim=1)


ACTIVATIONS = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "nonsaturating": NonSaturatingSigmoid,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}
BOUNDED = ("tanh", "sigmoid")


class MLP(nn.Sequential):
    """A multilayer perceptron whose blocks are its layers: h⁽ᵐ⁾ = φ(W⁽ᵐ⁾ h⁽ᵐ⁻¹⁾ + b⁽ᵐ⁾)."""

    def layers(self, x):
        """Outputs of all layers, from the first to the top."""
        outputs = []
        for block in self:
            x = block(x)
            outputs.append(x)
        return outputs


def mlp(
    n_features,
    n_components,
    hidden=(128,),
    activation="tanh",
    dropout=0.0,
    activate_output=False,
    normalize=False,
    bias=True,
    init="glorot",
):
    """Build a multilayer perceptron.

    Parameters
    ----------
    n_features, n_components : int
        Width of the input and of the embedding.
    hidden : sequence of int, default=(128,)
        Widths of the hidden layers; empty for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='tanh'
    dropout : float in [0, 1), default=0.0
        Share of the hidden units dropped in training.
    activate_output : bool, default=False
        Whether the top layer has the activation too, as in the papers of DDML and HRAML.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm.
    bias : bool, default=True
    init : {'glorot', 'uniform'}, default='glorot'
        Weights: Glorot and Bengio's uniform distribution, or U[−0.2, 0.2].  Biases are 0.

    Returns
    -------
    network : MLP
        One block a layer.

    Examples
    --------
    >>> network = mlp(4, 2, hidden=(8,))
    >>> network(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """
    sizes = [n_features, *hidden, n_components]
    blocks = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        linear = nn.Linear(n_in, n_out, bias=bias)
        top = len(blocks) == len(hidden)
        parts = [linear]
        if activate_output or not top:
            parts.append(ACTIVATIONS[activation]())
        if dropout and not top:
            parts.append(nn.Dropout(dropout))
        if normalize and top:
            parts.append(UnitNorm())
        blocks.append(nn.Sequential(*parts))
        initialize(linear, init, activation)
    return MLP(*blocks)


@torch.no_grad()
def initialize(linear, init, activation="tanh"):
    """Draw the weights of a linear layer and set its bias to 0."""
    if init == "uniform":
        nn.init.uniform_(linear.weight, -0.2, 0.2)
    elif activation in ("relu", "gelu"):
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
    else:
        nn.init.xavier_uniform_(linear.weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)


def small_conv(input_shape, n_components=32, channels=(16, 32), normalize=False):
    """Build a small convolutional network for images.

    Each stage is a 3×3 convolution, ReLU, and a maximum over 2×2 pixels; a linear layer follows.

    Parameters
    ----------
    input_shape : tuple of int
        (n_channels, height, width); the sides at least 2 to the power of ``len(channels)``.
    n_components : int, default=32
    channels : sequence of int, default=(16, 32)
        Feature maps of each stage.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm.

    Examples
    --------
    >>> small_conv((1, 8, 8), n_components=5)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 5])
    """
    n_channels, height, width = input_shape
    shrink = 2 ** len(channels)
    if min(height, width) < shrink:
        raise ValueError(f"images of {height} x {width} pixels are too small for {len(channels)} stages.")
    stages = []
    for n_in, n_out in zip([n_channels, *channels], channels):
        stages += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    top = nn.Linear(channels[-1] * (height // shrink) * (width // shrink), n_components)
    return nn.Sequential(*stages, nn.Flatten(), top, *([UnitNorm()] if normalize else []))


# ----------------------------------------------------------------------------------------------
# NumPy twins: a few microseconds a point, where PyTorch takes tens.


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
