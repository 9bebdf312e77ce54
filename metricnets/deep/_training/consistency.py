"""Consistency: samples without a label have the same classes under two draws of dropout."""

import numpy as np
import torch
from torch import nn

from metricnets._labels import UNKNOWN

WEIGHT = 1.0  # of the term
TEMPERATURE, SHARPNESS = 0.1, 4.0  # of squared distances with mean 1; power of the target


class Consistent(nn.Module):
    """A loss of the labelled samples of a batch, plus the consistency of the others, which follow them twice.

    Where a network gives several outputs, the first has the embeddings.
    """

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, z, targets):
        n = int((targets.labels >= 0).sum())
        if not self.training or n == len(targets):
            return self.loss(z, targets)
        embeddings, labelled = (z[0], tuple(part[:n] for part in z)) if isinstance(z, tuple) else (z, z[:n])
        loss = self.loss(labelled, targets[:n])
        return loss + WEIGHT * consistency(*embeddings[n:].chunk(2), embeddings[:n], targets.labels[:n])


def consistency(a, b, z, codes):
    """Cross-entropy of the classes of two views with each other, the target sharpened, minus the entropy of their mean.

    The classes of a view are those of the labelled samples of the batch, by a softmax of their squared distances; the
    entropy of the mean keeps the samples from having all one class.

    Parameters
    ----------
    a, b : tensor of shape (m, n_components)
        Embeddings of the same samples under two draws of dropout.
    z : tensor of shape (n, n_components)
        Those of the labelled samples.
    codes : tensor of int of shape (n,)

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    M. Assran et al., "Semi-supervised learning of visual features by non-parametrically predicting view assignments
    with support samples", ICCV 2021.
    """
    _, number, sizes = codes.unique(return_inverse=True, return_counts=True)
    labels = nn.functional.one_hot(number).to(z.dtype) / sizes  # (n, n_classes)
    p, q = (shares(view, z, labels) for view in (a, b))
    mean = (sharpened(p) + sharpened(q)).mean(0) / 2
    return (cross_entropy(sharpened(q), p) + cross_entropy(sharpened(p), q)) / 2 - cross_entropy(mean, mean)


def shares(view, z, labels):
    """Softmax shares of the classes among samples z, (m, n_classes)."""
    unit = TEMPERATURE * torch.cdist(z, z).detach().square().mean().clamp_min(1e-12)
    weights = (-torch.cdist(view, z).square() / unit).softmax(1) @ labels
    return weights / weights.sum(1, keepdim=True).clamp_min(1e-12)


def sharpened(p):
    """The target of p, (m, n_classes), without a gradient."""
    target = p.detach() ** SHARPNESS
    return target / target.sum(1, keepdim=True).clamp_min(1e-12)


def cross_entropy(target, p):
    """Mean of −Σ t log p over rows."""
    return -(target * p.clamp_min(1e-12).log()).sum(-1).mean()


class WithUnlabelled:
    """Batches of labelled rows, followed twice by half as many rows without a label as a batch has.

    Parameters
    ----------
    sampler : iterable of index arrays
    codes : ndarray of int of shape (n_rows,)
        Class codes; −1 where the class is unknown.
    batch_size : int
    rng : numpy.random.Generator
    """

    def __init__(self, sampler, codes, batch_size, rng):
        self.sampler, self.codes, self.rng = sampler, codes, rng
        self.unknown, self.size = np.flatnonzero(codes == UNKNOWN), max(1, batch_size // 2)

    def __iter__(self):
        n = len(self.unknown)
        parts = np.array_split(self.rng.permutation(self.unknown), max(1, round(n / self.size)))
        while parts:
            for rows in self.sampler:
                some = parts.pop() if parts else self.rng.choice(self.unknown, min(self.size, n), replace=False)
                yield np.concatenate([rows[self.codes[rows] != UNKNOWN], some, some])
