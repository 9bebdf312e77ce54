"""Distances, cosines, masks, sums and means, and comparisons of two distances, shared by the losses."""

from contextvars import ContextVar

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from metricnets._checks import check_option

EPS = 1e-12
COUNTS = ContextVar("counts", default=None)  # of the means over all blocks of a batch, see `in_blocks`


class _Single(torch.autograd.Function):
    """Cast half to single precision; gradients that overflow half precision are clipped to its largest number."""

    @staticmethod
    def forward(ctx, z):
        ctx.dtype = z.dtype
        return z.float()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        largest = torch.finfo(ctx.dtype).max
        return gradient.clamp(-largest, largest).to(ctx.dtype)


def precise(z: torch.Tensor) -> torch.Tensor:
    """Return z in single precision at least: in half precision squares overflow, sums stagnate and EPS is 0."""
    return _Single.apply(z) if z.dtype in (torch.float16, torch.bfloat16) else z


class _SquaredDistances(torch.autograd.Function):
    """‖z_i − z_j‖² for all rows in one matrix product, with the gradient Σ_j (g_ij + g_ji) · 2 (z_i − z_j) in two."""

    @staticmethod
    def forward(ctx, z, m):
        z = z - z.mean(0)  # far from 0 small distances would lose their digits
        ctx.save_for_backward(z)
        norms, ones = (z * z).sum(1, keepdim=True), z.new_ones(len(z), 1)
        left, right = torch.cat([-2 * z, norms, ones], 1), torch.cat([z, ones, norms], 1)
        return (left[:m] @ right.T).clamp_min_(0)  # (m, n)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        m, sums = len(gradient), gradient.sum(0)
        sums[:m] += gradient.sum(1)  # cheaper than the sum of the gradient and its transpose
        total = sums[:, None] * z
        total[:m] -= gradient @ z
        total -= gradient.T @ z[:m]
        return total.mul_(2), None


def sqdist(z: torch.Tensor, m: int | None = None) -> torch.Tensor:
    """Squared Euclidean distances of the first m rows, or all, to all, (m, n), in single or double precision."""
    return _SquaredDistances.apply(precise(z), m)


def dist(z: torch.Tensor, m: int | None = None) -> torch.Tensor:
    """Euclidean distances as `sqdist`, (m, n), bounded away from 0, where the root is not differentiable."""
    return sqdist(z, m).add_(EPS).sqrt_()


class _UnitRows(torch.autograd.Function):
    """z / ‖z‖ for all rows, with the gradient (g − u ⟨g, u⟩) / ‖z‖."""

    @staticmethod
    def forward(ctx, z):
        size = z.abs().amax(1, keepdim=True)  # divided by it, squares neither overflow nor vanish
        size.masked_fill_(size == 0, torch.inf)
        u = z / size
        length = u.norm(dim=1, keepdim=True)
        u /= length.clamp_min_(0.5)  # at least 1, unless it is 0
        ctx.save_for_backward(u, length.mul_(size))
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        u, norms = ctx.saved_tensors
        return torch.addcmul(gradient, u, (gradient * u).sum(1, keepdim=True), value=-1) / norms


def unit_rows(z: torch.Tensor) -> torch.Tensor:
    """Rows scaled to unit Euclidean norm, in single or double precision; rows of zeros stay, and have no gradient."""
    return _UnitRows.apply(precise(z))


def cosines(z: torch.Tensor, m: int | None = None) -> torch.Tensor:
    """Cosine similarities of the first m rows, or all, with all, (m, n), in precision as `sqdist`; 0 for zeros."""
    unit = unit_rows(z)
    return unit[:m] @ unit.T


def similar(r: torch.Tensor) -> torch.Tensor:
    """Mask of similar pairs: 1.0 where ``r`` > 0.5, 0.0 where it is not or is unknown.

    Masks are floats because arithmetic on them is several times faster than on booleans.
    """
    return precise(r).round().nan_to_num_(0.0)  # 0.5 rounds to 0


def dissimilar(r: torch.Tensor) -> torch.Tensor:
    """Mask of dissimilar pairs: 1.0 where ``r`` <= 0.5, 0.0 where it is not or is unknown."""
    return precise(r).round().neg_().add_(1).nan_to_num_(0.0)


def known(r: torch.Tensor) -> torch.Tensor:
    """Mask of known pairs: 1.0 where ``r`` is a number, 0.0 where it is NaN."""
    return precise(r).mul(0).add_(1).nan_to_num_(0.0)


