"""Losses of large batches in blocks of anchors, so that memory is not that of all pairs.

A loss that is made of means over anchors, or over their pairs, takes a relation of shape (m, n) too: that of the first
m samples, the anchors, with all n.  The sum over blocks of anchors is the loss of the batch, if each mean is divided by
its count in all blocks.
"""

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch.autograd.function import once_differentiable

from metricnets.losses._ops import COUNTS


def alone(*sums):
    """Sums of this process, which are those of all if it is the only one."""
    return sums


class Counts:
    """Counts of the means that a loss computes one after the other: added over blocks and taken as 1, then known.

    With ``total``, that of the counts of one block in each process, they are known at once.
    """

    def __init__(self, total=None):
        self.totals, self.place, self.known, self.total = [], 0, total is not None, total

    def __call__(self, count):
        if self.total is not None:
            return self.total(count)[0]
        place, self.place = self.place, self.place + 1
        if self.known:
            return self.totals[place]
        if place == len(self.totals):
            self.totals.append(torch.zeros_like(count))
        self.totals[place] = self.totals[place] + count
        return torch.ones_like(count)


class _InBlocks(torch.autograd.Function):
    """The sum of the losses of blocks, each of which has its gradient computed before the next."""

    @staticmethod
    def forward(ctx, z, loss, starts, generator, total, is_only):
        counts, before = Counts(total if is_only else None), None if generator is None else generator.get_state()
        value, gradient = _summed(loss, z, starts, counts, ctx.needs_input_grad[0])
        if not is_only:
            counts.totals = total(*counts.totals)
            if len(counts.totals) == 1:  # it divides the sum
                count = counts.totals[0].clamp_min(1)
                value, gradient = value / count, gradient / count
            else:
                if generator is not None:
                    generator.set_state(before)
                counts.known = True
                value, gradient = _summed(loss, z, starts, counts, ctx.needs_input_grad[0])
        value, gradient = total(value, gradient)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None, None, None, None, None


def _summed(loss, z, starts, counts, needs_gradient):
    """The sum of the losses of blocks and its gradient, unless counts of several means are yet to be found."""
    value, gradient = z.new_zeros(()), torch.zeros_like(z)
    for start in starts:
        counts.place, leaf = 0, z.detach().requires_grad_()
        with _counting(counts), torch.set_grad_enabled(needs_gradient and (counts.known or len(counts.totals) < 2)):
            part = loss(leaf.roll(-start, 0), start)
        value += part.detach()
        if part.requires_grad:
            gradient += torch.autograd.grad(part, leaf)[0]
    return value, gradient


@contextlib.contextmanager
def _counting(counts):
    token = COUNTS.set(counts)
    try:
        yield
    finally:
        COUNTS.reset(token)


def in_blocks(
    loss: Callable,
    z: torch.Tensor,
    starts: Sequence[int],
    generator: torch.Generator | None = None,
    *,
    total: Callable = alone,
    is_only: bool = False,
) -> torch.Tensor:
    """Sum a loss made of means over blocks of anchors, with the gradient of the whole.

    Parameters
    ----------
    loss : callable
        ``(z, start) -> scalar``, the loss of the block of anchors that begins at row ``start``, of all embeddings
        rolled so that this is the first row.  If it has several means, it is called twice for each block, first to
        count.
    z : tensor of shape (n, n_components)
        Embeddings.
    starts : sequence of int
        First rows of the blocks.
    generator : torch.Generator or None
        Generator of what the loss draws, the same both times.
    total : callable
        Function of tensors that returns their sums over all processes, each of which has blocks of its own.
    is_only : bool
        Whether each process has one block, for which the loss is called once.

    Returns
    -------
    loss : tensor of shape ()
        Its gradient is computed with it, and cannot be differentiated again.
    """
    return _InBlocks.apply(z, loss, starts, generator, total, is_only)
