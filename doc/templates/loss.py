"""Template of a loss: a function of embeddings and a relation.

Copy the function into the file of ``metricnets/losses`` for its form, and name it in the
``__init__.py`` there.
"""

import torch
from torch.nn import functional as F

from metricnets.losses._ops import dissimilar, masked_mean, similar, sqdist


def soft_contrastive(z: torch.Tensor, r: torch.Tensor, *, margin: float = 1.0) -> torch.Tensor:
    """Soft contrastive loss, smooth hinges on squared distances.

    It is the mean over similar pairs of s(d² − τ) plus the mean over dissimilar pairs of s(τ − d²), where
    s(x) = log(1 + exp x).

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float, default=1.0
        The threshold τ of squared distances between similar and dissimilar pairs.

    Returns
    -------
    loss : tensor of shape ()

    Examples
    --------
    >>> import torch
    >>> z, r = torch.tensor([[0.0], [1.0]]), torch.tensor([[torch.nan, 1.0], [1.0, torch.nan]])
    >>> soft_contrastive(z, r)  # log(1 + exp(1 - 1))
    tensor(0.6931)
    """
    d2 = sqdist(z)
    return masked_mean(F.softplus(d2 - margin), similar(r)) + masked_mean(F.softplus(margin - d2), dissimilar(r))
