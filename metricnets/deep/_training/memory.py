"""Memory of past batches: a loss of a batch that compares it with embeddings of earlier ones."""

import dataclasses

import torch
from torch import nn


class WithMemory(nn.Module):
    """A loss of a batch and of the last ``size`` embeddings of earlier batches, which have no gradient.

    The memory is used from the second pass on, as embeddings drift fast in the first, and only in training.

    Parameters
    ----------
    loss : callable
        Function ``(z, targets, n) -> scalar``, of embeddings whose first n rows are the batch.
    size : int
        Number of embeddings kept.
    n_rows : int
        Number of samples in a pass.

    References
    ----------
    X. Wang et al., "Cross-batch memory for embedding learning", CVPR 2020.
    """

    def __init__(self, loss, size, n_rows):
        super().__init__()
        self.loss, self.size, self.n_rows, self.n_seen, self.past = loss, size, n_rows, 0, None

    def forward(self, z, targets):
        n, is_warm = len(z), self.n_seen >= self.n_rows
        if not self.training:
            return self.loss(z, targets, n)
        both = z, targets
        if self.past is not None:
            both = torch.cat([z, self.past[0]]), joined(targets, self.past[1])
        self.n_seen, self.past = self.n_seen + n, (both[0][: self.size].detach(), both[1][: self.size])
        return self.loss(*both, n) if is_warm else self.loss(z, targets, n)


def joined(a, b):
    """Targets of the samples of a, then of those of b."""
    return dataclasses.replace(a, labels=torch.cat([a.labels, b.labels]), row=torch.cat([a.row, b.row]))
