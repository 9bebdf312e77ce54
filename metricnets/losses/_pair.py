"""Losses that average over pairs: contrastive, logistic (DDML), alignment (HRAML)."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_positive, check_real
from metricnets.losses._ops import dissimilar, dist, masked_mean, precise, similar, sqdist


def contrastive(
    z: torch.Tensor, r: torch.Tensor, *, positive_margin: float = 0.0, margin: float = 1.0, squared: bool = False
) -> torch.Tensor:
    """Contrastive loss.

    Similar pairs are pulled together, and dissimilar pairs are pushed apart up to a margin: the mean over similar
    pairs of h(d − τ₁) plus the mean over dissimilar pairs of h(τ₂ − d), where h(x) = max(0, x), or its square.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    positive_margin : float >= 0, default=0.0
        τ₁: similar pairs with a smaller distance have no loss.
    margin : float > 0, default=1.0
        τ₂ > τ₁: dissimilar pairs with a larger distance have no loss.
    squared : bool, default=False
        Whether to square the hinges, as in DrLIM; otherwise equation (4) of Lu et al.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        Unless 0 <= positive_margin < margin.

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
    check_positive(margin=margin)
    check_real("positive_margin", positive_margin)
    if not 0 <= positive_margin < margin:
        raise ValueError(f"positive_margin={positive_margin} should be at least 0 and below margin={margin}.")
    d = dist(z, len(r))
    pull, push = (d - positive_margin).relu_(), (margin - d).relu_()
    if squared:
        pull, push = pull.square(), push.square()
    return masked_mean(pull, similar(r)) + masked_mean(push, dissimilar(r))


def logistic_pair(
    z: torch.Tensor,
    r: torch.Tensor,
    *,
    margin: float = 3.0,
    gap: float = 1.0,
    sharpness: float = 1.0,
    balanced: bool = False,
) -> torch.Tensor:
    """Logistic loss of pairs, the loss of DDML.

    Squared distances of similar pairs should be below τ − γ, and those of dissimilar pairs above τ + γ:
    ½ mean g(γ − ℓ (τ − d²)) with g(x) = log(1 + exp(βx)) / β, and ℓ = +1 for similar and −1 for
    dissimilar pairs.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float > 0, default=3.0
        The threshold τ of squared distances, above γ.
    gap : float >= 0, default=1.0
        γ, half the width of the gap between similar and dissimilar pairs; 1 in the paper.  0 only asks for the
        right side of τ, which suits embeddings of unit norm, whose d² is at most 4.
    sharpness : float > 0, default=1.0
        β; with larger values g is closer to a hinge.
    balanced : bool, default=False
        Whether similar and dissimilar pairs have the same total weight, as in the paper's training sets, where
        there are equally many.  Otherwise all pairs have the same weight.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        Unless 0 <= gap < margin, and sharpness > 0.

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
    check_positive(sharpness=sharpness)
    return logistic(
        sqdist(z, len(r)), similar(r), dissimilar(r), margin=margin, gap=gap, sharpness=sharpness, balanced=balanced
    )


def check_gap(margin: float, gap: float) -> None:
    """Raise ValueError unless 0 <= gap < margin."""
    check_positive(margin=margin)
    check_real("gap", gap)
    if not 0 <= gap < margin:
        raise ValueError(
            f"gap={gap} should be at least 0 and below margin={margin}: similar pairs should have d² < margin - gap, "
            "which no pair has otherwise. Lower gap, or raise margin."
        )


def logistic(
    d2: torch.Tensor,
    pos: torch.Tensor,
    neg: torch.Tensor,
    *,
    margin: float,
    gap: float,
    sharpness: float,
    balanced: bool,
) -> torch.Tensor:
    """`logistic_pair` of squared distances ``d2`` and masks ``pos``, ``neg`` of 1.0 and 0.0, of the same shape."""
    sign = pos - neg  # ℓ
    terms = F.softplus(torch.addcmul(gap - margin * sign, sign, d2), beta=sharpness)
    if not balanced:
        return masked_mean(terms, pos + neg) / 2
    return (masked_mean(terms, pos) + masked_mean(terms, neg)) / 4


def alignment(z: torch.Tensor, r: torch.Tensor, *, scale: float = 2.0) -> torch.Tensor:
    """Alignment loss, the loss of HRAML.

    Squared distances should follow the dissimilarity of the targets: ¼ mean (d² − g)², with the target
    g = ``scale`` · (1 − r).

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation in [0, 1]; NaN is unknown.
    scale : float > 0, default=2.0
        Target squared distance of pairs with r = 0.  Embeddings of unit norm can reach 4; with
        many classes, which cannot all be opposite to each other, they can reach 2 (orthogonal).

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``scale`` is not above 0.

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
    check_positive(scale=scale)
    return aligned(z, r, scale)


def aligned(z: torch.Tensor, r: torch.Tensor, scale: float) -> torch.Tensor:
    """`alignment` with a scale that was checked before."""
    known = similar(r) + dissimilar(r)
    error = sqdist(z, len(r)) - (scale * (1 - precise(r))).nan_to_num(0.0)
    return masked_mean(error**2, known) / 4
