"""The loss of a batch in blocks of anchors, whose relation to all samples of the batch is made as it is needed."""

import torch

from metricnets.losses._blocks import in_blocks

PAIRS = 2**21  # whose losses are computed at once: larger blocks are slower, as their memory is new each time
SHARED = 2**19  # from so many on processes share them: below, messages take longer than what is saved


def is_large(z, targets, *, n, size, mine, pairing):
    """Whether the pairs of a batch, the first n embeddings or all, with all of them are computed in blocks.

    They are if the batch has more than ``size`` rows, or several processes can share them.
    """
    n, processes = len(z) if n is None else n, targets.processes
    if pairing is not None and n % 2:
        return False
    if processes is not None and 1 < processes.size <= n and n * len(z) >= SHARED and generator_of(mine) is None:
        return True
    return size is not None and n > size and n * len(z) > PAIRS


def generator_of(mine):
    """The generator of what a miner draws, or None if it draws nothing."""
    return getattr(mine, "keywords", {}).get("generator")


def loss_in_blocks(loss, z, targets, *, n=None, mine=None, pairing=None):
    """The loss of a batch, some anchors at a time; each process computes its share, unless ``mine`` draws.

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
    size, generator, own, others = max(1, PAIRS // len(z)), generator_of(mine), range(n), {}
    if pairing is not None:
        size = min(size, n // 2)  # no block has both rows of a match
    if targets.processes is not None and generator is None:
        own = targets.processes.anchors(n)
        others = {"total": targets.processes.total, "is_only": n <= size * targets.processes.size}

    def of_block(z, start):
        r = relation_of_anchors(targets, start, min(size, own.stop - start), z.dtype, pairing)
        return loss(z, r if mine is None else mine(z, r))

    return in_blocks(of_block, z, own[::size], generator, **others)


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
        is_first = torch.arange(n, device=r.device).add_(start).remainder_(n) < n // 2
        kept = torch.where((is_first[:m, None] != is_first) & (r <= 0.5), r, kept)
    kept[rows, columns] = 1.0 if pairing == "views" else r[rows, columns]
    return kept
