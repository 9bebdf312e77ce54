"""Miners that draw pairs at random: distance-weighted, flips."""

import torch

from metricnets._checks import check_real
from metricnets.losses._ops import cosines
from metricnets.losses._sphere import FURTHEST, NEAREST, log_density
from metricnets.miners._ops import kept, of_both_kinds, uniform


def distance_weighted(
    z: torch.Tensor,
    r: torch.Tensor,
    *,
    cutoff: float = NEAREST,
    nonzero_loss_cutoff: float = FURTHEST,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Distance-weighted sampling.

    Most pairs of points on a sphere are nearly orthogonal.  So that dissimilar samples at all distances d count, each
    is drawn with a probability proportional to 1 / q(d), with the density of the distances of random points,
    q(d) = d^(k − 2) (1 − d² / 4)^((k − 3) / 2) in k dimensions.  For every anchor as many dissimilar samples are drawn
    as it has similar ones, all of which stay.  Anchors with no dissimilar sample to draw have no pairs.

    Deviation from the paper: the samples of an anchor are drawn without replacement, so that they differ.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings, which are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    cutoff : float > 0, default=0.5
        Smaller distances have the weight of this one, as otherwise a few samples, often with a wrong label, would
        be drawn again and again.
    nonzero_loss_cutoff : float in (0, 2], default=1.4
        Samples at this distance and beyond are not drawn, as they have no loss.
    generator : torch.Generator or None, default=None
        Generator of the draws; None is PyTorch's global one.  ``EmbeddingNet(miner="distance_weighted")`` gives the
        one of its ``random_state``.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    Raises
    ------
    ValueError
        Unless 0 < cutoff < nonzero_loss_cutoff <= 2.

    See Also
    --------
    hard : The furthest similar and the nearest dissimilar sample.

    References
    ----------
    C.-Y. Wu, R. Manmatha, A. J. Smola, P. Krähenbühl, "Sampling matters in deep embedding learning", ICCV 2017.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [-1.0, 0.0]])
    >>> r = torch.tensor([[torch.nan, 1, 0, 0]]).expand(4, 4)
    >>> distance_weighted(z, r)[0]  # the last sample is too far
    tensor([nan, 1., 0., nan])
    """
    check_real("cutoff", cutoff)
    check_real("nonzero_loss_cutoff", nonzero_loss_cutoff)
    if not 0 < cutoff < nonzero_loss_cutoff <= 2:
        raise ValueError(
            f"cutoff={cutoff!r} should be above 0 and below nonzero_loss_cutoff={nonzero_loss_cutoff!r}, which should "
            "be at most 2, the diameter of the sphere."
        )
    d = (2 - 2 * cosines(z.detach(), len(r))).clamp_min(0).sqrt()
    pos, neg = r > 0.5, (r <= 0.5) & (d < nonzero_loss_cutoff)
    log_weights = -log_density(d.clamp(cutoff, nonzero_loss_cutoff), z.shape[1])
    gumbel = -(-uniform(d, generator).log()).log()  # the largest sums of both are a sample without replacement
    keys = (log_weights + gumbel).masked_fill(~neg, -torch.inf)
    n_drawn = pos.sum(1, keepdim=True).clamp(1, max(1, d.shape[1]))
    least = keys.sort(1, descending=True).values.gather(1, n_drawn - 1)
    return kept(r, (pos | neg & (keys >= least)) & of_both_kinds(pos, neg))


def flip_positives(
    z: torch.Tensor, r: torch.Tensor, *, probability: float = 0.2, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Flips of positives to negatives, the ρ-regularisation of Roth et al.

    Each similar pair counts, with a small probability, as dissimilar.  So samples of a class are also pushed apart, and
    features that vary within classes, which other classes may need, are not all lost.  Either sample of a pair is
    an anchor of its own, whose draw is independent of the other's.

    Deviation from the paper, which flips one triplet of an anchor, drawn by its distance, with the anchor in place of
    its similar sample: all pairs of an anchor stay, and each may be flipped.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings, which are not used.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    probability : float in [0, 1], default=0.2
        Probability ρ of a flip.
    generator : torch.Generator or None, default=None
        Generator of the draws, as in `distance_weighted`.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, 0 for the flipped pairs.

    Raises
    ------
    ValueError
        Unless 0 <= probability <= 1.

    See Also
    --------
    easy_positives : The nearest similar samples alone.

    References
    ----------
    K. Roth et al., "Revisiting training strategies and generalization performance in deep metric learning", ICML 2020.

    Examples
    --------
    >>> r = torch.tensor([[torch.nan, 1, 0], [1, torch.nan, 0], [0, 0, torch.nan]])
    >>> flip_positives(torch.zeros(3, 1), r, probability=1.0)[0]
    tensor([nan, 0., 0.])
    """
    check_real("probability", probability, at_least=0, at_most=1)
    return r.masked_fill((r > 0.5) & (uniform(r, generator) < probability), 0.0)
