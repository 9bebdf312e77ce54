"""Losses made of losses: weighted sums, and nested embeddings (Matryoshka)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from metricnets.exceptions import check_option
from metricnets.losses._catalogue import CATALOGUE

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class WeightedSum:
    """Weighted sum of losses, Σₖ wₖ lossₖ(z, r).

    Parameters
    ----------
    terms : sequence of (float, str or callable)
        Weight and loss of each term: the name of a loss that is a function, or a function of z and r.
        :func:`functools.partial` gives it hyper-parameters.

    Raises
    ------
    ValueError
        When it is called, if a name is unknown, or is that of a module.

    Examples
    --------
    >>> from functools import partial
    >>> from metricnets import EmbeddingNet, losses
    >>> loss = losses.WeightedSum([(1.0, "npair"), (0.5, partial(losses.triplet, margin=0.3))])
    >>> net = EmbeddingNet(loss=loss)
    """

    terms: Sequence[tuple[float, str | Loss]]

    def __call__(self, z: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        return sum(weight * _function(loss)(z, r) for weight, loss in self.terms)


@dataclass
class Matryoshka:
    """Matryoshka loss, Σₖ wₖ loss(z[:, :k], r): the first columns are an embedding too.

    After training, ``transform(X)[:, :k]``, scaled to unit norm if ``normalize`` is True, is an embedding of k columns
    for each of the sizes, so storage and speed can be chosen later.

    Parameters
    ----------
    loss : str or callable
        The name of a loss that is a function, or a function of z and r.
    sizes : sequence of int
        Numbers of columns k; a k beyond the columns of z is all of them.
    weights : sequence of float or None, default=None
        Weights wₖ; None is 1 for each.
    normalize : bool, default=True
        Whether the first columns are scaled to unit norm.

    Raises
    ------
    ValueError
        When it is called, if the name is unknown or that of a module, or there is not one weight for each size.

    References
    ----------
    A. Kusupati et al., "Matryoshka representation learning", NeurIPS 2022.

    Examples
    --------
    >>> from metricnets import EmbeddingNet, losses
    >>> net = EmbeddingNet(loss=losses.Matryoshka("npair", sizes=(8, 16, 64)))
    """

    loss: str | Loss
    sizes: Sequence[int]
    weights: Sequence[float] | None = None
    normalize: bool = True

    def __call__(self, z: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        loss, weights = _function(self.loss), self.weights or [1.0] * len(self.sizes)
        if len(weights) != len(self.sizes):
            raise ValueError(f"weights={self.weights} should have one weight for each of sizes={self.sizes}.")
        parts = [F.normalize(z[:, :k]) if self.normalize else z[:, :k] for k in self.sizes]
        return sum(weight * loss(part, r) for weight, part in zip(weights, parts))


def _function(loss: str | Loss) -> Loss:
    """The function of a name."""
    if callable(loss):
        return loss
    check_option("loss", loss, [name for name, entry in CATALOGUE.items() if not isinstance(entry.loss, type)])
    return CATALOGUE[loss].loss
