"""Losses that compare pairs without a common anchor: quadruplets."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative
from metricnets.losses._ops import dist, masked_mean, sqdist, triplets


def quadruplet(z: torch.Tensor, r: torch.Tensor, *, margin: float = 1.0, squared: bool = False) -> torch.Tensor:
    """Quadruplet loss, the mean of [δ + d_ij − d_kl]₊.

    A pair (i, j) should be nearer to each other than a pair (k, l) that is less similar, by a margin.  All pairs of
    pairs with r_ij > r_kl are compared, so that a graded relation is learned in all its grades, and distances become
    comparable between all samples, which triplets only ask for around an anchor.

    There are n⁴ quadruplets, but the loss is exact in memory n² and time n² log n · log(number of grades), by
    sorting distances.  Pairs have no order: what r_ij does not know, r_ji may.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; greater is more similar, NaN is unknown.
    margin : float >= 0, default=1.0
        The margin δ.
    squared : bool, default=False
        Whether d is the squared distance, as the paper's, which are linear in the metric.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``margin`` is below 0.

    See Also
    --------
    two_margin_quadruplet : Triplets, and quadruplets with a smaller margin.
    alignment : Asks for the distances that a graded relation implies.

    References
    ----------
    M. T. Law, N. Thome, M. Cord, "Quadruplet-wise image similarity learning", ICCV 2013.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0.5], [0, 0.5, float("nan")]])
    >>> quadruplet(z, r, margin=1.5)  # the mean of 1.5 + 1 - 2, 1.5 + 2 - 3 and [1.5 + 1 - 3]₊
    tensor(0.3333)
    """
    check_not_negative(margin=margin)
    d = sqdist(z) if squared else dist(z)
    weights, n_active, n_quadruplets = _active_quadruplets(d.detach(), r, margin)
    return _mean_hinge(d, weights, margin, n_active, n_quadruplets)


def two_margin_quadruplet(
    z: torch.Tensor, r: torch.Tensor, *, margin: float = 1.0, pair_margin: float = 0.5, squared: bool = False
) -> torch.Tensor:
    """Quadruplet loss with two margins.

    It is the `triplet` loss with a weaker demand on all other pairs, which keeps the distances within classes below
    those between them everywhere: the mean over triplets of [τ₁ + d_ap − d_an]₊ plus the mean over similar pairs
    (i, j) and dissimilar pairs (k, l) of four different samples of [τ₂ + d_ij − d_kl]₊.  All quadruplets are summed,
    in memory n_similar_pairs × n.  Pairs have no order: what r_ij does not know, r_ji may.

    Deviations from the paper: Euclidean distances instead of a metric of the network's own; constant
    margins; (k, l) may have a sample of the class of i and j, other than them; all quadruplets instead of hard ones.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float >= 0, default=1.0
        The margin τ₁ of triplets.
    pair_margin : float >= 0, default=0.5
        The margin τ₂ of pairs without a common sample; smaller than τ₁ in the paper.
    squared : bool, default=False
        Whether d is the squared distance.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If a margin is below 0.

    See Also
    --------
    triplet : The first of the means.
    quadruplet : Compares all pairs, of any grade, with one margin.

    References
    ----------
    W. Chen, X. Chen, J. Zhang, K. Huang, "Beyond triplet loss: a deep quadruplet network for
    person re-identification", CVPR 2017.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0], [3.25]])
    >>> r = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).fill_diagonal_(float("nan"))
    >>> two_margin_quadruplet(z, r)  # no triplet has a loss; 0.5 + (1 - 0) - (3.25 - 3)
    tensor(1.2500)
    """
    check_not_negative(margin=margin, pair_margin=pair_margin)
    d = sqdist(z) if squared else dist(z)
    r = _without_order(r).round()
    weights, n_active, n_quadruplets = _active_quadruplets(d.detach(), r, pair_margin)
    differences, chosen = triplets(d, r, "all")
    shared = (chosen & (differences > -pair_margin)).to(d.dtype)  # active ones, of pairs with a common sample
    n_shared = shared.sum(1)  # (n_positive_pairs,)
    a, p = (r > 0.5).nonzero(as_tuple=True)
    weights = weights.index_add_(0, a, shared).index_put_((a, p), -n_shared, accumulate=True)
    of_pairs = _mean_hinge(d, weights, pair_margin, n_active - n_shared.sum(), n_quadruplets - chosen.sum())
    return masked_mean((margin + differences).clamp_min(0), chosen) + of_pairs


def _without_order(r: torch.Tensor) -> torch.Tensor:
    """Fill what ``r`` does not know of a pair with what it knows of the same pair in the other order."""
    return torch.where(r == r, r, r.T)


def _mean_hinge(d, weights, margin, n_active, n_quadruplets):
    """Mean of hinges, of which ``n_active`` are above 0 and linear in the distances, with the given weights."""
    n_quadruplets = n_quadruplets.clamp_min(1).to(d.dtype)
    return torch.tensordot(weights / n_quadruplets, d) + margin * (n_active / n_quadruplets)


def _active_quadruplets(
    d: torch.Tensor, r: torch.Tensor, margin: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compare all pairs of pairs with r_ij > r_kl.

    Two ranks of grades differ first in one binary digit: for each digit, the pairs that agree in all digits before it
    are a group, in which those with 1 are compared with those with 0.

    Returns
    -------
    weights : tensor of shape (n, n)
        In how many quadruplets with a loss above 0 a pair is (i, j), minus in how many it is (k, l).
    n_active : tensor of shape ()
        The number of quadruplets with a loss above 0.
    n_quadruplets : tensor of shape ()
    """
    r = _without_order(r)
    known = (r == r).triu(1).flatten().nonzero().squeeze(1)  # (n_pairs,)
    values, ranks = d.flatten()[known], _ranks(r.flatten()[known])
    weights, n_active, sizes = torch.zeros_like(ranks), ranks.new_zeros(()), torch.bincount(ranks)
    for digit in range(max(len(sizes) - 1, 0).bit_length()):
        upper, group = ranks >> digit & 1, ranks >> (digit + 1)
        one_group = len(sizes) <= 2 << digit
        of_digit = _of_one_group(values, upper > 0, margin) if one_group else _of_groups(values, upper, group, margin)
        weights, n_active = weights + of_digit, n_active + of_digit.clamp_min(0).sum()
    n_quadruplets = torch.dot(sizes, sizes.cumsum(0) - sizes)
    weights = torch.zeros_like(d).flatten().index_copy(0, known, weights.to(d.dtype)).view_as(d)
    return weights, n_active, n_quadruplets


