"""Losses that classify by cosines with a softmax: normalised softmax, CosFace."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative, check_positive
from metricnets.losses._modules import CosineClassifier, less_margin


class NormalizedSoftmax(CosineClassifier):
    """Normalised softmax loss, the cross-entropy of cosines.

    Each class has a learnt direction, and an embedding should be nearer to that of its own class than to all others:
    −log softmax_y(cos θ / T).  Embeddings are scaled to unit norm first.

    Deviations from the paper: no layer normalisation of the embeddings, and all classes are in the sum.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    temperature : float > 0, default=0.05
        The temperature T.  With smaller values the nearest classes have more weight.
    generator : torch.Generator or None, default=None
        Generator of the initial directions; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    CosFace : The same with a margin on the cosine.
    ProxyNCA : The same, of squared distances.

    References
    ----------
    A. Zhai, H.-Y. Wu, "Classification is a strong baseline for deep metric learning", BMVC 2019.

    Examples
    --------
    >>> loss = NormalizedSoftmax(2, 2, temperature=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-1))
    tensor(0.3133)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        temperature: float = 0.05,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(temperature=temperature)
        super().__init__(n_components, n_classes, 1 / temperature, generator)

    def _loss(self, z, codes):
        return F.cross_entropy(self.logits(z), codes)


class CosFace(CosineClassifier):
    """CosFace loss, large margin cosine loss, AM-Softmax.

    Each class has a learnt direction, and the cosine of an embedding and that of its own class should be larger by a
    margin than all others: −log softmax_y(s (cos θ − m [c = y])).  Embeddings are scaled to unit norm first.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    margin : float >= 0, default=0.35
        The margin m of the cosine.
    scale : float > 0, default=64.0
        The factor s of cosines.  With larger values the nearest classes have more weight.
    generator : torch.Generator or None, default=None
        Generator of the initial directions; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    ArcFace : The margin is one of the angle.
    NormalizedSoftmax : Without a margin.

    References
    ----------
    H. Wang et al., "CosFace: Large margin cosine loss for deep face recognition", CVPR 2018; F. Wang, J. Cheng, W. Liu,
    H. Liu, "Additive margin softmax for face verification", IEEE SPL 2018.

    Examples
    --------
    >>> loss = CosFace(2, 2, margin=0.5, scale=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-0.5))
    tensor(0.4741)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: float = 0.35,
        scale: float = 64.0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(scale=scale)
        check_not_negative(margin=margin)
        super().__init__(n_components, n_classes, scale, generator)
        self.margin = margin

    def _loss(self, z, codes):
        return cosface(self._similarities(z), codes, self.margin, self.scale)


def cosface(cosines: torch.Tensor, codes: torch.Tensor, margin: float, scale: float) -> torch.Tensor:
    """`CosFace` of the cosines of embeddings and classes (n, n_classes)."""
    return F.cross_entropy(scale * less_margin(cosines, codes, margin), codes)
