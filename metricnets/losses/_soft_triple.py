"""SoftTriple loss."""

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from metricnets._checks import check_count, check_not_negative, check_positive
from metricnets.losses._modules import CosineClassifier, less_margin
from metricnets.losses._ops import EPS


class SoftTriple(CosineClassifier):
    """SoftTriple loss, a softmax over classes with several centres each.

    A class is as similar to an embedding as its centres are, mostly the nearest ones:
    S_c = Σ_k softmax_k(s_ck / γ) s_ck, with the cosines s of the embedding and the centres.  The loss is
    −log softmax_y(λ (S_c − δ [c = y])) plus τ Σ_c Σ_{j<k} ‖w_cj − w_ck‖ / (C K (K − 1)), which merges centres that
    a class does not need.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes C.
    n_centers : int >= 1, default=10
        The number K of centres of each class.
    scale : float > 0, default=20.0
        The factor λ of similarities.
    temperature : float > 0, default=0.1
        The temperature γ of the centres.  With smaller values only the nearest one counts.
    margin : float >= 0, default=0.01
        The margin δ.
    weight : float >= 0, default=0.2
        The weight τ of the distances of the centres of a class.
    generator : torch.Generator or None, default=None
        Generator of the initial centres; None is PyTorch's global one.  ``EmbeddingNet`` starts them near
        the class means of its embeddings before training.

    See Also
    --------
    ArcFace : With ``n_centers`` only the nearest centre of a class counts.
    NormalizedSoftmax : One centre for each class.

    References
    ----------
    Q. Qian et al., "SoftTriple loss: Deep metric learning without triplet sampling", ICCV 2019.

    Examples
    --------
    >>> loss = SoftTriple(2, 2, n_centers=1, scale=1.0, margin=0.5)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-0.5))
    tensor(0.4741)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        n_centers: int = 10,
        scale: float = 20.0,
        temperature: float = 0.1,
        margin: float = 0.01,
        weight: float = 0.2,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(scale=scale, temperature=temperature)
        check_not_negative(margin=margin, weight=weight)
        check_count(n_centers=n_centers)
        super().__init__(n_components, n_classes, scale, generator, n_centers)
        self.temperature, self.margin, self.spread_weight = temperature, margin, weight

    def _similarities(self, z):
        return _SoftMaximum.apply(self._cosines(z), self.temperature)

    def _loss(self, z, codes):
        loss = F.cross_entropy(self.scale * less_margin(self._similarities(z), codes, self.margin), codes)
        return loss + self.spread_weight * spread(self.weight.to(z.dtype)) if self.n_centers > 1 else loss


class _SoftMaximum(torch.autograd.Function):
    """S = Σ_k p_k x_k over the second dimension, p = softmax(x / γ), with the gradient p (1 + (x − S) / γ)."""

    @staticmethod
    def forward(ctx, x, temperature):
        p = (x / temperature).softmax(1)
        terms = p * x
        S = terms.sum(1)
        terms = terms.addcmul_(p, S[:, None], value=-1)
        ctx.save_for_backward(p.add_(terms, alpha=1 / temperature))
        return S

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return ctx.saved_tensors[0] * gradient[:, None], None


def spread(centers: torch.Tensor) -> torch.Tensor:
    """Σ_{j<k} ‖w_cj − w_ck‖ / (K (K − 1)), averaged over classes, of the directions of centres (C, K, n_components)."""
    w = F.normalize(centers, dim=2)
    d2 = (2 - 2 * w @ w.mT).clamp_min(0).triu(1)  # (C, K, K)
    n_pairs = w.shape[1] * (w.shape[1] - 1)
    return (d2 + EPS).sqrt().triu(1).sum() / len(w) / n_pairs
