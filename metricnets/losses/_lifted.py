"""Losses that compare positive pairs with all negatives of their samples: lifted structure."""

import torch

from metricnets._checks import check_real
from metricnets.losses._ops import dissimilar, dist, masked_logsumexp, masked_mean, similar


def lifted(z: torch.Tensor, r: torch.Tensor, *, margin: float = 1.0) -> torch.Tensor:
    """Lifted structure loss.

    A positive pair (i, j) is compared with all negatives n of both its samples: the mean over positive pairs of
    ½ [J]₊² with J = log(Σ_n exp(τ − d_in) + Σ_n exp(τ − d_jn)) + d_ij, where each sum is over the negatives of its
    sample.  The logarithm is a smooth form of τ minus the smallest distance to a negative.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float, default=1.0
        The margin τ.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``margin`` is not a finite number.

    See Also
    --------
    generalized_lifted : Compares all positives of an anchor at once.
    triplet : Compares with one negative at a time.

    References
    ----------
    H. Oh Song, Y. Xiang, S. Jegelka, S. Savarese, "Deep metric learning via lifted structured
    feature embedding", CVPR 2016.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> lifted(z, r)  # (log(exp(1 - 3) + exp(1 - 2)) + 1)² / 2
    tensor(0.0491)
    """
    check_real("margin", margin)
    d = dist(z)
    rivals = margin + masked_logsumexp(d, dissimilar(r), -1)  # (n,)
    i, j = (r > 0.5).nonzero(as_tuple=True)
    terms = (torch.logaddexp(rivals[i], rivals[j]) + d[i, j]).clamp_min(0) ** 2
    return masked_mean(terms, torch.ones_like(terms)) / 2


def generalized_lifted(z: torch.Tensor, r: torch.Tensor, *, margin: float = 1.0) -> torch.Tensor:
    """Generalised lifted structure loss.

    For an anchor, all positives p and all negatives n are compared at once: the mean over anchors of
    [log Σ_p exp d_ap + log Σ_n exp(τ − d_an)]₊.  It is a smooth form of the largest d_ap − d_an, with a margin.  The
    mean is over the anchors that have both.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float, default=1.0
        The margin τ.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``margin`` is not a finite number.

    See Also
    --------
    lifted : Compares one positive pair at a time.
    triplet : With ``select='hard'``, the hinge of which this loss is a smooth form.

    References
    ----------
    A. Hermans, L. Beyer, B. Leibe, "In defense of the triplet loss for person
    re-identification", 2017, equation (4).

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> generalized_lifted(z, r, margin=2.5)  # the mean of [1 + 2.5 - 3]₊ and [1 + 2.5 - 2]₊
    tensor(1.)
    """
    check_real("margin", margin)
    d, pos, neg = dist(z, len(r)), similar(r), dissimilar(r)
    terms = masked_logsumexp(d, pos) + margin + masked_logsumexp(d, neg, -1)  # (n,)
    return masked_mean(terms.clamp_min(0), pos.any(1) & neg.any(1))
