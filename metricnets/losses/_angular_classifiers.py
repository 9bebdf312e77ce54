"""Losses that classify by angles with a softmax: ArcFace with sub-centres, SphereFace."""

import math

import torch
from torch.nn import functional as F

from metricnets._checks import check_count, check_positive, check_real
from metricnets.losses._modules import CosineClassifier, replaced
from metricnets.losses._ops import EPS, precise


class ArcFace(CosineClassifier):
    """ArcFace loss, additive angular margin loss, with sub-centres.

    Each class has learnt directions, and the angle θ between an embedding and the nearest one of its own class should
    be smaller by a margin than all others: −log softmax_y(s cos(θ + m [c = y])).  Where θ + m > π it is
    cos θ − m sin m instead, so that the loss falls with θ everywhere.  Embeddings are scaled to unit norm first.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    margin : float in [0, π], default=0.5
        The margin m of the angle in radians; 0.5 is 28.6°.
    scale : float > 0, default=64.0
        The factor s of cosines.  With larger values the nearest classes have more weight.
    n_centers : int >= 1, default=1
        Directions of each class, its sub-centres.  With several, rows that are labelled wrongly or look different may
        gather at one of their own; 3 in the paper.
    generator : torch.Generator or None, default=None
        Generator of the initial directions; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    CosFace : The margin is one of the cosine.
    SphereFace : The angle is multiplied.
    SoftTriple : Several directions for each class, with a softmax over them.

    References
    ----------
    J. Deng, J. Guo, N. Xue, S. Zafeiriou, "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019;
    J. Deng, J. Guo, T. Liu, M. Gong, S. Zafeiriou, "Sub-center ArcFace", ECCV 2020.

    Examples
    --------
    >>> loss = ArcFace(2, 2, margin=torch.pi / 3, scale=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-0.5))
    tensor(0.4741)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        n_centers: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(scale=scale)
        check_count(n_centers=n_centers)
        check_real("margin", margin, "an angle in radians (0.5 is 28.6 degrees)", at_least=0, at_most=math.pi)
        super().__init__(n_components, n_classes, scale, generator, n_centers)
        self.margin = margin

    def _loss(self, z, codes):
        return arcface(self._similarities(z), codes, self.margin, self.scale)


def arcface(cosines: torch.Tensor, codes: torch.Tensor, margin: float, scale: float) -> torch.Tensor:
    """`ArcFace` of the cosines of embeddings and classes (n, n_classes)."""
    target = cosines.gather(1, codes[:, None])  # (n, 1)
    sine = (1 - target * target).clamp_min(EPS).sqrt()
    nearer = target * math.cos(margin) - sine * math.sin(margin)
    target = torch.where(target >= -math.cos(margin), nearer, target - margin * math.sin(margin))
    return F.cross_entropy(scale * replaced(cosines, codes, target), codes)


class SphereFace(CosineClassifier):
    """SphereFace loss, A-Softmax, multiplicative angular margin loss.

    Each class has a learnt direction, and m times the angle θ between an embedding and that of its own class should be
    smaller than all other angles: −log softmax_y(s ‖z‖ ψ), with ψ = cos θ for other classes and
    ψ = (−1)ᵏ cos(mθ) − 2k for the own one, k = ⌊mθ / π⌋, which falls with θ everywhere.  cos(mθ) is the
    Chebyshev polynomial of cos θ, so that no angle is differentiated.

    Deviations from the paper: a factor s, without which embeddings of unit norm could not be classified well; no
    annealing from the plain softmax.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    margin : int >= 1, default=4
        The factor m of the angle.
    scale : float > 0, default=16.0
        The factor s; 1 in the paper, whose embeddings have norms of any size.
    generator : torch.Generator or None, default=None
        Generator of the initial directions; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    ArcFace : A margin is added to the angle.

    References
    ----------
    W. Liu, Y. Wen, Z. Yu, M. Li, B. Raj, L. Song, "SphereFace: Deep hypersphere embedding for face recognition",
    CVPR 2017.

    Examples
    --------
    >>> loss = SphereFace(2, 2, margin=2, scale=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[0.6, 0.8]]), torch.tensor([0])).detach()  # log(1 + exp(0.8 - cos(2 * acos(0.6))))
    tensor(1.3724)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: int = 4,
        scale: float = 16.0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(scale=scale)
        check_count(margin=margin)
        super().__init__(n_components, n_classes, scale, generator)
        self.margin = margin

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the classes, s ‖z‖ cos θ.

        Parameters
        ----------
        z : tensor of shape (n, n_components)
            Embeddings.

        Returns
        -------
        logits : tensor of shape (n, n_classes)
        """
        return super().logits(z) * precise(z).norm(dim=1, keepdim=True)

    def _loss(self, z, codes):
        return sphereface(self._similarities(z), codes, self.margin, self.scale * z.norm(dim=1, keepdim=True))


def sphereface(cosines: torch.Tensor, codes: torch.Tensor, margin: int, scale: torch.Tensor | float) -> torch.Tensor:
    """`SphereFace` of the cosines of embeddings and classes (n, n_classes), and a scale of each embedding (n, 1)."""
    target = cosines.gather(1, codes[:, None])  # (n, 1)
    before, polynomial = torch.ones_like(target), target  # Chebyshev polynomials of degree 0 and 1
    for _ in range(margin - 1):
        before, polynomial = polynomial, 2 * target * polynomial - before
    k = (margin / math.pi * target.detach().clamp(-1, 1).acos()).floor().clamp_max(margin - 1)
    psi = (1 - 2 * (k % 2)) * polynomial - 2 * k
    return F.cross_entropy(scale * replaced(cosines, codes, psi), codes)
