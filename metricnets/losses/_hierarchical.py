"""Hierarchical triplet loss."""

import numpy as np
import torch
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from metricnets._checks import check_count, check_not_negative, check_real
from metricnets.losses._modules import ModuleLoss, class_means, pairs_of
from metricnets.losses._ops import masked_mean, sqdist, unit_rows


class HierarchicalTriplet(ModuleLoss):
    """Hierarchical triplet loss, with margins from a tree of the classes.

    [d²(a, p) − d²(a, n) + α]₊, averaged over the triplets of a batch that have a loss: the margin α is larger the
    higher the classes of a and n are joined in a tree of the classes, so that the few similar classes are not pushed as
    far apart as all others: α = β + d_l − s_y, where d_l is the distance up to which classes are joined at their level
    l = 1 … L, evenly spaced from the mean of the s to 4, and s_y is the mean squared distance within the class of a.
    Embeddings are scaled to unit norm first.

    The mean squared distances of classes follow from running means of their embeddings.  From these the tree is
    built after every ``n_calls`` batches of training; until then α = β.

    Deviations from the paper: the tree is built every so many batches instead of after each epoch, of which a loss
    knows nothing; classes are joined by single linkage; a batch is as the sampler draws it, not of similar classes.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes; the margins take memory of its square.
    margin : float >= 0, default=0.1
        The margin β.
    n_levels : int >= 1, default=16
        The number L of levels of the tree.
    n_calls : int >= 1, default=20
        Number of batches after which the tree is built again.
    momentum : float in [0, 1), default=0.9
        Share of the old value in running means.

    See Also
    --------
    triplet : One margin for all classes.

    References
    ----------
    W. Ge, W. Huang, D. Dong, M. R. Scott, "Deep metric learning with hierarchical triplet loss", ECCV 2018.

    Examples
    --------
    >>> z, codes = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.8, 0.6]]), torch.tensor([0, 0, 1])
    >>> HierarchicalTriplet(2, 2, margin=0.5)(z, codes).detach()  # 0.5 − 0.4, before there is a tree
    tensor(0.1000)
    """

    def __init__(
        self,
        n_components: int,
        n_classes: int,
        *,
        margin: float = 0.1,
        n_levels: int = 16,
        n_calls: int = 20,
        momentum: float = 0.9,
    ) -> None:
        check_not_negative(margin=margin)
        check_count(n_levels=n_levels, n_calls=n_calls)
        check_real("momentum", momentum, at_least=0, below=1)
        super().__init__()
        self.margin, self.n_levels, self.n_calls, self.momentum = margin, n_levels, n_calls, momentum
        self.register_buffer("means", torch.zeros(n_classes, n_components, device="cpu", dtype=torch.float32))
        self.register_buffer("seen", torch.zeros(n_classes, device="cpu", dtype=torch.bool))
        self.register_buffer("margins", torch.full((n_classes, n_classes), margin, device="cpu", dtype=torch.float32))
        self.register_buffer("calls", torch.zeros((), device="cpu", dtype=torch.int64))

    def _loss(self, z, codes):
        z = unit_rows(z)
        if self.training:
            self._update(z, codes)
        margins = self.margins.to(z.dtype)[codes][:, codes]  # (n, n)
        return triplets(sqdist(z), *pairs_of(codes, z.dtype), margins)

    @torch.no_grad()
    def _update(self, z, codes):
        """Move the running means towards those of a batch, and build the tree if it is time."""
        means, found = class_means(z.to(self.means.dtype), codes, len(self.means))
        kept = self.momentum * (self.seen & found)[:, None]
        self.means[found] = (kept * self.means + (1 - kept) * means)[found]
        self.seen |= found
        self.calls += 1
        if self.calls % self.n_calls == 0 and self.seen.sum() > 1:
            rows = self.seen.nonzero()[:, 0]
            margins = tree_margins(self.means[rows].double().cpu().numpy(), self.margin, self.n_levels)
            self.margins[rows[:, None], rows] = torch.as_tensor(margins).to(self.margins)


def triplets(d2: torch.Tensor, similar: torch.Tensor, dissimilar: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
    """Average [d²(a, p) − d²(a, n) + α(a, n)]₊ over the triplets that have a loss, all arguments (n, n)."""
    a, p = similar.nonzero(as_tuple=True)
    terms = (d2[a, p][:, None] + (margins - d2)[a]).clamp_min(0)  # (n_positive_pairs, n)
    return masked_mean(terms, dissimilar[a] * (terms > 0))


def tree_margins(means: np.ndarray, margin: float, n_levels: int) -> np.ndarray:
    """Margins of the classes of anchors and negatives, (n_classes, n_classes), from means of unit-norm embeddings.

    The mean squared distance of two classes is 2 − 2⟨μ, ν⟩, and that within a class 2 − 2‖μ‖².
    """
    products = means @ means.T
    within = np.clip(2 - 2 * products.diagonal(), 0, None)
    lowest = within.mean()
    distances = np.clip(2 - 2 * products, 0, 4)
    np.fill_diagonal(distances, 0)
    joined = squareform(cophenet(linkage(squareform(distances, checks=False), "single")))
    step = (4 - lowest) / n_levels
    level = np.clip(np.ceil((joined - lowest) / step), 1, n_levels)
    return margin + lowest + level * step - within[:, None]
