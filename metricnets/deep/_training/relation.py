"""The relation of a batch whose rows are matched in pairs, and checks of relations."""

import torch

from metricnets.deep._training.foreign import naming


def halves(z, r):
    """Keep only the pairs of row k and row k + n // 2: the batch is a list of pairs.

    >>> halves(None, torch.zeros(4, 4))[0]
    tensor([nan, nan, 0., nan])
    """
    half = len(r) // 2
    left = torch.arange(half)
    kept = torch.full_like(r, torch.nan)
    kept[left, left + half] = r[left, left + half]
    kept[left + half, left] = r[left + half, left]
    return kept


def matched(r):
    """Make row k and row k + n // 2 similar, in place: they are two views, even if they are one sample.

    >>> matched(torch.zeros(4, 4))[0]
    tensor([0., 0., 1., 0.])
    """
    half = len(r) // 2
    left = torch.arange(half)
    r[left, left + half] = r[left + half, left] = 1
    return r


def check_relation(relation, targets):
    """Raise ValueError unless a relation returns a matrix with entries in [0, 1], or NaN, for some targets."""
    some = torch.as_tensor(targets[:50])
    with naming("relation", relation):
        r = relation(some, some)
    if not isinstance(r, torch.Tensor) or r.shape != (len(some), len(some)):
        got = tuple(r.shape) if isinstance(r, torch.Tensor) else type(r).__name__
        raise ValueError(f"relation should turn tensors of n and m targets into an n x m tensor; got {got}.")
    if ((r < 0) | (r > 1 + 1e-5)).any():
        raise ValueError(f"relation should lie in [0, 1]; on this y it ranges from {r.min():.3g} to {r.max():.3g}.")


def check_batches(relation, labels, sampler):
    """Raise ValueError unless some batch of the user's sampler has a similar pair."""
    for indices in sampler:
        indices = torch.from_numpy(indices)
        batch = torch.as_tensor(labels[indices])
        different = indices[:, None] != indices[None, :]  # a row repeated in a batch forms no pair with itself
        if ((relation(batch, batch) > 0.5) & different).any():
            return
    raise ValueError(f"there is no similar pair in any batch of sampler={type(sampler).__name__}; set 'balanced'.")
