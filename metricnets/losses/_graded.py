"""Losses of graded relations: CoSENT, AnglE, log-ratio."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_positive
from metricnets.losses._ops import cosines, dissimilar, precise, similar, sqdist, unit_rows


def cosent(z: torch.Tensor, r: torch.Tensor, *, scale: float = 20.0) -> torch.Tensor:
    """CoSENT loss, log(1 + Σ exp(λ (s_kl − s_ij))) over pairs with r_ij > r_kl.

    Cosine similarities s should be in the order of the relation: the sum is over all two pairs of which the first is
    more similar by the targets, and pairs with equal r are not compared.  Only the order of r matters, so any graded
    relation will do; classes make it a comparison of all similar with all dissimilar pairs.  The pairs are grouped by
    r, so memory is n².

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings; they are scaled to unit norm here.
    r : tensor of shape (n, n)
        Relation, of any grades; NaN is unknown.
    scale : float > 0, default=20.0
        The factor λ, the inverse of a temperature.  With larger values the pairs in the worst order have more weight.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``scale`` is not above 0.

    See Also
    --------
    angle : The same with another similarity.
    log_ratio : Ratios of distances as those of the relation, not only their order.

    References
    ----------
    J. Su, "CoSENT: a more effective sentence vector scheme than Sentence-BERT", 2022, https://kexue.fm/archives/8847;
    ``CoSENTLoss`` of sentence-transformers.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.full((3, 3), float("nan"))
    >>> r[0, 1:] = torch.tensor([0.2, 0.8])
    >>> cosent(z, r, scale=1.0)  # log(1 + exp(1 - 0))
    tensor(1.3133)
    """
    return _misordered(cosines(z)[None], r, scale)


def angle(z: torch.Tensor, r: torch.Tensor, *, scale: float = 20.0) -> torch.Tensor:
    """AnglE loss, `cosent` of an angle in the complex plane.

    The halves of the columns are real and imaginary parts, rows are scaled to unit norm, and the
    similarity s(v, w) is the absolute value of Σ Re(v w̄) + Im(v w̄).  Its gradient does not vanish where v = w, as that
    of a cosine does.  As s(v, w) is not s(w, v), both orders of a pair count, with half the weight each.

    Deviations from the paper: s is the similarity of ``AnglELoss`` of sentence-transformers, which is that of the
    authors' code; the paper writes a difference of angles that is smaller for similar pairs.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings; they are scaled to unit norm here.  If n_components is odd, a column of 0 is appended.
    r : tensor of shape (n, n)
        Relation, of any grades; NaN is unknown.
    scale : float > 0, default=20.0
        The factor λ of similarities.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``scale`` is not above 0.

    See Also
    --------
    cosent : The same with cosines.

    References
    ----------
    X. Li, J. Li, "AnglE-optimized text embeddings", 2023.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    >>> r = torch.full((3, 3), float("nan"))
    >>> r[0, 1:] = torch.tensor([0.8, 0.2])
    >>> angle(z, r)  # log(1 + exp(1 - 1)), in either order
    tensor(0.6931)
    """
    unit = unit_rows(F.pad(z, (0, z.shape[1] % 2)))
    real, imaginary = unit.chunk(2, 1)
    turned = torch.cat([real - imaginary, real + imaginary], 1)  # by 45° in each plane, times √2
    s = (unit @ turned.T).abs()
    return _misordered(torch.stack([s, s.T]), r, scale)


def _misordered(s: torch.Tensor, r: torch.Tensor, scale: float) -> torch.Tensor:
    """The formula of `cosent` over pairs i < j, the mean of its terms over all s, of shape (n_orders, n, n)."""
    check_positive(scale=scale)
    r = torch.where(r == r, r, r.T)
    known = (r == r).triu_(1).flatten().nonzero()[:, 0]  # (n_pairs,)
    grades, grade = r.flatten().index_select(0, known).unique(return_inverse=True)
    orders = s.flatten(1).index_select(1, known) * scale  # (n_orders, n_pairs)
    lower = _grouped_logsumexp(orders, grade, len(grades))[:-1]
    higher = _grouped_logsumexp(-orders, grade, len(grades)).flip(0).logcumsumexp(0).flip(0)[1:]  # of all grades above
    return F.softplus((lower + higher).logsumexp(0))


def _grouped_logsumexp(x: torch.Tensor, group: torch.Tensor, n_groups: int) -> torch.Tensor:
    """Log Σ exp(x) over the columns of each group, with the mean over rows inside."""
    group = group.repeat(len(x))
    top = x.new_full((n_groups,), -torch.inf).scatter_reduce(0, group, x.detach().flatten(), "amax")
    sums = x.new_zeros(n_groups).index_add(0, group, (x.flatten() - top[group]).exp())
    return (sums / len(x)).log() + top


def log_ratio(z: torch.Tensor, r: torch.Tensor, *, epsilon: float = 1e-6) -> torch.Tensor:
    """Log-ratio loss.

    Ratios of distances should be those of the dissimilarities of targets: the mean over triplets of an anchor a and
    two others of (log d²_ai / d²_aj − log g_ai / g_aj)², with g = 1 − r and Euclidean distances d.  It needs no unit
    norm, since scaling all embeddings changes nothing but the effect of ε.  With u = log d² − log g the mean is one of
    the variances of u of anchors, so time and memory are n².

    Deviations from the paper: every sample of a batch is an anchor, and g is 1 − r instead of a distance of labels.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation in [0, 1]; NaN is unknown.
    epsilon : float > 0, default=1e-6
        The number ε that is added to d² and to g, which may be 0.  It is the dissimilarity of pairs with
        r = 1, so with classes it says how much nearer than dissimilar pairs similar ones should be.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``epsilon`` is not above 0.

    See Also
    --------
    alignment : Squared errors of squared distances.
    cosent : Similarities in the order of the relation.

    References
    ----------
    S. Kim, M. Seo, I. Laptev, M. Cho, S. Kwak, "Deep metric learning beyond binary supervision", CVPR 2019.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [2.0]])
    >>> r = torch.full((3, 3), float("nan"))
    >>> r[0, 1:] = torch.tensor([0.5, 0.5])
    >>> log_ratio(z, r)  # d² is 4 times as large, and g is the same: (log 4)²
    tensor(1.9218)
    """
    check_positive(epsilon=epsilon)
    known = similar(r) + dissimilar(r)
    log_g = ((1 - precise(r)).clamp_min(0) + epsilon).log().nan_to_num(0.0)
    u = ((sqdist(z) + epsilon).log() - log_g) * known
    n_known = known.sum(1, keepdim=True)  # (n, 1)
    deviation = (u - u.sum(1, keepdim=True) / n_known.clamp_min(1)) * known
    total = 2 * (n_known * deviation.square()).sum()  # Σ_ij (u_i − u_j)² = 2 n Σ_i (u_i − mean u)²
    return total / (n_known * (n_known - 1)).sum().clamp_min(1)
