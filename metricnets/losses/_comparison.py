"""Losses of single comparisons of two distances."""

import torch
from torch.nn import functional as F


def hinge(differences: torch.Tensor, *, margin: float) -> torch.Tensor:
    """Compute the hinges [τ + d − d']₊ of differences d − d' of distances, the terms of `triplet`.

    Parameters
    ----------
    differences : tensor of shape (n,)
        Distances that should be smaller minus those that should be larger.
    margin : float >= 0
        The margin τ.

    Returns
    -------
    losses : tensor of shape (n,)
    """
    return (margin + differences).clamp_min(0)


def logistic(differences: torch.Tensor, *, margin: float, sharpness: float) -> torch.Tensor:
    """Compute the smooth hinges log(1 + exp β(τ + d − d')) / β; those of `soft_triplet` for τ = 0 and β = 1.

    Parameters
    ----------
    differences : tensor of shape (n,)
        Distances that should be smaller minus those that should be larger.
    margin : float >= 0
        The margin τ.
    sharpness : float > 0
        β.

    Returns
    -------
    losses : tensor of shape (n,)
    """
    return F.softplus(margin + differences, beta=sharpness)


def ratio(differences: torch.Tensor, *, sharpness: float) -> torch.Tensor:
    """Compute the squares of 1 / (1 + exp β(d' − d)), the terms of `triplet_ratio` for β = 1.

    Parameters
    ----------
    differences : tensor of shape (n,)
        Distances that should be smaller minus those that should be larger.
    sharpness : float > 0
        β.

    Returns
    -------
    losses : tensor of shape (n,), below 1
    """
    return (sharpness * differences).sigmoid() ** 2
