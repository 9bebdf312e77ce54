"""Memory of past batches: a loss of a batch that compares it with the embeddings of earlier ones."""

import torch
from torch import nn

from metricnets.deep._training.data import Targets


class WithMemory(nn.Module):
    """A loss of a batch and of the last ``size`` embeddings of earlier batches, which have no gradient.

    The memory is used from the second pass on, since embeddings drift fast in the first, and only in training.

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
        self.loss, self.size, self.n_rows, self.n_seen = loss, size, n_rows, 0
        self.past = None  # embeddings and targets, the newest first

    def forward(self, z, targets):
        if not self.training:
            return self.loss(z, targets, len(z))
        both = z, targets
        if self.past is not None:
            past, past_targets = self.past
            both = torch.cat([z, past]), joined(targets, past_targets)
        warm = self.n_seen >= self.n_rows
        self.n_seen += len(z)
        self.past = both[0][: self.size].detach(), both[1][: self.size]
        return self.loss(*both, len(z)) if warm else self.loss(z, targets, len(z))


def joined(a, b):
    """Targets of the samples of a, then of those of b."""
    return Targets(torch.cat([a.labels, b.labels]), torch.cat([a.row, b.row]), relation=a.relation)
