"""Shrinkage of a trained network to the weights that it started from, and how much of it suffices."""

import copy

import numpy as np
import torch

SHRINKAGES = (1.0, 0.75, 0.5, 0.25, 0.0)  # from the start to the trained network
N_ERRORS = 0.5  # standard errors that something simpler may be worse


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


def state_of(loss: object) -> dict[str, torch.Tensor] | None:
    """A copy of the state of a loss that is a module; None of a function."""
    return copy.deepcopy(loss.state_dict()) if isinstance(loss, torch.nn.Module) else None


def within_error(quality: np.ndarray, best: np.ndarray, n_distinct: int | None = None) -> np.ndarray:
    """Whether mean qualities are within half a standard error of the best, of the mean difference from it.

    Parameters
    ----------
    quality : ndarray of shape (n, m)
        Quality of each judgement on held-out data, the larger the better, with each of m candidates.
    best : ndarray of shape (n,)
        That of the best candidate.
    n_distinct : int or None, default=None
        Number of what is judged, if it is judged several times; None is n.
    """
    missing = best[:, None] - quality
    return missing.mean(axis=0) <= N_ERRORS * missing.std(axis=0) / (n_distinct or len(quality)) ** 0.5


def largest_shrinkage(quality: np.ndarray) -> float:
    """The largest of the `SHRINKAGES`, the columns of (n, 5), that is within half a standard error of the best."""
    return SHRINKAGES[within_error(quality, quality[:, quality.mean(axis=0).argmax()]).argmax()]
