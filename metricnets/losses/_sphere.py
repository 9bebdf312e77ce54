"""The distances of random points on a sphere, which distance-weighted sampling draws negatives by."""

import torch

from metricnets.losses._ops import EPS

NEAREST, FURTHEST = 0.5, 1.4  # of Wu et al.: nearer negatives count as those, and from the other on none does


def log_density(d: torch.Tensor, n_components: int) -> torch.Tensor:
    """log(d^(k − 2) (1 − d²/4)^((k − 3) / 2)), the density of distances d > 0 up to a factor, in k dimensions."""
    return (n_components - 2) * d.log() + (n_components - 3) / 2 * (1 - d * d / 4).clamp_min(EPS).log()
