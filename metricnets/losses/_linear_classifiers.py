"""Losses that add a term of distances to the cross-entropy of a linear classifier: center loss, DeepID2."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative, check_positive
from metricnets.losses._modules import ModuleLoss, class_means, drawn
from metricnets.losses._ops import precise
from metricnets.losses._pair import contrastive


class LinearClassifier(ModuleLoss):
    """Loss with a linear classifier of the embeddings, whose weights are drawn and whose biases start at 0."""

    def __init__(self, n_components, n_classes, generator):
        super().__init__()
        self.weight = drawn((n_classes, n_components), generator)
        self.weight.data /= n_components**0.5
        self.bias = torch.nn.Parameter(torch.zeros(n_classes, device="cpu", dtype=torch.float32))

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the classes.

        Parameters
        ----------
        z : tensor of shape (n, n_components)
            Embeddings.

        Returns
        -------
        logits : tensor of shape (n, n_classes)
        """
        z = precise(z)
        return F.linear(z, self.weight.to(z.dtype), self.bias.to(z.dtype))


class Center(LinearClassifier):
    """Center loss, beside a softmax cross-entropy.

    A linear classifier tells the classes apart, and each embedding is drawn to a learnt centre of its class:
    −log softmax_y(Wz + b) + λ mean ½‖z − c_y‖².

    Deviation from the paper: the centres are trained by the optimiser like all parameters, instead of being moved by a
    rule of their own.  With Adam, which does not depend on the scale of a gradient, λ does not slow them.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    weight : float >= 0, default=0.01
        The weight λ of the distances to the centres.
    generator : torch.Generator or None, default=None
        Generator of the initial weights and centres; None is PyTorch's global one.  ``EmbeddingNet`` starts the centres
        at the class means of its embeddings before training.

    See Also
    --------
    DeepID2 : Embeddings of a class are drawn to each other, and those of others are pushed apart.

    References
    ----------
    Y. Wen, K. Zhang, Z. Li, Y. Qiao, "A discriminative feature learning approach for deep face recognition", ECCV 2016.

    Examples
    --------
    >>> loss = Center(2, 2, weight=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.zeros(2, 2), "bias": torch.zeros(2), "centers": torch.eye(2)})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(2) + 2² / 2
    tensor(2.6931)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        weight: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        check_not_negative(weight=weight)
        super().__init__(n_components, n_classes, generator)
        self.center_weight = weight
        self.centers = drawn((n_classes, n_components), generator)
        self.centers.data /= n_components**0.5

    @torch.no_grad()
    def start_at(self, z, codes):
        means, seen = class_means(precise(z), codes, len(self.centers))
        self.centers[seen] = means[seen].to(self.centers.dtype)

    def _loss(self, z, codes):
        return F.cross_entropy(self.logits(z), codes) + self.center_weight * center(z, codes, self.centers)


def center(z: torch.Tensor, codes: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """Mean of ½‖z − c_y‖² of embeddings (n, n_components) and centres (n_classes, n_components)."""
    return (z - centers.to(z.dtype)[codes]).square().sum(1).mean() / 2


class DeepID2(LinearClassifier):
    """Loss of DeepID2, softmax cross-entropy and contrastive loss.

    A linear classifier identifies the classes, and pairs are verified: −log softmax_y(Wz + b) + λ V, where V is the
    mean of ½ d² over similar pairs plus the mean of ½ max(0, τ − d)² over dissimilar pairs.

    Deviation from the paper: a mean over the pairs of either kind, of which there are as many there.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    weight : float >= 0, default=0.05
        The weight λ of verification.
    margin : float > 0, default=1.0
        τ: dissimilar pairs with a larger distance do not count.
    generator : torch.Generator or None, default=None
        Generator of the initial weights; None is PyTorch's global one.

    See Also
    --------
    contrastive : The loss of pairs alone.
    Center : Embeddings are drawn to centres of their classes.

    References
    ----------
    Y. Sun, Y. Chen, X. Wang, X. Tang, "Deep learning face representation by joint identification-verification", NIPS
    2014.

    Examples
    --------
    >>> loss = DeepID2(2, 2, weight=1.0, margin=3.0)
    >>> _ = loss.load_state_dict({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)})
    >>> loss(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])).detach()  # log(2) + 2² / 2
    tensor(2.6931)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        weight: float = 0.05,
        margin: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(margin=margin)
        check_not_negative(weight=weight)
        super().__init__(n_components, n_classes, generator)
        self.pair_weight, self.margin = weight, margin

    def _loss(self, z, codes):
        return F.cross_entropy(self.logits(z), codes) + self.pair_weight * verification(z, codes, self.margin)


def verification(z: torch.Tensor, codes: torch.Tensor, margin: float) -> torch.Tensor:
    """The contrastive part of `DeepID2`, of embeddings (n, n_components) and codes (n,)."""
    r = (codes[:, None] == codes).to(z.dtype).fill_diagonal_(torch.nan)
    return contrastive(z, r, margin=margin, squared=True) / 2
