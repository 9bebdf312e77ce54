"""Losses that are measures of retrieval with soft ranks: Smooth-AP, recall at k."""

from collections.abc import Iterator

import torch
from torch.autograd.function import once_differentiable

from metricnets._checks import check_counts, check_positive
from metricnets.losses._ops import cosines, masked_mean

CHUNK = 2**16  # entries that are worked on at once, which fit into the cache of a processor


def smooth_ap(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 0.01) -> torch.Tensor:
    """Smooth-AP loss, 1 minus the average precision with soft ranks.

    Every row a retrieves the others by cosine similarity s.  The rank of a similar sample p counts the samples j
    before it by sigmoids, Σ_j σ((s_aj − s_ap) / T): R⁺ is the rank among similar samples, R among all, and the loss is
    the mean over rows of 1 − mean_p R⁺ / R.  Rows without a similar sample are left out.  The measure knows similar
    and dissimilar samples only, so there is no graded form.  Memory is n², time n_similar_pairs × n.

    Deviations from the authors' code: classes may have any sizes and rows any order, and a row is not its own similar
    sample unless the diagonal of ``r`` says so.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings; they are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    temperature : float > 0, default=0.01
        The temperature T.  With smaller values ranks are more exact, and gradients reach fewer pairs.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0.

    See Also
    --------
    fast_ap : Average precision by a soft histogram.
    recall_at_k : Recall among the nearest samples by soft ranks.

    References
    ----------
    A. Brown, W. Xie, V. Kalogeiton, A. Zisserman, "Smooth-AP: smoothing the path towards large-scale image
    retrieval", ECCV 2020.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> r = torch.full((3, 3), float("nan"))
    >>> r[0, 1:] = torch.tensor([1.0, 0.0])
    >>> smooth_ap(z, r)  # the similar sample has rank 2
    tensor(0.5000)
    """
    check_positive(temperature=temperature)
    s = cosines(z, len(r)) / temperature
    a, p = (r > 0.5).nonzero(as_tuple=True)
    own = s[a, p]  # (n_similar_pairs,)
    n_similar = torch.bincount(a, minlength=len(r))
    column = torch.arange(len(a), device=a.device) - (n_similar.cumsum(0) - n_similar)[a]
    others = own.new_full((len(r), max(n_similar.tolist(), default=0)), -torch.inf).index_put((a, column), own)
    before = 0.5 + _SoftRanks.apply(others, own, a)  # with σ(0) for p itself
    intruders = _SoftRanks.apply(s.masked_fill(~(r <= 0.5), -torch.inf), own, a)
    return masked_mean(intruders / (before + intruders), n_similar[a].to(own.dtype).reciprocal())


def recall_at_k(
    z: torch.Tensor,
    r: torch.Tensor,
    *,
    ks: tuple[int, ...] = (1, 2, 4, 8, 16),
    temperature: float = 0.01,
    cutoff_temperature: float = 1.0,
) -> torch.Tensor:
    """Recall@k surrogate loss, 1 minus the recall among the k nearest samples with soft ranks.

    The rank R of a similar sample is that of `smooth_ap`, among all known samples, and a sigmoid says whether it is at
    most k: the loss is the mean over rows and over k of 1 − Σ_p σ((k − R_p) / T₁) / min(k, n⁺), with the sum
    at most k and n⁺ the number of similar samples.  Rows without one are left out.  As a rank of k counts
    half, the loss of a perfect order is above 0.  There is no graded form.  Memory is n², time n_similar_pairs × n.

    Deviations from the authors' code: classes may have any sizes and rows any order, ranks do not count the row
    itself, and T₁ is the same for all k.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings; they are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    ks : tuple of int >= 1, default=(1, 2, 4, 8, 16)
        The numbers k of nearest samples.
    temperature : float > 0, default=0.01
        The temperature of the ranks, τ₂ in the paper.
    cutoff_temperature : float > 0, default=1.0
        The temperature T₁ of the comparison of ranks with k, τ₁ in the paper.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``ks`` is empty or has others than integers from 1, or a temperature is not above 0.

    See Also
    --------
    smooth_ap : Average precision by soft ranks.

    References
    ----------
    Y. Patel, G. Tolias, J. Matas, "Recall@k surrogate loss with large batches and similarity mixup", CVPR 2022.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> r = torch.full((3, 3), float("nan"))
    >>> r[0, 1:] = torch.tensor([1.0, 0.0])
    >>> recall_at_k(z, r, ks=(2,))  # the similar sample has rank 2, σ(0) = 0.5
    tensor(0.5000)
    """
    check_positive(temperature=temperature, cutoff_temperature=cutoff_temperature)
    check_counts(ks=ks)
    s = cosines(z, len(r)) / temperature
    a, p = (r > 0.5).nonzero(as_tuple=True)
    own = s[a, p]  # (n_similar_pairs,)
    ranks = 0.5 + _SoftRanks.apply(s.masked_fill(r != r, -torch.inf), own, a)  # with σ(0) for p itself
    k = own.new_tensor(ks)  # (n_ks,)
    found = ((k - ranks[:, None]) / cutoff_temperature).sigmoid()  # (n_similar_pairs, n_ks)
    found = own.new_zeros(len(r), len(k)).index_add(0, a, found).minimum(k)
    n_similar = torch.bincount(a, minlength=len(r))
    recall = found / n_similar[:, None].clamp_min(1).minimum(k)
    return masked_mean(1 - recall.mean(1), n_similar > 0)


class _SoftRanks(torch.autograd.Function):
    """Σ_j σ(s_aj − own), for each entry of ``own`` and of its rows ``a``, in chunks, which gradients compute again."""

    @staticmethod
    def forward(ctx, s, own, a):
        ctx.save_for_backward(s, own, a)
        ranks = torch.empty_like(own)
        for rows, before in _sigmoids(s, own, a):
            ranks[rows] = before.sum(1)
        return ranks

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        s, own, a = ctx.saved_tensors
        by_s, by_own = torch.zeros_like(s), torch.empty_like(own)
        for rows, before in _sigmoids(s, own, a):
            slopes = before.sub_(before * before).mul_(gradient[rows, None])
            by_s.index_add_(0, a[rows], slopes)
            by_own[rows] = -slopes.sum(1)
        return by_s, by_own, None


def _sigmoids(s: torch.Tensor, own: torch.Tensor, a: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Slices of ``own``, and for each the sigmoids of differences to it, (n_rows, n)."""
    size = max(1, CHUNK // max(1, s.shape[1]))
    for start in range(0, len(a), size):
        rows = slice(start, start + size)
        yield rows, s.index_select(0, a[rows]).sub_(own[rows, None]).sigmoid_()
