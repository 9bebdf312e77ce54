"""TwoViewNet: a network for each of two views, with any loss."""

from typing import Annotated, Literal

from torch import nn

from metricnets import losses
from metricnets._params import Function, MaybeDict, StrOptions
from metricnets.deep._training.foreign import check_loss, naming
from metricnets.deep._training.two_views import joint_relation
from metricnets.deep.views._base import TwoViewMetric

OF_RELATIONS = {name for name, entry in losses.CATALOGUE.items() if not isinstance(entry.loss, type)}


class TwoViewNet(TwoViewMetric):
    """Two networks that embed two views, such as images and texts, in one space, trained with any loss.

    In a batch of n matched rows the embeddings of both views are compared by one relation: two views of a row are
    similar, and so are rows of one class.  Without classes the loss is that of CLIP, symmetric InfoNCE.

    Parameters
    ----------
    loss : str or callable, default='auto'
        Loss ``(z, r) -> scalar`` of embeddings (2n, n_components), those of the first view first, and relation (2n,
        2n), or its name: any loss of the catalogue that is no module.  'auto' is 'neighborhood' with classes and
        'info_nce' without.
    loss_params : dict or None, default=None
        Keyword arguments of the loss.
    pairs : {'across', 'all'}, default='across'
        Whether only pairs of two views count, or all pairs.

    See Also
    --------
    DCML : Neighbours within each view, and a coupling of matched rows.
    TwoDomainNet : One network for two domains with the same features.

    References
    ----------
    N. Rasiwasia et al., "A new approach to cross-modal multimedia retrieval", ACM Multimedia 2010 (semantic matching);
    A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021.

    Examples
    --------
    >>> from metricnets import TwoViewNet
    >>> from metricnets.datasets import make_views
    >>> X, Y, y = make_views(random_state=0)
    >>> net = TwoViewNet(max_epochs=5, random_state=0).fit(X, Y, y)
    >>> z, z_y = net.transform(X, Y)
    >>> z.shape, z_y.shape, net.pair_distance(X[:2], Y[:2]).shape
    ((200, 64), (200, 64), (2,))
    """

    loss: Annotated[str, StrOptions({"auto", *OF_RELATIONS})] | Function = "auto"
    loss_params: MaybeDict = None
    pairs: Literal["across", "all"] = "across"

    def _check_given(self, views, validation):
        if isinstance(self.loss, type | nn.Module):
            raise ValueError(f"loss={self.loss!r} is a module; give a function of embeddings and relation, or a name.")
        function, _ = self._resolved(views[2] is not None)
        check_loss(self.loss, function, self.loss_params)
        return super()._check_given(views, validation)

    def _resolved(self, with_classes):
        """The loss as a function, and whether it is ours."""
        if callable(self.loss):
            return self.loss, False
        auto = "neighborhood" if with_classes else "info_nce"
        return losses.CATALOGUE[auto if self.loss == "auto" else self.loss].loss, True

    def _loss_of_views(self, z, targets):
        return self._loss(z, joint_relation(targets.labels, targets.row, self.pairs == "across"))

    def _loss(self, z, r):
        function, is_ours = self._resolved(self.classes_ is not None)
        if is_ours:
            return function(z, r, **(self.loss_params or {}))
        with naming("loss", self.loss):
            return function(z, r, **(self.loss_params or {}))
