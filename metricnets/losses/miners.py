"""Miners, ``(z, r) -> r``: put NaN on the pairs that are not worth learning from."""

import torch

__all__ = ["halves"]


def halves(z, r):
    """Keep the pairs of row k and row k + n // 2 alone: the batch is a list of pairs.

    >>> halves(None, torch.zeros(4, 4))[0]
    tensor([nan, nan, 0., nan])
    """
    half = len(r) // 2
    left = torch.arange(half)
    kept = torch.full_like(r, torch.nan)
    kept[left, left + half] = r[left, left + half]
    kept[left + half, left] = r[left + half, left]
    return kept
