"""Losses of two views: symmetric InfoNCE, SigLIP, VICReg.

The embeddings are n = 2m rows: rows i and m + i are two views of the same thing, or of two similar ones.
"""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative, check_positive, check_real
from metricnets.losses._ops import (
    among,
    cosines,
    dissimilar,
    masked_logsumexp,
    masked_mean,
    precise,
    similar,
    unit_rows,
)

EPS_VARIANCE = 1e-4
IGNORED = -1  # target of a row whose match is not similar


def info_nce(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.05) -> torch.Tensor:
    """Symmetric InfoNCE: the loss of CLIP, and the multiple negatives ranking loss.

    Each row should find its match among the rows of the other view: the mean, over the rows a of both views whose match
    p is similar, of −log(exp(s_ap / T) / (exp(s_ap / T) + Σ_n exp(s_an / T))), with cosines s and the dissimilar
    rows n of the other view.  Similar rows beside the match, such as duplicates, do not count.  Embeddings need no unit
    norm, as cosines do not depend on it.

    Parameters
    ----------
    z : tensor of shape (2m, n_components)
        Embeddings; rows i and m + i match.  A row left over is ignored.
    r : tensor of shape (2m, 2m)
        Relation; > 0.5 is similar, NaN is unknown.  Pairs of one view do not count.
    temperature : float > 0, default=0.05
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
    siglip : Every pair for itself.
    npair : The same for all similar pairs of a batch.
    metricnets.samplers.MatchedPairs : Batches of matched rows.

    References
    ----------
    A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive coding", 2018;
    M. Henderson et al., "Efficient natural language response suggestion for Smart Reply", 2017;
    A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(2, 2).fill_diagonal_(float("nan"))
    >>> info_nce(z, r, temperature=0.5)  # log(1 + exp(-2)), for each row
    tensor(0.1269)
    """
    check_positive(temperature=temperature)
    s = _similarities(z)
    there, back = [_cross_entropy(x, each, 1 / temperature) for x, each in zip((s, s.T), _across(r))]
    return (there + back) / _matched(r).sum().clamp_min(1)


def siglip(z: torch.Tensor, r: torch.Tensor, *, scale: float = 10.0, bias: float = -10.0) -> torch.Tensor:
    """Sigmoid loss of two views (SigLIP).

    Each pair of rows of different views is classified for itself, as match or not: the sum of −log σ(t s + b) of
    similar matches and −log σ(−t s − b) of dissimilar other pairs, with cosines s, divided by the number of rows of
    a view.  Similar pairs beside the matches, such as duplicates, do not count.  Embeddings need no unit norm, as
    cosines do not depend on it.

    Deviation from the paper: t and b, which start there, are not learnt.

    Parameters
    ----------
    z : tensor of shape (2m, n_components)
        Embeddings; rows i and m + i match.  A row left over is ignored.
    r : tensor of shape (2m, 2m)
        Relation; > 0.5 is similar, NaN is unknown.  Pairs of one view do not count.
    scale : float > 0, default=10.0
        The factor t of cosines.
    bias : float, default=-10.0
        The bias b.  It is negative because most pairs are no matches.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``scale`` is not above 0, or ``bias`` is not a finite number.

    See Also
    --------
    info_nce : Each match among the other rows.
    metricnets.samplers.MatchedPairs : Batches of matched rows.

    References
    ----------
    X. Zhai, B. Mustafa, A. Kolesnikov, L. Beyer, "Sigmoid loss for language image pre-training", ICCV 2023.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(2, 2).fill_diagonal_(float("nan"))
    >>> siglip(z, r, scale=4.0, bias=-2.0)  # log(1 + exp(-2)), twice for each row
    tensor(0.2539)
    """
    check_real("bias", bias)
    check_positive(scale=scale)
    s = _similarities(z)
    matched, (there, back) = _matched(r), [_negatives(each) for each in _across(r)]
    terms = (there + back.T) * F.softplus(scale * s + bias)  # (m, m)
    n_rows = (matched + torch.stack([there.sum(1), back.sum(1)]) > 0).sum()
    return (terms.sum() + (matched * F.softplus(-scale * s.diagonal() - bias)).sum()) / n_rows.clamp_min(1)


