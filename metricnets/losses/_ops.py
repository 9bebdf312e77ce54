"""Distances, masks and means shared by the losses."""

import torch
from torch.autograd.function import once_differentiable

EPS = 1e-12


class _Single(torch.autograd.Function):
    """Cast half to single precision; gradients that overflow half precision are clipped to its largest number."""

    @staticmethod
    def forward(ctx, z):
        ctx.dtype = z.dtype
        return z.float()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        largest = torch.finfo(ctx.dtype).max
        return gradient.clamp(-largest, largest).to(ctx.dtype)


def precise(z: torch.Tensor) -> torch.Tensor:
    """Return z in single precision at least: in half precision squares overflow, sums stagnate and EPS is 0."""
    return _Single.apply(z) if z.dtype in (torch.float16, torch.bfloat16) else z


class _SquaredDistances(torch.autograd.Function):
    """‖z_i − z_j‖² for all rows, with the gradient Σ_j (g_ij + g_ji) · 2 (z_i − z_j) in two matrix products."""

    @staticmethod
    def forward(ctx, z):
        z = z - z.mean(0)  # far from 0 small distances would lose their digits
        ctx.save_for_backward(z)
        norms = (z * z).sum(1)  # (n,)
        return torch.addmm(norms + norms[:, None], z, z.T, alpha=-2).clamp_min_(0)  # (n, n)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        both = gradient + gradient.T
        return 2 * (both.sum(1, keepdim=True) * z - both @ z)


def sqdist(z: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances between all rows, (n, n), non-negative, in single or double precision."""
    return _SquaredDistances.apply(precise(z))


def dist(z: torch.Tensor) -> torch.Tensor:
    """Euclidean distances between all rows, (n, n), bounded away from 0, where the root is not differentiable."""
    return (sqdist(z) + EPS).sqrt()


def unit_rows(z: torch.Tensor) -> torch.Tensor:
    """Rows scaled to unit norm, in single or double precision; rows of 0 stay 0."""
    z = precise(z)
    return z / (z.square().sum(1, keepdim=True) + EPS).sqrt()


def cosines(z: torch.Tensor) -> torch.Tensor:
    """Cosine similarities of all rows, (n, n), in single or double precision; 0 for rows of 0."""
    unit = unit_rows(z)
    return unit @ unit.T


def similar(r: torch.Tensor) -> torch.Tensor:
    """Mask of similar pairs: 1.0 where ``r`` > 0.5, 0.0 where it is not or is unknown.

    Masks are floats because arithmetic on them is several times faster than on booleans.
    """
    return precise(r).round().nan_to_num(0.0)  # 0.5 rounds to 0


def dissimilar(r: torch.Tensor) -> torch.Tensor:
    """Mask of dissimilar pairs: 1.0 where ``r`` <= 0.5, 0.0 where it is not or is unknown."""
    return (1 - precise(r).round()).nan_to_num(0.0)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of finite ``values`` where ``mask`` is 1.0 or True; 0, with a graph, if that is nowhere."""
    mask = mask.to(values.dtype)
    return torch.dot(values.reshape(-1), mask.reshape(-1)) / mask.sum().clamp_min(1)


def check_positive(**options: float) -> None:
    """Raise ValueError unless all options, given by their names, are above 0."""
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name}={value!r} should be above 0.")
