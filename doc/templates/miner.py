"""A miner: a function of embeddings and relation that puts NaN on pairs not worth learning from."""

import torch

from metricnets.losses._ops import dissimilar, sqdist


def nearest_dissimilar(z, r, *, n_pairs=5):
    """Keep the similar pairs and, of each row, the dissimilar pairs with the smallest distances.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    n_pairs : int, default=5
        Dissimilar pairs that are kept in each row.

    Returns
    -------
    r : tensor of shape (n, n)
        A new one.

    Examples
    --------
    >>> z, r = torch.tensor([[0.0], [1.0], [2.0]]), torch.zeros(3, 3).fill_diagonal_(torch.nan)
    >>> nearest_dissimilar(z, r, n_pairs=1)[0]
    tensor([nan, 0., nan])
    """
    d2 = sqdist(z.detach()).masked_fill(dissimilar(r) == 0, torch.inf)  # (n, n)
    furthest = d2.sort(dim=1).values[:, min(n_pairs, len(z)) - 1, None]  # (n, 1)
    return r.masked_fill((dissimilar(r) == 1) & (d2 > furthest), torch.nan)
