"""Masks, extremes and draws shared by the miners."""

import torch


def kept(r: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Return a new relation, NaN where ``keep`` is False."""
    return r.masked_fill(~keep, torch.nan)


def of_both_kinds(pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:
    """Anchors with similar and with dissimilar samples, (n, 1)."""
    return pos.any(1, keepdim=True) & neg.any(1, keepdim=True)


def smallest(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Smallest value of each row where ``mask`` is True, (n, 1); infinity if that is nowhere."""
    values = torch.where(mask, values, torch.inf)
    return values.amin(1, keepdim=True) if len(values) else values


def largest(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Largest value of each row where ``mask`` is True, (n, 1); −infinity if that is nowhere."""
    return -smallest(-values, mask)


def uniform(like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Random numbers in [0, 1) in single precision, of the shape and on the device of a tensor."""
    device = like.device if generator is None else generator.device
    return torch.rand(like.shape, dtype=torch.float32, device=device, generator=generator).to(like.device)
