"""Losses made of losses: weighted sums, and nested embeddings (Matryoshka)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from metricnets._checks import check_counts, check_option, check_real
from metricnets.losses._catalogue import CATALOGUE
from metricnets.losses._ops import unit_rows

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
        When it is called, if there are no terms, a weight is not a number, a name is unknown, or a loss owns
        parameters.

    Examples
    --------
    >>> from functools import partial
    >>> from metricnets import EmbeddingNet, losses
    >>> loss = losses.WeightedSum([(1.0, "npair"), (0.5, partial(losses.triplet, margin=0.3))])
    >>> net = EmbeddingNet(loss=loss)
    """

    terms: Sequence[tuple[float, str | Loss]]

    def __call__(self, z: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        if not len(self.terms):
            raise ValueError(f"terms={self.terms!r} should have a weight and a loss for each term, as (1.0, 'npair').")
        return _weighted_sum((weight, _function(loss)(z, r)) for weight, loss in self.terms)


@dataclass
class Matryoshka:
    """Matryoshka loss, Σₖ wₖ loss(z[:, :k], r): the first columns are an embedding too.

    After training, ``transform(X)[:, :k]``, scaled to unit norm if ``normalize`` is True, is an embedding of k columns
    for each of the sizes, so storage and speed can be chosen later.

    Parameters
    ----------
    loss : str or callable
        The name of a loss that is a function, or a function of z and r.
    sizes : sequence of int >= 1
        Numbers of columns k; a k beyond the columns of z is all of them.
    weights : sequence of float or None, default=None
        Weights wₖ; None is 1 for each.
    normalize : bool, default=True
        Whether the first columns are scaled to unit norm.

    Raises
    ------
    ValueError
        When it is called, if the name is unknown, the loss owns parameters, ``sizes`` is empty or has others than
        integers from 1, or there is not one weight for each size.

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
        check_counts(sizes=self.sizes)
        loss, weights = _function(self.loss), [1.0] * len(self.sizes) if self.weights is None else self.weights
        if len(weights) != len(self.sizes):
            raise ValueError(f"weights={self.weights} should have one weight for each of sizes={self.sizes}.")
        parts = [unit_rows(z[:, :k]) if self.normalize else z[:, :k] for k in self.sizes]
        return _weighted_sum((weight, loss(part, r)) for weight, part in zip(weights, parts))


def _weighted_sum(terms):
    """The sum of values, each with its weight."""
    total = 0
    for weight, value in terms:
        check_real("weight", weight)
        total = total + weight * value
    return total


def _function(loss: str | Loss) -> Loss:
    """The function of a name, or a function; a loss that owns parameters, which nothing would train, is refused."""
    functions = [name for name, entry in CATALOGUE.items() if not isinstance(entry.loss, type)]
    found = CATALOGUE[loss].loss if isinstance(loss, str) and loss in CATALOGUE else loss
    if not callable(found):
        check_option("loss", loss, functions)
    made = found.func if isinstance(found, partial) else found
    if isinstance(made, (type, nn.Module)):
        name = getattr(made, "__name__", type(made).__name__)
        raise ValueError(
            f"loss={name} owns parameters; it is trained as EmbeddingNet(loss={name}), and here the loss should be a "
            f"function of z and r, as {', '.join(map(repr, functions))}."
        )
    return found
