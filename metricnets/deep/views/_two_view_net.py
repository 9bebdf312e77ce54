"""TwoViewNet: a network for each of two views, with any loss."""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn import functional as F

from metricnets import losses
from metricnets._labels import UNKNOWN
from metricnets._params import Function, MaybeDict, NonNegative, StrOptions
from metricnets.deep._training.foreign import check_params, naming
from metricnets.deep._training.two_networks import WithClassLogits
from metricnets.deep._training.two_views import joint_relation
from metricnets.deep.views._base import TwoViewMetric

OF_RELATIONS = {name for name, entry in losses.CATALOGUE.items() if not isinstance(entry.loss, type)}
SHARE = 0.5  # of the other view's class probabilities in what a view should predict


class TwoViewNet(TwoViewMetric):
    """Two networks that embed two views, such as images and texts, in one space, trained with any loss.

    In a batch of n matched rows the embeddings of both views are compared by one relation: two views of a row are
    similar, and so are rows of one class.  Without classes the loss is that of CLIP, symmetric InfoNCE.  Where the
    networks start from class probabilities, see ``init``, these are also trained with a cross-entropy, in which each
    view learns from the classes and from the probabilities of the other view.

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
    identification : float >= 0, default=1.0
        Weight of the cross-entropy of the class probabilities.  It has no effect without classes, and if the networks
        do not start from class probabilities.

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
    identification: NonNegative = 1.0

    def _check_given(self, views, validation):
        if isinstance(self.loss, type | nn.Module):
            raise ValueError(f"loss={self.loss!r} is a module; give a function of embeddings and relation, or a name.")
        function, _ = self._resolved(views[2] is not None)
        check_params("loss", self.loss, function, self.loss_params)
        if isinstance(self.loss, str):
            function(torch.zeros(2, 2), torch.full((2, 2), torch.nan), **(self.loss_params or {}))
        return super()._check_given(views, validation)

    def _resolved(self, with_classes):
        """The loss as a function, and whether it is ours."""
        if callable(self.loss):
            return self.loss, False
        auto = "neighborhood" if with_classes else "info_nce"
        return losses.CATALOGUE[auto if self.loss == "auto" else self.loss].loss, True

    def _exposed(self, network):
        return WithClassLogits(network)

    def _criterion(self, network, part, generator):
        starts = part.rows.starts
        columns = None if starts is None or starts[0].classes is None or not self.identification else starts[0].classes
        return partial(self._loss_of_batch, None if columns is None else torch.as_tensor(columns))

    def _loss_of_batch(self, columns, output, targets):
        z, *logits = output
        loss = self._loss(z, joint_relation(targets.labels, targets.row, self.pairs == "across"))
        if columns is None:
            return loss
        is_column = targets.labels[:, None] == columns.to(z.device)  # (n, n_columns)
        codes = torch.where(is_column.any(1), is_column.int().argmax(1), UNKNOWN)
        return loss + self.identification * mutual_cross_entropy(*logits, codes)

    def _loss(self, z, r):
        function, is_ours = self._resolved(self.classes_ is not None)
        if is_ours:
            return function(z, r, **(self.loss_params or {}))
        with naming("loss", self.loss):
            return function(z, r, **(self.loss_params or {}))


def mutual_cross_entropy(logits, others, codes, share=SHARE):
    """Cross-entropy of the class probabilities of two views, the mean of both.

    What a view should predict is its class, and, with a weight of ``share``, what the other view predicts; if the class
    is unknown, that alone.

    Parameters
    ----------
    logits, others : tensor of shape (n, n_classes)
    codes : tensor of int64 of shape (n,)
        Columns of the classes; −1 if unknown.
    share : float in [0, 1], default=0.5

    Returns
    -------
    loss : tensor of shape ()
    """
    known = codes >= 0
    truth = F.one_hot(codes.clamp_min(0), logits.shape[1]).to(logits.dtype)
    weight = torch.where(known, share, 1.0)[:, None]  # (n, 1)
    total = 0
    for own, other in ((logits, others), (others, logits)):
        wanted = (1 - weight) * truth + weight * other.detach().softmax(1)
        total = total + F.cross_entropy(own, wanted)
    return total / 2
