"""Losses of single comparisons of two distances."""

import torch
from torch.nn import functional as F


def hinge(differences: torch.Tensor, *, margin: float) -> torch.Tensor:
    """Compute the hinges [τ + d − d']₊, the terms of `triplet`.

    Parameters
    ----------
    differences : tensor of any shape
        d − d', distances that should be smaller minus those that should be larger.
    margin : float >= 0
        The margin τ.

    Returns
    -------
    losses : tensor of this shape
    """
    return (margin + differences).clamp_min(0)


def logistic(differences: torch.Tensor) -> torch.Tensor:
    """Compute log(1 + exp(d − d')), the terms of `soft_triplet`; see `hinge`."""
    return F.softplus(differences)


def ratio(differences: torch.Tensor) -> torch.Tensor:
    """Compute (1 / (1 + exp(d' − d)))², the terms of `triplet_ratio`; see `hinge`."""
    return differences.sigmoid() ** 2
