"""Miners that compare the similar with the dissimilar pairs of an anchor: semi-hard, multi-similarity, angular."""

import math

import torch

from metricnets._checks import check_positive, check_real
from metricnets.losses._ops import cosines, sqdist
from metricnets.miners._ops import kept, largest, smallest


def semi_hard(z: torch.Tensor, r: torch.Tensor, *, margin: float = 0.2) -> torch.Tensor:
    """Semi-hard negative mining.

    Triplets (a, p, n) count whose dissimilar sample is further than the similar one, by less than a margin:
    d(a, p) < d(a, n) < d(a, p) + τ.  A pair (a, p) or (a, n) stays if it is in such a triplet.  As pairs are kept, and
    not triplets, a loss of triplets also sees the other combinations of the pairs of an anchor;
    ``EmbeddingNet(loss="triplet", loss_params={"select": "semihard"})`` sees the semi-hard ones alone.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    margin : float > 0, default=0.2
        The margin τ.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    Raises
    ------
    ValueError
        If ``margin`` is not above 0.

    See Also
    --------
    hard : The furthest similar and the nearest dissimilar sample.

    References
    ----------
    F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet", CVPR 2015.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [2.0], [1.1], [4.0]])
    >>> r = torch.tensor([[torch.nan, 1, 1, 0, 0]]).expand(5, 5)
    >>> semi_hard(z, r, margin=0.2)[0]
    tensor([nan, 1., nan, 0., nan])
    """
    check_positive(margin=margin)
    pos, neg = r > 0.5, r <= 0.5
    d = sqdist(z.detach(), len(r)).sqrt()
    n = d.shape[1]
    negatives_first = torch.cat([torch.where(mask, d, torch.inf) for mask in (neg, pos)], dim=1)  # (n, 2n)
    d, order = negatives_first.sort(dim=1, stable=True)  # of equal distances negatives stay first
    is_negative = order < n
    positive_below = torch.where(is_negative, -torch.inf, d).cummax(1).values
    negative_above = torch.where(is_negative, d, torch.inf).flip(1).cummin(1).values.flip(1)
    chosen = torch.where(is_negative, d - positive_below, negative_above - d) < margin
    chosen = torch.empty_like(chosen).scatter_(1, order, chosen)
    return kept(r, neg & chosen[:, :n] | pos & chosen[:, n:])


def multi_similarity(z: torch.Tensor, r: torch.Tensor, *, epsilon: float = 0.1) -> torch.Tensor:
    """Multi-similarity mining.

    A dissimilar pair counts if its cosine s is above the smallest one of the similar pairs of the anchor, and a similar
    pair if its cosine is below the largest one of the dissimilar pairs, up to a tolerance:
    s(a, n) + ε > min_p s(a, p), and s(a, p) − ε < max_n s(a, n).

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings, which are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    epsilon : float, default=0.1
        The tolerance ε; with larger values more pairs count.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    Raises
    ------
    ValueError
        If ``epsilon`` is not a finite number.

    See Also
    --------
    hard : The furthest similar and the nearest dissimilar sample.

    References
    ----------
    X. Wang et al., "Multi-similarity loss with general pair weighting for deep metric learning", CVPR 2019.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [1.0, 0.9], [0.0, 1.0]])
    >>> r = torch.tensor([[torch.nan, 1, 1, 0, 0]]).expand(5, 5)
    >>> multi_similarity(z, r)[0]
    tensor([nan, nan, 1., 0., nan])
    """
    check_real("epsilon", epsilon)
    pos, neg = r > 0.5, r <= 0.5
    s = cosines(z.detach(), len(r))
    return kept(r, neg & (s + epsilon > smallest(s, pos)) | pos & (s - epsilon < largest(s, neg)))


def angular(z: torch.Tensor, r: torch.Tensor, *, angle: float = 20.0) -> torch.Tensor:
    """Angular mining.

    Triplets (a, p, n) count whose angle at the dissimilar sample is large, arctan(‖a − p‖ / 2‖n − c‖) > α with the
    centre c = (a + p) / 2.  A pair (a, p) or (a, n) stays if it is in such a triplet.  There is one row of angles for
    every similar pair: memory n_similar_pairs × n.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    angle : float in [0, 90), default=20.0
        The angle α in degrees; with larger values fewer pairs count.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    Raises
    ------
    ValueError
        Unless 0 <= angle < 90.

    See Also
    --------
    semi_hard : Triplets selected by the difference of two distances.

    References
    ----------
    J. Wang et al., "Deep metric learning with angular loss", ICCV 2017.

    Examples
    --------
    >>> z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [1.0, 9.0]])
    >>> r = torch.tensor([[torch.nan, 1, 0, 0]]).expand(4, 4)
    >>> angular(z, r)[0]
    tensor([nan, 1., 0., nan])
    """
    check_real("angle", angle, "an angle in degrees", at_least=0, below=90)
    pos, neg = r > 0.5, r <= 0.5
    d2 = sqdist(z.detach())
    a, p = pos.nonzero(as_tuple=True)
    to_positive = d2[a, p][:, None]  # (n_positive_pairs, 1)
    to_center = ((d2[a] + d2[p]) / 2 - to_positive / 4).clamp_min(0)  # (n_positive_pairs, n)
    chosen = neg[a] & (to_positive > 4 * math.tan(math.radians(angle)) ** 2 * to_center)
    keep = torch.zeros_like(d2).index_add_(0, a, chosen.to(d2.dtype)) > 0
    keep[a, p] = chosen.any(1)
    return kept(r, keep)
