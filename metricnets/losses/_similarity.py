"""Losses that weigh the cosine similarities of pairs: circle, multi-similarity."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_positive, check_real
from metricnets.losses._ops import cosines, dissimilar, masked_logsumexp, masked_mean, similar


def circle(z: torch.Tensor, r: torch.Tensor, *, margin: float = 0.4, scale: float = 80.0) -> torch.Tensor:
    """Circle loss.

    Every similarity has a weight of its own: the further it is from its optimum, the faster it changes.  With cosines
    s of an anchor's positives p and negatives n, the loss is the mean, over the anchors that have both, of

        log(1 + Σ_n exp(γ α_n (s_n − m)) · Σ_p exp(−γ α_p (s_p − 1 + m))),   α_n = [s_n + m]₊,   α_p = [1 + m − s_p]₊,

    in which the weights α are constants of the gradient.  Embeddings need no unit norm, as cosines do not depend on it.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float, default=0.4
        The margin m: similar pairs should have a cosine above 1 − m, and dissimilar ones a cosine below m.  The paper
        has 0.4 for retrieval of fine-grained classes, and 0.25 for faces and persons.
    scale : float > 0, default=80.0
        The scale γ.  With larger values the hardest pairs have more weight.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``scale`` is not above 0, or ``margin`` is not a finite number.

    See Also
    --------
    multi_similarity : Positives and negatives of an anchor apart from each other.
    npair : One similar pair among the dissimilar ones, all with the same weight.

    References
    ----------
    Y. Sun, C. Cheng, Y. Zhang, C. Zhang, L. Zheng, Z. Wang, Y. Wei, "Circle loss: a unified perspective of pair
    similarity optimization", CVPR 2020, equation (4).

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> circle(z, r, margin=0.4, scale=2.0)  # the mean of log(1 + exp(-0.32)) and log(1 + exp(0.96))
    tensor(0.9150)
    """
    check_positive(scale=scale)
    check_real("margin", margin)
    s, pos, neg = cosines(z, len(r)), similar(r), dissimilar(r)
    weight_pos = (1 + margin - s.detach()).clamp_min_(0)  # α, (n, n)
    weight_neg = (s.detach() + margin).clamp_min_(0)
    positives = masked_logsumexp(weight_pos * (s - (1 - margin)), pos, -scale)  # (n,)
    negatives = masked_logsumexp(weight_neg * (s - margin), neg, scale)
    return masked_mean(F.softplus(negatives + positives), pos.sum(1) * neg.sum(1) > 0)


def multi_similarity(
    z: torch.Tensor, r: torch.Tensor, *, alpha: float = 2.0, beta: float = 50.0, threshold: float = 0.5
) -> torch.Tensor:
    """Multi-similarity loss.

    A pair has more weight the more similar it is than the threshold, and than the other pairs of its anchor.
    With cosines s of an anchor's positives p and negatives n, the loss is the mean over the anchors of

        log(1 + Σ_p exp(−α (s_p − λ))) / α + log(1 + Σ_n exp(β (s_n − λ))) / β.

    Embeddings need no unit norm, as cosines do not depend on it.

    Deviation from the paper: the paper's selection of pairs is not a part of the loss, but a miner.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    alpha : float > 0, default=2.0
        α, the sharpness of the sum over positives.  With larger values the hardest ones have more weight.
    beta : float > 0, default=50.0
        β, the sharpness of the sum over negatives.
    threshold : float in [−1, 1], default=0.5
        The threshold λ of cosines.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``alpha`` or ``beta`` is not above 0, or ``threshold`` not in [−1, 1].

    See Also
    --------
    circle : Positives and negatives of an anchor together.
    contrastive : Hinges on the distances of pairs.

    References
    ----------
    X. Wang, X. Han, W. Huang, D. Dong, M. R. Scott, "Multi-similarity loss with general pair weighting for deep metric
    learning", CVPR 2019, equation (15).

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    >>> r = torch.tensor([[float("nan"), 1], [1, float("nan")]])
    >>> multi_similarity(z, r)  # log(1 + exp(-0.2)) / 2
    tensor(0.2991)
    """
    check_positive(alpha=alpha, beta=beta)
    check_real("threshold", threshold, "a cosine", at_least=-1, at_most=1)
    s, pos, neg = cosines(z, len(r)), similar(r), dissimilar(r)
    positives = F.softplus(masked_logsumexp(s, pos, -alpha) + alpha * threshold) / alpha  # (n,)
    negatives = F.softplus(masked_logsumexp(s, neg, beta) - beta * threshold) / beta
    return masked_mean(positives + negatives, pos.sum(1) + neg.sum(1) > 0)