def among(x: torch.Tensor, mask: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """``scale`` · x where the mask is 1.0, and elsewhere about the most negative number, which softmax makes 0."""
    return (mask.to(x.dtype) - 1).mul_(torch.finfo(x.dtype).max).add_(x, alpha=scale)


class _LogSumExp(torch.autograd.Function):
    """log Σ exp(scale · x) of each row over the entries where the mask is 1.0.

    PyTorch's softmax is several times faster than its exponential of numbers that underflow, as masked ones do.
    """

    @staticmethod
    def forward(ctx, x, mask, scale):
        kept = among(x, mask, scale)
        largest, weights = kept.amax(-1), torch.softmax(kept, -1, out=kept)
        ctx.save_for_backward(weights, scale * (largest > torch.finfo(x.dtype).min / 2))
        return largest - weights.amax(-1).log()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        weights, scale = ctx.saved_tensors
        return weights * (scale * gradient)[..., None], None, None


def masked_logsumexp(x: torch.Tensor, mask: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """Log Σ exp(``scale`` · x) of each row over finite ``x`` where ``mask`` is 1.0; very negative if nowhere."""
    return _LogSumExp.apply(x, mask, scale) if x.numel() else x.sum(-1)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of finite ``values`` where ``mask`` is 1.0 or True; 0, with a graph, if that is nowhere.

    In `blocks.in_blocks` it is the part of one block in the mean over all of them.
    """
    mask = mask.to(values.dtype)
    return mean_of_sum(torch.dot(values.reshape(-1), mask.reshape(-1)), mask.sum())


def mean_of_sum(total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """The mean of `masked_mean`, from a sum and the number of what was added."""
    of_all_blocks = COUNTS.get()
    if of_all_blocks is not None:
        count = of_all_blocks(count)
    return total / count.clamp_min(1)


def triplets(
    d: torch.Tensor, r: torch.Tensor, select: str, margin: float = torch.inf
) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences d(a, p) − d(a, n) of triplets, and the mask of the selected ones.

    They have the shape (n,), one for every anchor, if ``select`` is 'hard', and (n_positive_pairs, n) if it is 'all'
    or 'semihard', which selects differences between −``margin`` and 0.
    """
    check_option("select", select, ["all", "hard", "semihard"])
    pos, neg = r > 0.5, r <= 0.5
    if select == "hard" and len(d):
        furthest = torch.where(pos, d, -torch.inf).amax(1)
        nearest = torch.where(neg, d, torch.inf).amin(1)
        chosen = pos.any(1) & neg.any(1)
        return (furthest - nearest).masked_fill(~chosen, 0), chosen
    a, p = pos.nonzero(as_tuple=True)
    differences, chosen = d[a, p][:, None] - d.index_select(0, a), neg.index_select(0, a)
    if select == "semihard":
        chosen = chosen & (differences < 0) & (differences > -margin)
    return differences, chosen


def hinge(differences: torch.Tensor, *, margin: float) -> torch.Tensor:
    """Compute the hinges [τ + d − d']₊, the terms of `triplet`.

    Parameters
    ----------
    differences : tensor of any shape
        d − d', distances that should be smaller minus those that should be larger.
    margin : float >= 0
        The margin τ.

    Returns
    -------
    losses : tensor of this shape
    """
    return (margin + differences).clamp_min(0)


def logistic(differences: torch.Tensor) -> torch.Tensor:
    """Compute log(1 + exp(d − d')), the terms of `soft_triplet`; see `hinge`."""
    return F.softplus(differences)


def ratio(differences: torch.Tensor) -> torch.Tensor:
    """Compute (1 / (1 + exp(d' − d)))², the terms of `triplet_ratio`; see `hinge`."""
    return differences.sigmoid() ** 2


def sum_of_hinges(
    d: torch.Tensor, r: torch.Tensor, *, margin: float, semihard: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum of the terms of `hinge` over all triplets, and how many are above 0, without an entry for each triplet.

    In each row distances to negatives are sorted: those below d(a, p) + τ come first, and their sum is a cumulative
    one, so that n² log n operations are enough.  Sums are in double precision, as their differences lose digits.

    Parameters
    ----------
    d : tensor of shape (m, n)
    r : tensor of shape (m, n)
    margin : float >= 0
    semihard : bool
        Whether only negatives with d(a, n) > d(a, p) count.

    Returns
    -------
    total, count : tensor of shape ()
    """
    d = d if d.device.type == "mps" else d.double()  # which that device does not have
    ordered = d.masked_fill(~(r <= 0.5), torch.inf).sort(1).values  # negatives first
    sums = F.pad(ordered.masked_fill(ordered.isinf(), 0).cumsum(1), (1, 0))
    reach, pos = d + margin, (r > 0.5).to(d.dtype)
    until = torch.searchsorted(ordered.detach(), reach.detach())
    counts, below = until, sums.gather(1, until)
    if semihard:
        start = torch.searchsorted(ordered.detach(), d.detach(), right=True)
        counts, below = until - start, below - sums.gather(1, start)
    return ((counts * reach - below) * pos).sum(), (counts * pos).sum()
