"""TwoViewNet: a network for each of two views, with any loss."""

from typing import Annotated, Literal

import torch

from metricnets import losses
from metricnets._params import Function, MaybeDict, NonNegative, StrOptions
from metricnets.deep._training.foreign import check_params, naming
from metricnets.deep._training.on_labels import resolved
from metricnets.deep._training.two_views import joint_relation
from metricnets.deep.views._base import TwoViewMetric

OF_RELATIONS = {name for name, entry in losses.CATALOGUE.items() if not isinstance(entry.loss, type)}


class TwoViewNet(TwoViewMetric):
    """Networks that embed two views, such as images and texts, in one space, so that one finds the other.
    """

    loss: Annotated[str, StrOptions({"auto", *OF_RELATIONS})] | Function = "auto"
    loss_params: MaybeDict = None
    pairs: Literal["across", "all"] = "across"

    def _criterion(self, network, part, generator):
        return self._loss_of_batch

    def _loss_of_batch(self, z, targets):
        r = joint_relation(targets.labels, targets.row, self.pairs == "across")
        return self._loss(z, r)

    def _name(self):
        if self.loss == "auto":
            return "info_nce" if self.classes_ is None else "supcon"
        return self.loss

    def _loss(self, z, r):
        loss = self._name()
        if not callable(loss):
            return resolved(loss)(z, r, **(self.loss_params or {}))
        with naming("loss", loss):
            return loss(z, r, **(self.loss_params or {}))
