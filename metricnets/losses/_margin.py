"""Margin loss with distance-weighted negatives."""

import torch
from torch import nn

from metricnets._checks import check_not_negative, check_positive
from metricnets.losses._modules import ModuleLoss, pairs_of
from metricnets.losses._ops import dist, unit_rows
from metricnets.losses._sphere import FURTHEST, NEAREST, log_density


class Margin(ModuleLoss):
    """Margin loss with distance-weighted negatives.

    Similar pairs should have distances below β − γ, and dissimilar ones above β + γ, where the boundary β is learnt for
    each class: [γ + d − β_a]₊ and [γ + β_a − d]₊, averaged over those triplets (a, p, n) that have a loss.  Embeddings
    are scaled to unit norm first.  β only decides which of the two sums is larger, and could fall without end;
    a penalty ν (β − β₀)², averaged over classes, keeps it near its start.

    With ``distance_weighted`` the negatives of an anchor count in inverse proportion to how many points there are at
    their distance on a sphere, so that near and far ones count alike: weights are proportional to
    1 / (dᵏ⁻² (1 − d²/4)^((k − 3) / 2)) with d of at least 0.5, and 0 from 1.4 on.

    Deviations from the paper: instead of drawing a negative for each similar pair, all negatives count with the
    probability that they would be drawn; a quadratic penalty instead of ν β; β has one part for each class, or one.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings, which does not matter; all losses of class codes have this parameter.
    n_classes : int
        Number of classes.
    margin : float >= 0, default=0.2
        The margin γ.
    beta : float > 0, default=1.2
        The boundary β₀ that β starts from.
    per_class : bool, default=True
        Whether each class has its own β.
    weight : float >= 0, default=1.0
        The weight ν of the penalty.
    distance_weighted : bool, default=True
        Whether negatives are weighted by distance; otherwise all count equally.

    See Also
    --------
    contrastive : Boundaries that are not learnt.

    References
    ----------
    C.-Y. Wu, R. Manmatha, A. J. Smola, P. Krähenbühl, "Sampling matters in deep embedding learning", ICCV 2017.

    Examples
    --------
    >>> z, codes = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    >>> loss = Margin(2, 2, beta=1.5, distance_weighted=False)
    >>> loss(z, codes).detach()  # only negatives have a loss, 0.2 + 1.5 - 2 ** 0.5
    tensor(0.2858)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: float = 0.2,
        beta: float = 1.2,
        per_class: bool = True,
        weight: float = 1.0,
        distance_weighted: bool = True,
    ) -> None:
        check_not_negative(margin=margin, weight=weight)
        check_positive(beta=beta)
        super().__init__()
        self.margin, self.start, self.penalty_weight, self.distance_weighted = margin, beta, weight, distance_weighted
        self.beta = nn.Parameter(torch.full((n_classes if per_class else 1,), beta, device="cpu", dtype=torch.float32))

    def _loss(self, z, codes):
        beta = self.beta.to(z.dtype)
        of_anchor = beta[codes] if len(beta) > 1 else beta.expand(len(z))
        d, (similar, dissimilar) = dist(unit_rows(z)), pairs_of(codes, z.dtype)
        negatives = inverse_density(d.detach(), dissimilar, z.shape[1]) if self.distance_weighted else dissimilar
        penalty = (beta - self.start).square().mean() * similar.any()
        return margin_loss(d, similar, negatives, of_anchor, self.margin) + self.penalty_weight * penalty


def margin_loss(
    d: torch.Tensor, similar: torch.Tensor, negatives: torch.Tensor, beta: torch.Tensor, margin: float
) -> torch.Tensor:
    """Average `Margin` over all triplets, without forming them.

    Parameters
    ----------
    d : tensor of shape (n, n)
        Distances.
    similar, negatives : tensor of shape (n, n)
        Weights of similar pairs, and of dissimilar pairs, of each anchor, a row.
    beta : tensor of shape (n,)
        The boundary of each anchor.
    margin : float

    Returns
    -------
    loss : tensor of shape ()
    """
    similar, negatives = similar * negatives.sum(1, keepdim=True), negatives * similar.sum(1, keepdim=True)
    pull = (margin + d - beta[:, None]).clamp_min(0)
    push = (margin + beta[:, None] - d).clamp_min(0)
    n_active = torch.dot(similar.flatten(), (pull > 0).to(d.dtype).flatten())
    n_active = n_active + torch.dot(negatives.flatten(), (push > 0).to(d.dtype).flatten())
    total = torch.dot(similar.flatten(), pull.flatten()) + torch.dot(negatives.flatten(), push.flatten())
    return total / torch.where(n_active > 0, n_active, 1)


def inverse_density(d: torch.Tensor, dissimilar: torch.Tensor, n_components: int) -> torch.Tensor:
    """Probabilities (n, n) with which distance-weighted sampling draws a negative of an anchor, a row; 0 of none."""
    eligible = dissimilar * (d < FURTHEST)
    log_weights = -log_density(d.clamp(NEAREST, FURTHEST), n_components)
    log_weights = torch.where(eligible > 0, log_weights, -torch.inf)
    weights = eligible * (log_weights - log_weights.amax(1, keepdim=True).clamp_min(-1e30)).exp()
    return weights / weights.sum(1, keepdim=True).clamp_min(1)
