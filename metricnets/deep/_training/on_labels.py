"""Losses that are modules of embeddings and class codes: created for the classes of the data, and applied."""

import copy
import inspect

import numpy as np
import torch
from torch import nn

from metricnets._groups import places_in_groups
from metricnets.deep._training.foreign import naming
from metricnets.deep._training.loop import Part
from metricnets.deep._training.runtime import defaults, threads_for
from metricnets.deep._training.tables import N_SOME, Points
from metricnets.losses._modules import ModuleLoss


def loss_module(loss, params, embed, targets, generator):
    """A new loss: a copy of an instance, or one of a class for these parameters.

    A class is told the numbers of columns and of classes, and the generator, if it takes them.  Losses of ours start
    at the embeddings.

    Parameters
    ----------
    loss : torch.nn.Module or class
    params : dict
        Parameters of a class.
    embed : callable
        Returns the embeddings (n, n_components) of the rows to train on.
    targets : Targets
        Of the same rows.
    generator : torch.Generator
    """
    if isinstance(loss, nn.Module):
        return copy.deepcopy(loss)
    names = inspect.signature(loss).parameters.keys() & {"n_components", "n_classes", "generator"}
    if not names:
        return loss(**params)
    z = embed()
    given = {"n_components": z.shape[1], "n_classes": len(targets.classes), "generator": generator}
    module = loss(**{name: given[name] for name in names} | params)
    if isinstance(module, ModuleLoss):
        module.start_at(z, targets.labels)
    return module


@torch.no_grad()
def embeddings(network, part, n_rows):
    """Embeddings of the points of a part by a network as it is, ``n_rows`` at a time."""
    network.eval()
    indices = torch.from_numpy(part.indices)
    z = torch.cat([network(part.rows.X[some]) for some in indices.split(n_rows)])
    network.train()
    return z


def fewer(part):
    """The part, or `N_SOME` of its rows or fewer, from all classes, if its points are read some at a time."""
    if not isinstance(part.rows.X, Points):
        return part
    _, codes, counts = np.unique(part.targets.labels.numpy(), return_inverse=True, return_counts=True)
    return Part(part.rows, part.indices[places_in_groups(codes) < max(1, N_SOME // len(counts))])


class OnLabels(nn.Module):
    """A loss of embeddings and class codes, with its miner, applied to the rows of known class.

    A row that occurs several times in a batch counts once, unless ``once`` is False.
    """

    def __init__(self, loss, miner, once=True):
        super().__init__()
        self.loss, self.miner, self.once = loss, miner, once

    def forward(self, z, targets):
        codes = targets.labels
        rows = torch.arange(len(codes), device=codes.device)
        if self.once and targets.row is not None:
            drawn = targets.row.cpu().numpy()
            rows = torch.as_tensor(np.sort(np.unique(drawn, return_index=True)[1]), device=codes.device)
        rows = rows[codes[rows] >= 0]
        if not len(rows):
            return z.sum() * 0
        z, codes = z[rows], codes[rows]
        loss, miner = self.loss, self.miner
        if not self.training:  # they may have a state, which validation should not change
            loss, miner = copy.deepcopy((loss, miner))
        with naming("miner", miner):
            mined = () if miner is None else (miner(z, codes),)
        with naming("loss", loss):
            return loss(z, codes, *mined)


def probabilities(module, z):
    """The softmax of the logits of a loss, (n, n_classes), in the precision of the embeddings z."""
    with defaults(gradients=False), threads_for(z):
        return module.logits(torch.from_numpy(z)).softmax(1).numpy()
