"""Distances and means that the losses share."""

import torch

EPS = 1e-12


def sqdist(z):
    """Squared Euclidean distances of all rows, (n, n), at least 0."""
    norms = (z * z).sum(1)  # (n,)
    return torch.addmm(norms[None, :] + norms[:, None], z, z.T, alpha=-2).clamp_min(0)


def dist(z):
    """Euclidean distances of all rows, (n, n); the root is kept off 0, where it has no slope."""
    return (sqdist(z) + EPS).sqrt()


def masked_mean(values, mask):
    """Mean of ``values`` where ``mask``; 0, with a graph, where there are none."""
    return torch.where(mask, values, 0).sum() / mask.sum().clamp_min(1)
