"""The heads of several tasks, a classifier each, and their loss."""

import torch
from torch import nn
from torch.nn import functional as F

from metricnets.deep.multitask._objective import (
    distribution_matching,
    information,
    soft_co_annotation,
    speaking,
    targets_of,
)
from metricnets.losses import CosFace
from metricnets.losses._ops import unit_rows


class Heads(nn.ModuleList):
    """A cosine classifier for each column of the targets, on one embedding."""

    def logits(self, z):
        """Logits of all columns in one product, (n_columns, n, n_classes), −∞ after the last class of a column."""
        z = unit_rows(z)
        cosines = z @ unit_rows(torch.cat([head.weight[:, 0] for head in self]).to(z.dtype)).T
        sizes = [len(head.weight) for head in self]
        parts = zip(self, cosines.split(sizes, dim=1))
        return torch.stack([F.pad(head.scale * s, (0, max(sizes) - s.shape[1]), value=-torch.inf) for head, s in parts])


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
    relatedness : dict of tensor of shape (n_a, n_b)
        Keys are pairs of columns (a, b).
    priors : list of tensor of shape (n_classes,)
        Class frequencies.
    matching, co_annotation : float
        Weights of the couplings.
    """

    def __init__(self, heads, shares, relatedness, priors, matching, co_annotation):
        super().__init__()
        self.heads, self.matching, self.co_annotation = heads, matching, co_annotation
        self.register_buffer("shares", torch.as_tensor(shares, dtype=torch.float32))
        margins = torch.tensor([head.scale * head.margin for head in heads])
        self.register_buffer("margins", margins if margins.any() else None)
        self.targets = sorted({b for _, b in relatedness})
        widest = max(len(prior) for prior in priors)
        for b in self.targets:
            sources = [a for a, target in relatedness if target == b]
            R = torch.stack([F.pad(relatedness[a, b], (0, 0, 0, widest - len(priors[a]))) for a in sources])
            self.register_buffer(f"sources{b}", torch.tensor(sources))
            self.register_buffer(f"R{b}", R)  # (n_sources, n_classes, n_b), 0 after the last class of a source
            self.register_buffer(f"speaks{b}", speaking(R, priors[b]))
            self.register_buffer(f"information{b}", information(R, priors[b]))

    def forward(self, z, targets):
        codes, logits = targets.labels.T, self.heads.logits(z)  # (n_columns, n), (n_columns, n, n_classes)
        known, loss = codes >= 0, z.sum() * 0
        own, number = logits, codes.clamp_min(0)[..., None]
        if self.margins is not None:
            own = logits.scatter_add(2, number, -self.margins.to(logits.dtype)[:, None, None].expand_as(number))
        errors = -own.log_softmax(2).gather(2, number).squeeze(2)
        loss = loss + self.shares.to(errors.dtype) @ mean_where(known, errors)
        for b in self.targets:
            loss = loss + self.shares[b] * self._coupling(b, logits, codes)
        return loss

    def _coupling(self, b, logits, codes):
        """The couplings of column b with all that are related to it, the mean over these, a scalar."""
        sources, R, told = (self.get_buffer(f"{name}{b}") for name in ("sources", "R", "information"))
        R, loss, own = R.to(logits.dtype), 0, logits[b, :, : R.shape[2]]
        if self.matching:
            wanted, speaks = targets_of(own, codes[b]), self.get_buffer(f"speaks{b}")
            loss = loss + self.matching * distribution_matching(logits[sources], wanted, R, speaks).mean()
        if self.co_annotation:
            theirs = codes[sources]
            only = (theirs >= 0) & (codes[b] < 0)
            counts = told.gather(1, theirs.clamp_min(0)).to(logits.dtype)
            soft = soft_co_annotation(own, theirs, R)
            loss = loss + self.co_annotation * mean_where(only, counts * soft).mean()
        return loss


def mean_where(mask, values):
    """Means of rows of values over the mask, 0 of none, both (m, n)."""
    return torch.where(mask, values, 0).sum(1) / mask.sum(1).clamp_min(1)
