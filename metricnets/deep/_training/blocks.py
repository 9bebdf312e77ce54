"""The loss of a batch in blocks of anchors, whose relation to all samples of the batch is made as it is needed."""

import torch

from metricnets.losses._blocks import in_blocks

PAIRS = 2**21  # whose losses are computed at once: larger blocks are slower, as their memory is new each time


def is_large(z, n, size, pairing):
    """Whether a batch, the first n embeddings or all, has more than ``size``, and many pairs with all of them."""
    n = len(z) if n is None else n
    return n > size and n * len(z) > PAIRS and (pairing is None or n % 2 == 0)


def loss_in_blocks(loss, z, targets, *, n=None, mine=None, pairing=None):
    """The loss of a batch, some anchors at a time.

    Parameters
    ----------
    loss : callable
        Function of embeddings (n, n_components) and the relation (m, n) of the first m of them with all.
    z : tensor of shape (n, n_components)
    targets : Targets
    n : int or None
        Number of the anchors, the first rows; None for all.
    mine : callable or None
        Miner, of the same arguments as the loss.
    pairing : {'matched', 'pairs', 'views'} or None
        Rows k and k + n / 2 are similar beside others ('matched'), form the only pair of each other ('pairs'), or are
        the match of each other in two views, in which only dissimilar rows of the other view count too ('views').  Then
        n is even.

    Returns
    -------
    loss : tensor of shape ()
    """
    n = len(z) if n is None else n
    half = n if pairing is None else n // 2  # no block has rows of both halves
    size = max(1, PAIRS // len(z))

    def of_block(z, start):
        r = relation_of_anchors(targets, start, min(size, half - start % half), z.dtype, pairing)
        return loss(z, r if mine is None else mine(z, r))

    starts = [first + start for first in range(0, n, half) for start in range(0, half, size)]
    return in_blocks(of_block, z, starts, getattr(mine, "keywords", {}).get("generator"))


def relation_of_anchors(targets, start, m, dtype, pairing=None):
    """Relation (m, n) of the rows from ``start`` on with all, rolled so that these are the first columns."""
    labels = targets.labels.roll(-start, 0)
    made_by, dtype = str(getattr(targets.relation, "__module__", "")), torch.promote_types(dtype, torch.float32)
    may_be_kept = not made_by.startswith("metricnets.")
    r = targets.relation(labels[:m], labels).to(dtype, copy=may_be_kept)
    if targets.row is None:
        r.fill_diagonal_(torch.nan)
    else:
        row = targets.row.roll(-start)
        r.masked_fill_(row[:m, None] == row, torch.nan)
    if pairing is None:
        return r
    n = len(labels)
    rows, columns = torch.arange(m), torch.arange(m) + n // 2
    if pairing == "matched":
        r[rows, columns] = 1
        return r
    kept = torch.full_like(r, torch.nan)
    if pairing == "views":
        is_other = torch.arange(n, device=r.device).add_(start).remainder_(n) < n // 2
        is_other = ~is_other if start < n // 2 else is_other
        kept = torch.where(is_other & (r <= 0.5), r, kept)
    kept[rows, columns] = 1.0 if pairing == "views" else r[rows, columns]
    return kept