def _ranks(grades):
    """Ranks of grades, from 0, which are grades of 0 and 1 themselves."""
    two = ((grades == 0) | (grades == 1)).all()
    return grades.long() if two else grades.unique(return_inverse=True)[1]


def _of_one_group(values: torch.Tensor, upper: torch.Tensor, margin: float) -> torch.Tensor:
    """Compute the same as `_of_groups` for a single group, by sorting the upper values only."""
    u, order = values[upper].sort()
    n_below = torch.searchsorted(u + margin, values[~upper], right=True)  # of the u + margin that are not above a v
    n_lower = torch.bincount(n_below, minlength=len(u) + 1).cumsum(0)[:-1]  # of the v that each u + margin is above
    counts = upper.new_empty(len(values), dtype=torch.long)
    counts[upper] = torch.empty_like(n_lower).index_copy(0, order, n_lower)
    counts[~upper] = n_below - len(u)
    return counts


def _of_groups(values: torch.Tensor, upper: torch.Tensor, group: torch.Tensor, margin: float) -> torch.Tensor:
    """Compare values u with ``upper`` 1 and v with ``upper`` 0 of a group: how many v each u + margin is above.

    Returns
    -------
    counts : tensor of shape (n_values,)
        The number of v < u + margin for every u, and minus the number of u for every v.
    """
    order = torch.add(values, upper, alpha=margin).argsort()
    order = order[group[order].argsort(stable=True)]
    upper, group = upper[order], group[order]
    sizes = torch.bincount(group)
    ends = sizes.cumsum(0)
    n_upper = F.pad(upper.cumsum(0), (1, 0))  # (n_values + 1,), among the first ones
    n_lower = F.pad((1 - upper).cumsum(0), (1, 0))
    below = n_lower[1:] - n_lower[ends - sizes][group]
    above = n_upper[ends][group] - n_upper[1:]
    return torch.zeros_like(order).index_copy(0, order, torch.where(upper > 0, below, -above))
