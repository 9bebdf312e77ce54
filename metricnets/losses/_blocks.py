"""Losses of large batches in blocks of anchors, so that memory is not that of all pairs.

A loss that is made of means over anchors, or over their pairs, takes a relation of shape (m, n) too: that of the first m
samples, the anchors, with all n.  The sum over blocks of anchors is the loss of the batch, if each mean is divided by its
count in all blocks.
"""

import contextlib
from collections.abc import Callable

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from metricnets.losses._catalogue import CATALOGUE
from metricnets.losses._ops import COUNTS, cosines, dissimilar, masked_mean, similar, unit_rows
from metricnets.losses._triplet import npair

OF_ANCHORS = {
    "alignment",
    "binomial_deviance",
    "circle",
    "contrastive",
    "fast_ap",
    "generalized_lifted",
    "logistic_pair",
    "megm",
    "multi_similarity",
    "neighborhood",
    "npair",
    "recall_at_k",
    "smooth_ap",
    "soft_triplet",
    "supcon",
    "triplet",
    "triplet_ratio",
}  # losses that take a relation of shape (m, n)


def info_nce_of_anchors(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.05) -> torch.Tensor:
    """`info_nce` of the first m rows of z, with r (m, n) known for their matches and dissimilar rows of the other view."""
    return npair(unit_rows(z), r, temperature=temperature)


def siglip_of_anchors(z: torch.Tensor, r: torch.Tensor, *, scale: float = 10.0, bias: float = -10.0) -> torch.Tensor:
    """`siglip` of the first m rows of z, with r as in `info_nce_of_anchors`."""
    logits, pos, neg = scale * cosines(z, len(r)) + bias, similar(r), dissimilar(r)
    terms = F.softplus((neg - pos) * logits) * (pos + neg)
    return masked_mean(terms.sum(1), (pos + neg).any(1))


def of_anchors(loss: str | Callable) -> Callable | None:
    """The function of a loss that takes a relation of shape (m, n), or None if it has none."""
    if loss in ("info_nce", "siglip"):
        return {"info_nce": info_nce_of_anchors, "siglip": siglip_of_anchors}[loss]
    names = [loss] if isinstance(loss, str) else [name for name, entry in CATALOGUE.items() if entry.loss is loss]
    return next((CATALOGUE[name].loss for name in names if name in OF_ANCHORS), None)


class Counts:
    """Counts of the means that a loss computes one after the other, added over blocks, then the same for all of them."""

    def __init__(self):
        self.totals, self.place, self.known = [], 0, False

    def __call__(self, count: torch.Tensor) -> torch.Tensor:
        place, self.place = self.place, self.place + 1
        if not self.known:
            if place == len(self.totals):
                self.totals.append(0)
            self.totals[place] = self.totals[place] + count
        return self.totals[place]


class _InBlocks(torch.autograd.Function):
    """The sum of the losses of blocks, each of which has its gradient computed before the next."""

    @staticmethod
    def forward(ctx, z, loss, starts, generator):
        counts, before = Counts(), None if generator is None else generator.get_state()
        value, gradient = 0.0, torch.zeros_like(z)
        for counts.known in (False, True):
            if counts.known and generator is not None:
                generator.set_state(before)
            for start in starts:
                counts.place = 0
                with _counting(counts), torch.set_grad_enabled(counts.known and ctx.needs_input_grad[0]):
                    leaf = z.detach().requires_grad_()
                    part = loss(leaf.roll(-start, 0), start)
                if counts.known:
                    value = value + part.detach()
                    if part.requires_grad:
                        gradient += torch.autograd.grad(part, leaf)[0]
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None, None, None


@contextlib.contextmanager
def _counting(counts):
    token = COUNTS.set(counts)
    try:
        yield
    finally:
        COUNTS.reset(token)


def in_blocks(
    loss: Callable, z: torch.Tensor, starts: list[int], generator: torch.Generator | None = None
) -> torch.Tensor:
    """Sum a loss made of means over blocks of anchors, with the gradient of the whole.

    Parameters
    ----------
    loss : callable
        ``(z, start) -> scalar``, the loss of the block of anchors that begins at row ``start``, of all embeddings
        rolled so that this is the first row.  It is called twice for each block, first to count.
    z : tensor of shape (n, n_components)
        Embeddings.
    starts : list of int
        First rows of the blocks.
    generator : torch.Generator or None
        Generator of what the loss draws, the same both times.

    Returns
    -------
    loss : tensor of shape ()
        Its gradient is computed with it, and cannot be differentiated again.
    """
    return _InBlocks.apply(z, loss, starts, generator)
