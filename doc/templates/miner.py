"""Template of a miner: a function of embeddings and a relation that writes NaN for the pairs to leave out."""

import torch

from metricnets.losses._ops import dissimilar, sqdist


def nearest_dissimilar(z: torch.Tensor, r: torch.Tensor, *, n_pairs: int = 5) -> torch.Tensor:
    """Keep the similar pairs and, for each sample, the dissimilar pairs with the smallest distances.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    n_pairs : int, default=5
        Number of dissimilar pairs that are kept for each sample.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation.

    Examples
    --------
    >>> z, r = torch.tensor([[0.0], [1.0], [2.0]]), torch.zeros(3, 3).fill_diagonal_(torch.nan)
    >>> nearest_dissimilar(z, r, n_pairs=1)[0]
    tensor([nan, 0., nan])
    """
    d2 = sqdist(z.detach()).masked_fill(dissimilar(r) == 0, torch.inf)  # (n, n)
    furthest = d2.sort(dim=1).values[:, min(n_pairs, len(z)) - 1, None]  # (n, 1)
    return r.masked_fill((dissimilar(r) == 1) & (d2 > furthest), torch.nan)
