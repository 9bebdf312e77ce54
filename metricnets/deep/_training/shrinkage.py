"""Shrinkage of a trained network to the weights that it started from, and how much of it suffices."""

import numpy as np
import torch

SHRINKAGES = (1.0, 0.75, 0.5, 0.25, 0.0)  # from the start to the trained network


@torch.no_grad()
def shrink(network: torch.nn.Module, start: dict[str, torch.Tensor] | None, shrinkage: float) -> None:
    """Replace the weights w of a network by w + shrinkage · (w₀ − w), where w₀ are those of the start.

    Interpolating weights keeps more of what a good start can do than the trained network does (M. Wortsman et al.,
    "Robust fine-tuning of zero-shot models", CVPR 2022).

    Parameters
    ----------
    network : torch.nn.Module
    start : dict or None
        State of the network before training; None leaves the network as it is.
    shrinkage : float in [0, 1]
    """
    if start is None or not shrinkage:
        return
    for name, weight in network.state_dict().items():
        if weight.is_floating_point():
            weight.lerp_(start[name], shrinkage)
        elif shrinkage == 1:
            weight.copy_(start[name])


def largest_within_error(quality: np.ndarray, n_errors: float = 0.5) -> float:
    """The largest shrinkage whose mean quality is within some standard errors of the best.

    Parameters
    ----------
    quality : ndarray of shape (n, 5)
        Quality of each judgement on held-out data with each of `SHRINKAGES`.
    n_errors : float, default=0.5
        Number of standard errors, of the mean difference from the best.
    """
    missing = quality[:, quality.mean(axis=0).argmax(), None] - quality
    close = missing.mean(axis=0) <= n_errors * missing.std(axis=0) / len(quality) ** 0.5
    return SHRINKAGES[close.argmax()]
