"""Miners of the nearest and the furthest samples of an anchor: hard, easy positives, moderate positives."""

import torch

from metricnets._checks import check_real
from metricnets.losses._ops import sqdist
from metricnets.miners._ops import kept, largest, of_both_kinds, smallest


def hard(z: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Batch-hard mining.

    For every anchor only its furthest similar sample and its nearest dissimilar sample count, all of them if several
    have the same distance.  Anchors without samples of one of the two kinds have no pairs.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    See Also
    --------
    semi_hard : Dissimilar samples that are a little further than a similar one.
    moderate_positives : The furthest similar sample that is not beyond the dissimilar ones.

    References
    ----------
    A. Hermans, L. Beyer, B. Leibe, "In defense of the triplet loss for person re-identification", 2017.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> r = torch.tensor([[torch.nan, 1, 1, 0, 0]]).expand(5, 5)
    >>> hard(z, r)[0]
    tensor([nan, nan, 1., 0., nan])
    """
    pos, neg = r > 0.5, r <= 0.5
    d2 = sqdist(z.detach(), len(r))
    hardest = pos & (d2 >= largest(d2, pos)) | neg & (d2 <= smallest(d2, neg))
    return kept(r, hardest & of_both_kinds(pos, neg))


def easy_positives(z: torch.Tensor, r: torch.Tensor, *, fraction: float = 0.25) -> torch.Tensor:
    """Easy positive mining.

    Of the similar samples of every anchor only the nearest count, so that a class may consist of several clusters.
    All dissimilar pairs stay.

    Deviation from the paper: a share of the similar samples instead of the nearest one alone, which any small
    ``fraction`` keeps.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    fraction : float in (0, 1], default=0.25
        Share of the similar samples of an anchor that count, rounded up.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other similar pairs.

    Raises
    ------
    ValueError
        Unless 0 < fraction <= 1.

    See Also
    --------
    moderate_positives : One similar sample of every anchor, not beyond the nearest dissimilar one.

    References
    ----------
    H. Xuan, A. Stylianou, R. Pless, "Improved embeddings with easy positive triplet mining", WACV 2020.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> r = torch.tensor([[torch.nan, 1, 1, 0, 0]]).expand(5, 5)
    >>> easy_positives(z, r, fraction=0.5)[0]
    tensor([nan, 1., nan, 0., 0.])
    """
    check_real("fraction", fraction, above=0, at_most=1)
    return easiest(z, r, fraction)


def easiest(z: torch.Tensor, r: torch.Tensor, fraction: float) -> torch.Tensor:
    """`easy_positives` of a fraction that was checked before."""
    pos = r > 0.5
    d2 = sqdist(z.detach(), len(r)).masked_fill_(~pos, torch.inf)
    last = ((pos.sum(1, keepdim=True) * fraction).ceil().long() - 1).clamp_min(0)  # (n, 1)
    if not len(last):
        return r
    furthest = d2.topk(int(last.max()) + 1, 1, largest=False).values.gather(1, last)
    return r.masked_fill(pos & ~(d2 <= furthest), torch.nan)


def moderate_positives(z: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Moderate positive mining.

    For every anchor one similar and one dissimilar sample count: its nearest dissimilar sample, and the furthest
    similar sample that is not further than that, or the nearest one if all are further.  So a sample is not drawn
    across other classes to those of its class on the other side.  Anchors without samples of one of the two kinds have
    no pairs; of several samples at the same distance all count.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.

    Returns
    -------
    r : tensor of shape (n, n)
        A new relation, NaN for the other pairs.

    See Also
    --------
    hard : The furthest similar sample, however far it is.
    easy_positives : The nearest similar samples, and all dissimilar ones.

    References
    ----------
    H. Shi et al., "Embedding deep metric for person re-identification: a study against large variations", ECCV 2016.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> r = torch.tensor([[torch.nan, 1, 1, 0, 1]]).expand(5, 5)
    >>> moderate_positives(z, r)[0]
    tensor([nan, nan, 1., 0., nan])
    """
    pos, neg = r > 0.5, r <= 0.5
    d2 = sqdist(z.detach(), len(r))
    nearest_negative = smallest(d2, neg)
    moderate = largest(d2, pos & (d2 <= nearest_negative)).maximum(smallest(d2, pos))
    keep = pos & (d2 == moderate) | neg & (d2 <= nearest_negative)
    return kept(r, keep & of_both_kinds(pos, neg))
