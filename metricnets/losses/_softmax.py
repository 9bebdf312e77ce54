"""Losses that are cross-entropies of a softmax over the samples of a batch: supervised contrastive."""

import torch

from metricnets._checks import check_positive
from metricnets.losses._ops import cosines, known, masked_logsumexp, masked_mean, similar


def supcon(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.1) -> torch.Tensor:
    """Supervised contrastive loss (SupCon).

    Every positive of an anchor should stand out among all other samples, the other positives included.  With cosines
    s, and P the positives of an anchor, the loss is the mean over the anchors that have one of

        −mean_{p in P} log(exp(s_p / T) / Σ_j exp(s_j / T)),

    where j runs over all samples whose relation to the anchor is known.  Embeddings need no unit norm, as cosines do
    not depend on it.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    temperature : float > 0, default=0.1
        The temperature T.  With smaller values the nearest samples have more weight.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0.

    See Also
    --------
    npair : Every positive among the negatives alone.
    neighborhood : The probability that a neighbour is any of the positives.
    info_nce : One positive for each anchor, in the other view.

    References
    ----------
    P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020, equation (2).

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> supcon(z, r, temperature=0.5)  # log(1 + exp(-2)), for either of two anchors
    tensor(0.1269)
    """
    check_positive(temperature=temperature)
    s, pos = cosines(z, len(r)), similar(r)
    n_positives = pos.sum(1)  # (n,)
    own = (s * pos).sum(1) / n_positives.clamp_min(1)
    everything = masked_logsumexp(s, known(r), 1 / temperature)
    return masked_mean(everything - own / temperature, n_positives > 0)
