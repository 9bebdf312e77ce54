"""Losses of histograms of distances: FastAP."""

import torch

from metricnets._checks import check_count
from metricnets.losses._ops import EPS, cosines, dissimilar, masked_mean, similar


def fast_ap(z: torch.Tensor, r: torch.Tensor, *, n_bins: int = 10) -> torch.Tensor:
    """FastAP loss, 1 minus the average precision over a soft histogram of distances.

    Every row retrieves the others by their squared distances at unit norm, which are in [0, 4].  A distance is shared
    by the two nearest of the B + 1 edges of the bins, and the loss is the mean over rows of
    1 − Σ_b h⁺_b H⁺_b / H_b / n⁺, where h⁺ counts the n⁺ similar samples at an edge, and H⁺ and H count similar and all
    samples up to it.  Rows without a similar sample are left out.  The measure knows similar and dissimilar samples
    only, so there is no graded form.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings; they are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    n_bins : int >= 1, default=10
        The number B of bins.  With more, samples at nearly equal distances are told apart, and gradients reach fewer
        of them.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``n_bins`` is not an integer from 1.

    See Also
    --------
    smooth_ap : Average precision by soft ranks.

    References
    ----------
    F. Cakir, K. He, X. Xia, B. Kulis, S. Sclaroff, "Deep metric learning to rank", CVPR 2019.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> r = torch.full((4, 4), float("nan"))
    >>> r[0, 1:] = torch.tensor([1.0, 0.0, 0.0])
    >>> fast_ap(z, r)  # of two nearest samples, one is similar
    tensor(0.5000)
    """
    check_count(n_bins=n_bins)
    pos, neg = similar(r), dissimilar(r)
    place = ((1 - cosines(z, len(r))) * (n_bins / 2)).clamp(0, n_bins)  # in bins
    left = place.detach().floor()
    share = place - left  # of the edge to the right
    edge = (left + (n_bins + 2) * (2 - 2 * pos - neg)).long()  # similar, dissimilar, unknown
    counts = share.new_zeros(len(r), 3 * (n_bins + 2))
    counts = counts.scatter_add(1, edge, 1 - share).scatter_add(1, edge + 1, share)
    near, far, _ = counts.view(-1, 3, n_bins + 2).unbind(1)  # (n, n_bins + 2)
    n_near, n_far = near.cumsum(1), far.cumsum(1)
    missed = (near * n_far / (n_near + n_far).clamp_min(EPS)).sum(1)
    n_similar = pos.sum(1)
    return masked_mean(missed / n_similar.clamp_min(1), n_similar > 0)
