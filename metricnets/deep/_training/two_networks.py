"""The networks of two views, and those of an ensemble joined."""

from math import prod

import torch
from torch import nn

from metricnets.networks import Ensemble, Mean, UnitNorm


class TwoNetworks(nn.Module):
    """A network for each view: embeddings (2n, k) of n rows of both, those of the first view first.

    Parameters
    ----------
    first, second : torch.nn.Module
    shapes : list of two tuple
        Shape of a point of each view, whose features are side by side in a row.
    """

    def __init__(self, first, second, shapes):
        super().__init__()
        self.first, self.second, self.shapes = first, second, shapes

    def forward(self, x):
        first, second = points_of_views(x, self.shapes)
        return torch.cat([self.first(first), self.second(second)])


def points_of_views(x, shapes):
    """The points of two views, in their shapes, from rows that have both side by side."""
    width = prod(shapes[0])
    return [view.unflatten(1, shape) for view, shape in zip((x[:, :width], x[:, width:]), shapes)]


class FromProbabilities(nn.Sequential):
    """A network whose first layer gives logits of classes, and the others embed their probabilities."""

    def logits(self, x):
        """Logits (n, n_classes) of points."""
        return self[0](x)

    def embedded(self, logits):
        """Embeddings (n, n_components) of logits."""
        return self[1:](logits)


@torch.no_grad()
def perceptron_beside(start, perceptron, normalize):
    """A network that begins as a start: the mean of its linear map and of a perceptron whose last layer is set to 0."""
    perceptron[-1][-1].weight.zero_()
    linear, *after = start.layers()
    kind, has_norm = FromProbabilities if after else nn.Sequential, normalize and start.place is None
    return kind(Mean([linear, perceptron]), *after, *([UnitNorm()] if has_norm else []))


def joined(networks, from_start):
    """The network of a view of the members of an ensemble.

    From a common start it is the mean of their first layers, and those after it; otherwise they are side by side.
    """
    if not from_start:
        return networks[0] if len(networks) == 1 else Ensemble(networks)
    first = networks[0][0] if len(networks) == 1 else Mean([network[0] for network in networks])
    return nn.Sequential(first, *networks[0][1:])
