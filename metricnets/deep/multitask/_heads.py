"""The heads of several tasks, a classifier each, and their loss."""

import numpy as np
from torch import nn

from metricnets.deep.multitask._objective import (
    distribution_matching,
    information,
    soft_co_annotation,
    speaking,
    targets_of,
)
from metricnets.losses import CosFace


class Heads(nn.ModuleList):
    """A cosine classifier for each column of the targets, on one embedding."""

    def logits(self, z):
        """Logits (n, n_classes) of each column."""
        return [head.logits(z) for head in self]


def new_heads(z, codes, sizes, margin, scale, generator):
    """Heads that start at the class means of embeddings z (n, n_components); codes have shape (n, n_columns)."""
    heads = [CosFace(z.shape[1], n, margin=margin, scale=scale, generator=generator) for n in sizes]
    for head, column in zip(heads, codes.T):
        head.start_at(z, column)
    return Heads(heads)


class CoupledLoss(nn.Module):
    """The mean of the losses of all tasks, each over the samples annotated in it, and of the couplings.

    Parameters
    ----------
    heads : Heads
    shares : ndarray of shape (n_columns,)
        Weights of the columns.
    relatedness : list of (int, int, tensor of shape (n_a, n_b))
        Pairs of columns and their relatedness.
    priors : list of tensor of shape (n_classes,)
        Class frequencies.
    matching, co_annotation : float
        Weights of the couplings.
    """

    def __init__(self, heads, shares, relatedness, priors, matching, co_annotation):
        super().__init__()
        self.heads, self.shares = heads, shares.tolist()
        self.matching, self.co_annotation = matching, co_annotation
        self.pairs = [(a, b) for a, b, _ in relatedness]
        n_from = np.bincount([b for _, b in self.pairs], minlength=len(self.shares)).tolist()
        self.of_pair = [self.shares[b] / n_from[b] for _, b in self.pairs]
        for j, (_, b, R) in enumerate(relatedness):
            self.register_buffer(f"R{j}", R)
            self.register_buffer(f"speaks{j}", speaking(R, priors[b]))
            self.register_buffer(f"information{j}", information(R, priors[b]))

    def forward(self, z, targets):
        codes = targets.labels
        loss = z.sum() * 0
        for head, share, column in zip(self.heads, self.shares, codes.T):
            loss = loss + share * head(z, column)
        return loss + self._coupling(z, codes) if self.pairs else loss

    def _coupling(self, z, codes):
        """The couplings of all pairs of columns, a scalar."""
        logits, loss = self.heads.logits(z), 0
        wanted = [targets_of(*each) for each in zip(logits, codes.T)]
        for j, ((a, b), share) in enumerate(zip(self.pairs, self.of_pair)):
            R, told = self.get_buffer(f"R{j}"), self.get_buffer(f"information{j}")
            if self.matching:
                speaks = self.get_buffer(f"speaks{j}")
                matched = distribution_matching(logits[a], wanted[b], R.to(logits[a].dtype), speaks).mean()
                loss = loss + share * self.matching * matched
            if self.co_annotation:
                only_a = (codes[:, a] >= 0) & (codes[:, b] < 0)
                weights = told[codes[:, a].clamp_min(0)] * only_a
                soft = soft_co_annotation(logits[b], codes[:, a], R.to(logits[a].dtype))
                loss = loss + share * self.co_annotation * (weights * soft).sum() / only_a.sum().clamp_min(1)
        return loss