def vicreg(
    z: torch.Tensor,
    r: torch.Tensor,
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> torch.Tensor:
    """Variance-invariance-covariance regularisation (VICReg) of two views.

    Matched rows are pulled together, and what keeps the embedding from collapse are the statistics of each view instead
    of negatives: components should have a standard deviation σ of at least 1, and be uncorrelated.  With views a
    and b of the m' similar matches, k components, and covariances C of each view,

        λ mean (a − b)² + μ / 2 · Σ_views mean [1 − σ]₊ + ν / k · Σ_views Σ_{i≠j} C_ij².

    The standard deviation of 1 is for embeddings without unit norm: ``EmbeddingNet(normalize=False)``.

    The formula is that of the authors' program, which the usual weights are for.  Deviation from it: rows whose match
    is not known to be similar do not count, and a single match has no variance and no covariance.

    Parameters
    ----------
    z : tensor of shape (2m, n_components)
        Embeddings; rows i and m + i match.  A row left over is ignored.
    r : tensor of shape (2m, 2m)
        Relation; > 0.5 is similar, NaN is unknown.  Only that of matched rows counts.
    invariance : float >= 0, default=25.0
        The weight λ of the distances of matched rows.
    variance : float >= 0, default=25.0
        The weight μ of the standard deviations.
    covariance : float >= 0, default=1.0
        The weight ν of the covariances.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If a weight is below 0.

    See Also
    --------
    info_nce : Dissimilar rows are pushed apart instead.
    metricnets.samplers.MatchedPairs : Batches of matched rows.

    References
    ----------
    A. Bardes, J. Ponce, Y. LeCun, "VICReg: variance-invariance-covariance regularization for self-supervised
    learning", ICLR 2022.

    Examples
    --------
    >>> z = torch.tensor([[2.0, 0.0], [2.0, 0.4]])  # one match
    >>> vicreg(z, torch.ones(2, 2).fill_diagonal_(float("nan")))  # 25 times the mean of 0 and 0.16
    tensor(2.0000)
    """
    check_not_negative(invariance=invariance, variance=variance, covariance=covariance)
    m = len(z) // 2
    views = precise(z)[: 2 * m].reshape(2, m, z.shape[1])[:, _matched(r).all(0)]  # (2, m', n_components)
    loss = invariance * (views[0] - views[1]).square().sum() * 2 / max(views.numel(), 1)
    if views.shape[1] < 2:
        return loss
    views = views - views.mean(1, keepdim=True)
    C = views.mT @ views / (views.shape[1] - 1)  # (2, n_components, n_components)
    variances = C.diagonal(dim1=1, dim2=2)
    hinges = (1 - (variances + EPS_VARIANCE).sqrt()).clamp_min(0)
    others = (C - variances.diag_embed()).square().sum() / C.shape[1]
    return loss + variance * hinges.mean() + covariance * others


def info_nce_of_anchors(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.05) -> torch.Tensor:
    """`info_nce` of the first m rows; r (m, n) is known for matches and dissimilar rows of the other view alone."""
    s, pos = cosines(z, len(r)), similar(r)
    rivals = masked_logsumexp(s, dissimilar(r), 1 / temperature) - (s * pos).sum(1) / temperature  # (m,)
    return masked_mean(F.softplus(rivals), pos.any(1))


def siglip_of_anchors(z: torch.Tensor, r: torch.Tensor, *, scale: float = 10.0, bias: float = -10.0) -> torch.Tensor:
    """`siglip` of the first m rows, of a relation as that of `info_nce_of_anchors`."""
    pos, neg = similar(r), dissimilar(r)
    terms = F.softplus((neg - pos) * (scale * cosines(z, len(r)) + bias)) * (pos + neg)
    return masked_mean(terms.sum(1), (pos + neg).any(1))


def _similarities(z):
    """Cosines of the rows of the first view with those of the second, (m, m)."""
    m = len(z) // 2
    unit = unit_rows(z)
    return unit[:m] @ unit[m : 2 * m].T


def _cross_entropy(s, r, scale):
    """Σ −log softmax(scale · s) of the similar matches of the rows of one view, each among its negatives."""
    targets = torch.arange(len(s), device=s.device).where(r.diagonal() > 0.5, IGNORED)
    logits = among(s, dissimilar(r).fill_diagonal_(1), scale)
    return F.cross_entropy(logits, targets, reduction="sum", ignore_index=IGNORED)


def _across(r):
    """Relations of the rows of each view with those of the other, both (m, m)."""
    m = len(r) // 2
    return r[:m, m : 2 * m], r[m : 2 * m, :m]


def _matched(r):
    """Mask of the rows of each view whose match is similar, (2, m)."""
    return similar(torch.stack([each.diagonal() for each in _across(r)]))


def _negatives(r):
    """Mask of the dissimilar pairs of rows of one view with rows of the other, matches left out, (m, m)."""
    return dissimilar(r).fill_diagonal_(0)
