"""Losses that compare pairs with a common anchor: triplet, N-pair."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative, check_option, check_positive
from metricnets.losses._ops import (
    dist,
    hinge,
    masked_mean,
    mean_of_sum,
    precise,
    similar,
    sqdist,
    sum_of_hinges,
    triplets,
)

MANY = 2**22  # losses of triplets above which they are not computed one by one


def triplet(
    z: torch.Tensor,
    r: torch.Tensor,
    *,
    margin: float = 0.2,
    select: str = "all",
    squared: bool = False,
    reduction: str = "active",
) -> torch.Tensor:
    """Triplet loss, [τ + d(a, p) − d(a, n)]₊, equation (5) of Lu et al.

    An anchor a should be nearer to a similar sample p than to a dissimilar sample n, by a margin.  There is one row
    of losses for every similar pair (a, p): memory n_similar_pairs × n.  If these are more than 2²² losses, the same
    mean is computed from sorted distances, in n² log n operations and memory n².

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float >= 0, default=0.2
        The margin τ.
    select : {'all', 'hard', 'semihard'}, default='all'
        'all' takes every triplet.  'hard' takes, for every anchor, its furthest positive and its nearest
        negative.  'semihard' takes, for every positive pair, the negatives with
        d(a, p) < d(a, n) < d(a, p) + τ.
    squared : bool, default=False
        Whether d is the squared distance.
    reduction : {'active', 'all'}, default='active'
        Whether to average over the triplets with a loss above 0, or over all selected ones.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``select`` or ``reduction`` is unknown, or ``margin`` is below 0.

    See Also
    --------
    soft_triplet : A smooth hinge, which has no margin.
    npair : Cross-entropy of one similar pair among dissimilar ones.
    contrastive : Hinges on the distances of pairs.

    References
    ----------
    F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet", CVPR 2015; A. Hermans, L. Beyer,
    B. Leibe, "In defense of the triplet loss for person re-identification", 2017.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> triplet(z, r, margin=1.5)  # (0, 1, 3) has no loss, (1, 0, 3) has 0.5
    tensor(0.5000)
    """
    check_not_negative(margin=margin)
    check_option("reduction", reduction, ["active", "all"])
    d = (sqdist if squared else dist)(z, len(r))
    if select in ("all", "semihard") and len(r) * r.shape[1] ** 2 > MANY and (r > 0.5).sum() * r.shape[1] > MANY:
        total, count = sum_of_hinges(d, r, margin=margin, semihard=select == "semihard")
        if reduction == "all" and select == "all":
            count = ((r > 0.5).sum(1) * (r <= 0.5).sum(1)).sum()
        return mean_of_sum(total.to(d.dtype), count.to(d.dtype))  # of one type in all blocks and processes
    differences, chosen = triplets(d, r, select, margin)
    terms = hinge(differences, margin=margin)
    if reduction == "active":
        chosen = chosen & (terms > 0)
    return masked_mean(terms, chosen)


def npair(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.2) -> torch.Tensor:
    """N-pair loss, the mean of log(1 + Σ_n exp(s(a, n) − s(a, p))).

    A positive is compared with all negatives at once: the mean is over the positive pairs (a, p), the sum over the
    negatives n of the anchor, and s(a, b) = ⟨z_a, z_b⟩ / T.  It is a smooth form of the largest s(a, n) minus
    s(a, p).  As s grows with the norm of the embeddings, they should have unit norm:
    ``EmbeddingNet(normalize=True)``.

    Deviations from the paper: a temperature and unit norm instead of a penalty on the norm; a batch
    may have any number of samples of a class, each pair of which is an (a, p); the sum is over all samples of
    other classes instead of one of each.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    temperature : float > 0, default=0.2
        The temperature T.  With smaller values the nearest negatives have more weight.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0.

    See Also
    --------
    triplet : Hinges on comparisons of two distances.

    References
    ----------
    K. Sohn, "Improved deep metric learning with multi-class N-pair loss objective", NIPS 2016.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> npair(z, r, temperature=0.5)  # log(1 + exp(-2)), for either pair
    tensor(0.1269)
    """
    check_positive(temperature=temperature)
    z = precise(z)
    s = z[: len(r)] @ z.T / temperature  # (n, n)
    rivals = torch.where(r <= 0.5, s, -torch.inf).logsumexp(1, keepdim=True)  # (n, 1), −inf without negatives
    return masked_mean(F.softplus(rivals - s), similar(r))
