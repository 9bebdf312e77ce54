"""Embedding networks: multilayer perceptrons and a small convolutional network."""

import math
from collections.abc import Iterable, Sequence

import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.nn import functional as F

from metricnets._checks import check_option

__all__ = [
    "MLP",
    "Dropout",
    "Ensemble",
    "GaussianKernel",
    "Lift",
    "Mean",
    "NonSaturatingSigmoid",
    "Residual",
    "Skip",
    "Standardize",
    "SubspaceNorm",
    "Sum",
    "UnitNorm",
    "WholeNumbers",
    "mlp",
    "multi_scale_conv",
    "small_conv",
]


class NonSaturatingSigmoid(nn.Module):
    """Non-saturating sigmoid, s = 2 sinh(asinh(3z/2) / 3), the inverse of s³/3 + s = z.

    Its derivative does not vanish exponentially, as it grows like a cube root.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Discriminative deep metric learning for face verification in the
    wild", CVPR 2014.
    """

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return 2 * torch.sinh(torch.asinh(1.5 * z) / 3)


class Dropout(nn.Module):
    """Dropout with a generator of its own.

    Threads and forked processes then do not share PyTorch's global one.

    Parameters
    ----------
    p : float in [0, 1)
        Share of the entries that are set to 0 in training; the others are divided by 1 − p.
    generator : torch.Generator or None, default=None
        Generator of the draws, which copies and pickles do not have; None is PyTorch's global one.
    """

    def __init__(self, p: float, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.p, self.generator = p, generator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        device = x.device if self.generator is None else self.generator.device
        kept = drawn(x.shape, 1 - self.p, self.generator, device).to(x.device, x.dtype)
        return x * kept.div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"

    def __getstate__(self) -> dict:
        return vars(self) | {"generator": None}


def drawn(shape: list[int], p: float, generator: torch.Generator | None, device: torch.device) -> torch.Tensor:
    """Ones with probability p and zeros otherwise.

    On the CPU these are the draws of PyTorch's ``bernoulli_`` there, which compares 53 random bits with p, in less than
    half of its time, and the same on all processors.
    """
    if device.type != "cpu":
        return torch.empty(shape, device=device).bernoulli_(p, generator=generator)
    bits = torch.empty(shape, dtype=torch.int64).random_(generator=generator)
    return bits.bitwise_and_(2**53 - 1) < math.ceil(p * 2**53)


def without_generators(network: nn.Module) -> nn.Module:
    """Let all dropout of a trained network draw from PyTorch's global generator, if it is trained further."""
    for part in network.modules():
        if isinstance(part, Dropout):
            part.generator = None
    return network


class UnitNorm(nn.Module):
    """Scale embeddings to unit Euclidean norm, equation (10) of the paper of HRAML."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        if not isinstance(z, torch.Tensor) or z.ndim != 2 or not z.is_floating_point():
            return z  # outputs other than (n, k) embeddings are refused later
        if z.dtype not in (torch.float16, torch.bfloat16):
            return F.normalize(z, dim=1)
        return F.normalize(z.float(), dim=1, eps=2.0**-14).to(z.dtype)  # 1e-12 is 0 there


class Lift(nn.Module):
    """Append a column √(1 − ‖z‖²), which lifts embeddings to unit norm, and a column of zeros.

    Two views lifted by different columns have the products zᵀz' as cosines, whatever the norms of z and z', at most 1.

    Parameters
    ----------
    place : {0, 1}
        Which of the two columns is not 0.

    References
    ----------
    Y. Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
    spaces", RecSys 2014.
    """

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        rest = (1 - z.square().sum(1, keepdim=True)).clamp_min(TINY).sqrt()
        columns = (rest, torch.zeros_like(rest))
        return torch.cat([z, columns[self.place], columns[1 - self.place]], dim=1)

    def extra_repr(self) -> str:
        return f"place={self.place}"


ACTIVATIONS = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "nonsaturating": NonSaturatingSigmoid,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}
STARTS = ["glorot", "uniform"]
TINY = 1e-6  # added to sums of squares of features of unit variance, whose root has no gradient at 0
BOUNDED = ("tanh", "sigmoid")


class MLP(nn.Sequential):
    """Multilayer perceptron, h⁽ᵐ⁾ = φ(W⁽ᵐ⁾ h⁽ᵐ⁻¹⁾ + b⁽ᵐ⁾), one block for each layer.

    Parameters
    ----------
    blocks : torch.nn.Module
        The layers, each with its activation, as separate arguments.
    """

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__(*blocks)

    def layers(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs of all layers, from the first to the last."""
        outputs = []
        for block in self:
            x = block(x)
            outputs.append(x)
        return outputs


class Ensemble(nn.Module):
    """Ensemble of networks whose squared distance is the mean of the members' squared distances.

    Parameters
    ----------
    members : iterable of torch.nn.Module
        Networks that embed the same points.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([member(x) for member in self.members], dim=1) / len(self.members) ** 0.5


class Sum(nn.Module):
    """Sum of the embeddings of several networks.

    Parameters
    ----------
    members : iterable of torch.nn.Module
        Networks that embed the same points in the same space.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(member(x) for member in self.members)


class Mean(Sum):
    """Mean of the embeddings of several networks.

    Parameters
    ----------
    members : iterable of torch.nn.Module
        Networks that embed the same points in the same space.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) / len(self.members)


class Standardize(nn.Module):
    """Standardise points, x ↦ (x − origin − mean) / scale, in double precision.

    The origin, a point near the data, is subtracted first, so that no digits are lost far from zero.

    Parameters
    ----------
    origin : array-like of shape (n_features,) or float
    mean : array-like of shape (n_features,) or float
        Of the points minus the origin.
    scale : array-like of shape (n_features,) or float
    """

    def __init__(self, origin: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> None:
        super().__init__()
        for name, value in {"origin": origin, "mean": mean, "scale": scale}.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x.double() - self.origin - self.mean) / self.scale).to(x.dtype)


class Residual(nn.Module):
    """Residual network, x ↦ x + f(scale · x), which is the identity if the last layer of f is 0.

    Parameters
    ----------
    network : torch.nn.Module
        The network f, from n_components features to as many.
    scale : array-like of shape (n_components,) or float
        Multiplied with the points before the network, so that their features have unit variance; 0 for features that
        the network should ignore.
    """

    def __init__(self, network: nn.Module, scale: ArrayLike) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.network(self.scale * x)


class SubspaceNorm(nn.Module):
    """Norms of groups of features, the square root of the sum of squares of each: the pooling of ISA.

    Parameters
    ----------
    size : int
        Number of consecutive features in a group.

    References
    ----------
    A. Hyvärinen, P. Hoyer, "Emergence of phase- and shift-invariant features by decomposition of natural images into
    independent feature subspaces", Neural Computation 2000.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.square().unflatten(1, (-1, self.size)).sum(2) + TINY).sqrt()

    def extra_repr(self) -> str:
        return f"size={self.size}"


class GaussianKernel(nn.Module):
    """Gaussian kernels of each point and some landmarks, x ↦ exp(−‖x − c‖² / scale).

    Parameters
    ----------
    landmarks : array-like of shape (n_landmarks, n_features)
        The points c.
    scale : float > 0
        Unit of the squared distances.
    """

    def __init__(self, landmarks: ArrayLike, scale: float) -> None:
        super().__init__()
        self.scale = float(scale)
        self.register_buffer("landmarks", torch.as_tensor(landmarks, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        d2 = x.square().sum(1, keepdim=True) + self.landmarks.square().sum(1) - 2 * x @ self.landmarks.T
        return torch.exp(d2.nan_to_num(torch.inf, torch.inf).clamp_min(0) / -self.scale)  # NaN is ∞ − ∞

    def extra_repr(self) -> str:
        return f"n_landmarks={len(self.landmarks)}, scale={self.scale:.3g}"


class WholeNumbers(nn.Module):
    """Round points to int64, the input of embedding layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.round().long()


class Skip(nn.Module):
    """Skip connection: append the points, centred and scaled, to the embeddings of a network.

    Parameters
    ----------
    network : torch.nn.Module
        The network that embeds the points.
    center : tensor of shape (n_features,)
        Subtracted from the points.
    factor : tensor of shape (n_features,) or ()
        Multiplied with the centred points.
    """

    def __init__(self, network: nn.Module, center: torch.Tensor, factor: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("center", center)
        self.register_buffer("factor", factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.network(x), self.factor * (x - self.center).flatten(1)], dim=1)


def mlp(
    n_features: int,
    n_components: int,
    hidden: Sequence[int] = (128,),
    activation: str = "tanh",
    dropout: float = 0.0,
    activate_output: bool = False,
    normalize: bool = False,
    bias: bool = True,
    init: str = "glorot",
    input_dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> MLP:
    """Build a multilayer perceptron.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the input and of the embedding.
    hidden : sequence of int, default=(128,)
        Widths of the hidden layers; empty for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='tanh'
        Activation function of the layers.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units that are set to 0 in training.
    activate_output : bool, default=False
        Whether the last layer also has the activation, as in the papers of DDML and HRAML.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm.
    bias : bool, default=True
        Whether the linear maps have a bias.
    init : {'glorot', 'uniform'}, default='glorot'
        Distribution of the initial weights: the uniform distribution of Glorot and Bengio (of He et al. for 'relu'
        and 'gelu'), or U[−0.2, 0.2].  Biases are 0.
    input_dropout : float in [0, 1), default=0.0
        Share of the features that are set to 0 in training.
    generator : torch.Generator or None, default=None
        Generator of the initial weights and of dropout; None is PyTorch's global one.

    Returns
    -------
    network : MLP
        With one block for each layer.

    Raises
    ------
    ValueError
        If ``activation`` or ``init`` is unknown.

    Examples
    --------
    >>> network = mlp(4, 2, hidden=(8,))
    >>> network(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """
    if activation not in ACTIVATIONS or init not in STARTS:
        check_option("activation", activation, list(ACTIVATIONS))
        check_option("init", init, STARTS)
    sizes = [n_features, *hidden, n_components]
    blocks = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        linear = linear_layer(n_in, n_out, bias, init, activation, generator)
        top = len(blocks) == len(hidden)
        parts = [linear] if blocks or not input_dropout else [Dropout(input_dropout, generator), linear]
        if activate_output or not top:
            parts.append(ACTIVATIONS[activation]())
        if dropout and not top:
            parts.append(Dropout(dropout, generator))
        if normalize and top:
            parts.append(UnitNorm())
        blocks.append(nn.Sequential(*parts))
    return MLP(*blocks)


@torch.no_grad()
def linear_layer(
    n_in: int, n_out: int, bias: bool, init: str, activation: str, generator: torch.Generator | None
) -> nn.Linear:
    """Make a linear layer in single precision on the CPU, with the initial weights of `mlp`."""
    linear = nn.Linear(n_in, n_out, bias=bias, device="meta", dtype=torch.float32).to_empty(device="cpu")
    for parameter in linear.parameters():
        parameter.uniform_(generator=generator)  # PyTorch draws them too, so seeds give the same weights
    if init == "uniform":
        bound = 0.2
    elif activation in ("relu", "gelu"):
        bound = (6 / n_in) ** 0.5
    else:
        bound = (6 / (n_in + n_out)) ** 0.5
    linear.weight.uniform_(-bound, bound, generator=generator)
    if linear.bias is not None:
        linear.bias.zero_()
    return linear


def fixed_linear(weight: ArrayLike, bias: ArrayLike) -> nn.Linear:
    """Make a linear layer of given weights, which is not trained."""
    weight, bias = torch.as_tensor(weight, dtype=torch.float32), torch.as_tensor(bias, dtype=torch.float32)
    layer = nn.Linear(*weight.T.shape, device="meta", dtype=torch.float32)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer.requires_grad_(False)


def small_conv(
    input_shape: tuple[int, int, int],
    n_components: int = 32,
    channels: Sequence[int] = (16, 32),
    normalize: bool = False,
) -> nn.Sequential:
    """Build a small convolutional network for images.

    Each stage is a 3×3 convolution, a ReLU and a maximum over 2×2 pixels; a linear layer follows.

    Parameters
    ----------
    input_shape : tuple of int
        (n_channels, height, width); height and width at least 2 to the power of ``len(channels)``.
    n_components : int, default=32
        Dimension of the embedding.
    channels : sequence of int, default=(16, 32)
        Number of feature maps of each stage.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm.

    Returns
    -------
    network : torch.nn.Sequential

    Raises
    ------
    ValueError
        If the images are too small for the number of stages.

    Examples
    --------
    >>> small_conv((1, 8, 8), n_components=5)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 5])
    """
    n_channels, height, width = input_shape
    shrink = 2 ** len(channels)
    if min(height, width) < shrink:
        raise ValueError(f"images of {height} x {width} pixels are too small for {len(channels)} stages; use fewer.")
    stages = []
    for n_in, n_out in zip([n_channels, *channels], channels):
        stages += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    top = nn.Linear(channels[-1] * (height // shrink) * (width // shrink), n_components)
    return nn.Sequential(*stages, nn.Flatten(), top, *([UnitNorm()] if normalize else []))


def multi_scale_conv(
    input_shape: tuple[int, int, int],
    n_components: int = 32,
    channels: Sequence[int] = (16, 32),
    factors: Sequence[int] = (1, 2, 4),
    normalize: bool = False,
) -> nn.Sequential:
    """Build a convolutional network that sees an image at several scales, as in deep ranking.

    The image is reduced by each of the factors, by means of blocks of pixels.  A network, :func:`small_conv`, embeds
    each of these images with unit norm: that of the full image has a stage for each of ``channels``, and those of
    reduced images, which show the global appearance, only the first one.  A linear layer combines the embeddings.

    Parameters
    ----------
    input_shape : tuple of int
        (n_channels, height, width); height and width at least twice the largest factor, and 2 to the power of
        ``len(channels)``.
    n_components : int, default=32
        Dimension of the embedding, and of those that are combined.
    channels : sequence of int, default=(16, 32)
        Number of feature maps of each stage.
    factors : sequence of int, default=(1, 2, 4)
        By how much the images are reduced.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm.

    Returns
    -------
    network : torch.nn.Sequential

    Raises
    ------
    ValueError
        If the images are too small for the factors or the number of stages.

    References
    ----------
    J. Wang et al., "Learning fine-grained image similarity with deep ranking", CVPR 2014.

    Examples
    --------
    >>> multi_scale_conv((1, 8, 8), n_components=5)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 5])
    """
    n_channels, height, width = input_shape
    networks = []
    for factor in factors:
        reduced = (n_channels, height // factor, width // factor)
        stages = channels if factor == 1 else channels[:1]
        network = small_conv(reduced, n_components, stages, normalize=True)
        networks.append(nn.Sequential(nn.AvgPool2d(factor), network))
    top = nn.Linear(len(factors) * n_components, n_components)
    return nn.Sequential(Ensemble(networks), top, *([UnitNorm()] if normalize else []))
