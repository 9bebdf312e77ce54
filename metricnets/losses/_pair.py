"""Losses that are a mean over pairs: contrastive, logistic (DDML), alignment (HRAML)."""

import torch
from torch.nn import functional as F

from metricnets.losses._ops import dissimilar, dist, masked_mean, precise, similar, sqdist


def contrastive(z, r, *, positive_margin=0.0, margin=1.0, squared=False):
    """Hinges on the distances of similar and of dissimilar pairs.

    mean over similar pairs of h(d − τ₁) + mean over dissimilar pairs of h(τ₂ − d), where
    h(x) = max(0, x), or its square.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    positive_margin : float, default=0.0
        τ₁: similar pairs nearer than this are left alone.
    margin : float, default=1.0
        τ₂ > τ₁: dissimilar pairs further apart than this are left alone.
    squared : bool, default=False
        False: equation (4) of Lu et al.  True: the squared hinges of DrLIM.

    Returns
    -------
    loss : tensor of shape ()

    See Also
    --------
    logistic_pair : Smooth hinges on the squared distances of pairs.
    triplet : Hinges on comparisons of two distances.

    References
    ----------
    J. Lu, J. Hu, J. Zhou, "Deep metric learning for visual understanding", IEEE SPM 2017;
    R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality reduction by learning an invariant
    mapping", CVPR 2006.

    Examples
    --------
    >>> z, r = torch.tensor([[0.0], [0.25]]), torch.tensor([[float("nan"), 1.0], [1.0, float("nan")]])
    >>> contrastive(z, r)
    tensor(0.2500)
    """
    if not 0 <= positive_margin < margin:
        raise ValueError(f"0 <= positive_margin < margin is needed; got {positive_margin} and {margin}.")
    d = dist(z)
    power = 2 if squared else 1
    pull = (d - positive_margin).clamp_min(0) ** power
    push = (margin - d).clamp_min(0) ** power
    return masked_mean(pull, similar(r)) + masked_mean(push, dissimilar(r))


def logistic_pair(z, r, *, margin=3.0, gap=1.0, sharpness=1.0, balanced=False):
    """The loss of DDML: ½ mean g(γ − ℓ (τ − d²)) with g(x) = log(1 + exp(βx)) / β.

    ℓ = +1 for similar pairs, whose d² should be below τ − γ, and −1 for dissimilar ones, whose
    d² should be above τ + γ.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float, default=3.0
        τ > γ.
    gap : float, default=1.0
        γ >= 0; 1 in the paper.  0 asks for the right side of τ and no more, which suits embeddings of
        unit norm, whose d² is at most 4.
    sharpness : float, default=1.0
        β; the greater, the more g is like a hinge.
    balanced : bool, default=False
        The plain mean over all pairs, or one in which similar and dissimilar pairs have equal
        weight, however many there are of each, as in the paper's training sets.

    Raises
    ------
    ValueError
        Unless 0 <= gap < margin.

    See Also
    --------
    contrastive : Hinges on the distances of pairs.
    alignment : Squared errors of squared distances, for graded relations.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Discriminative deep metric learning for face verification in the
    wild", CVPR 2014, equation (4).

    Examples
    --------
    >>> z, r = torch.tensor([[0.0], [0.0]]), torch.tensor([[float("nan"), 1.0], [1.0, float("nan")]])
    >>> logistic_pair(z, r, margin=3.0)  # log(1 + exp(-2)) / 2
    tensor(0.0635)
    """
    check_gap(margin, gap)
    return logistic(
        sqdist(z), similar(r), dissimilar(r), margin=margin, gap=gap, sharpness=sharpness, balanced=balanced
    )


def check_gap(margin, gap):
    """Raise ValueError unless 0 <= gap < margin."""
    if not 0 <= gap < margin:
        raise ValueError(
            f"gap={gap} should be at least 0 and below margin={margin}, or no pair is near enough: similar ones are "
            "to have d² < margin - gap; lower gap, or raise margin."
        )


def logistic(d2, pos, neg, *, margin, gap, sharpness, balanced):
    """`logistic_pair` of squared distances ``d2`` and masks of the same shape, 1.0 or 0.0."""
    sign = pos - neg  # ℓ
    terms = F.softplus(torch.addcmul(gap - margin * sign, sign, d2), beta=sharpness)
    if not balanced:
        return masked_mean(terms, pos + neg) / 2
    return (masked_mean(terms, pos) + masked_mean(terms, neg)) / 4


def alignment(z, r, *, scale=2.0):
    """The loss of HRAML: ¼ mean (d² − g)², with the wanted squared distance g = ``scale`` · (1 − r).

    Parameters
    ----------
    z : tensor of shape (n, n_components)
    r : tensor of shape (n, n)
        Relation in [0, 1]; NaN is unknown.
    scale : float, default=2.0
        Squared distance wanted of the least alike.  Embeddings of unit norm can reach 4; for
        many classes, which cannot all be opposite each other, 2 (orthogonal) is within reach.

    See Also
    --------
    logistic_pair : Smooth hinges on the squared distances of pairs.

    References
    ----------
    L. Gu, "Hierarchical relationship alignment metric learning", equation (5).

    Examples
    --------
    >>> z, r = torch.tensor([[0.0], [2.0]]), torch.tensor([[float("nan"), 0.0], [0.0, float("nan")]])
    >>> alignment(z, r)
    tensor(1.)
    """
    known = similar(r) + dissimilar(r)
    error = sqdist(z) - (scale * (1 - precise(r))).nan_to_num(0.0)
    return masked_mean(error**2, known) / 4
