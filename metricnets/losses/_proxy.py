"""Losses of embeddings and learnt proxies of the classes: ProxyNCA++, proxy anchor."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_not_negative, check_positive
from metricnets.losses._modules import CosineClassifier


class ProxyNCA(CosineClassifier):
    """ProxyNCA++ loss.

    Each class has a learnt proxy, and an embedding should be nearer to that of its own class than to all others:
    −log softmax_y(−‖z − p‖² / T).  Embeddings and proxies are scaled to unit norm first, so that it is the normalised
    softmax with half the temperature.

    Deviations from the paper: no layer normalisation and no maximum pooling, which are the network's.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    temperature : float > 0, default=0.111
        The temperature T, 1/9 in the paper.  With smaller values the nearest proxies have more weight.
    generator : torch.Generator or None, default=None
        Generator of the initial proxies; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    NormalizedSoftmax : The same, of cosines.
    ProxyAnchor : Proxies are compared with the embeddings of a batch.

    References
    ----------
    E. W. Teh, T. DeVries, G. W. Taylor, "ProxyNCA++: Revisiting and revitalizing proxy neighborhood component
    analysis", ECCV 2020; Y. Movshovitz-Attias et al., "No fuss distance metric learning using proxies", ICCV 2017.

    Examples
    --------
    >>> loss = ProxyNCA(2, 2, temperature=2.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-2 / 2))
    tensor(0.3133)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        temperature: float = 0.111,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(temperature=temperature)
        super().__init__(n_components, n_classes, 2 / temperature, generator)

    def _loss(self, z, codes):
        return F.cross_entropy(self.logits(z), codes)


class ProxyAnchor(CosineClassifier):
    """Proxy anchor loss.

    Each class has a learnt proxy p, an anchor that is compared with all embeddings of a batch at once: the mean over
    classes in the batch of log(1 + Σ_{y = p} exp(−α (s − δ))) plus the mean over all classes of
    log(1 + Σ_{y ≠ p} exp(α (s + δ))), where s is the cosine of an embedding and the proxy.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes.
    margin : float >= 0, default=0.1
        The margin δ of the cosines.
    scale : float > 0, default=32.0
        The factor α.  With larger values the hardest embeddings have more weight.
    generator : torch.Generator or None, default=None
        Generator of the initial proxies; None is PyTorch's global one.  ``EmbeddingNet`` starts them at
        the class means of its embeddings before training.

    See Also
    --------
    ProxyNCA : Each embedding is compared with all proxies.

    References
    ----------
    S. Kim, D. Kim, M. Cho, S. Kwak, "Proxy anchor loss for deep metric learning", CVPR 2020.

    Examples
    --------
    >>> loss = ProxyAnchor(2, 2, margin=0.0, scale=1.0)
    >>> _ = loss.load_state_dict({"weight": torch.eye(2)[:, None]})
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0])).detach()  # log(1 + exp(-1)) + log(2) / 2
    tensor(0.6598)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: float = 0.1,
        scale: float = 32.0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive(scale=scale)
        check_not_negative(margin=margin)
        super().__init__(n_components, n_classes, scale, generator)
        self.margin = margin

    def _loss(self, z, codes):
        return proxy_anchor(self._similarities(z), codes, self.margin, self.scale)


def proxy_anchor(cosines: torch.Tensor, codes: torch.Tensor, margin: float, scale: float) -> torch.Tensor:
    """`ProxyAnchor` of the cosines of embeddings and proxies (n, n_classes)."""
    own = F.one_hot(codes, cosines.shape[1]).bool()
    pull = torch.where(own, scale * (margin - cosines), -torch.inf).logsumexp(0)  # (n_classes,), −inf of no rows
    push = torch.where(own, -torch.inf, scale * (margin + cosines)).logsumexp(0)
    return F.softplus(pull).sum() / own.any(0).sum() + F.softplus(push).mean()
