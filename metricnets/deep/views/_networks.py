"""The networks of learners of two views: perceptrons, which may be added to a start in closed form, or modules."""

from typing import Annotated, Literal

import torch

from metricnets._params import Count, Flag, MaybeFunction, RateBelowOne, Sizes, StrOptions
from metricnets.deep._perceptron import own_module
from metricnets.deep._training.data import Plan
from metricnets.deep._training.embedding import checked_network
from metricnets.deep._training.two_networks import TwoNetworks, perceptron_beside
from metricnets.deep.views._embedding import TwoViewEmbedding
from metricnets.networks import ACTIVATIONS, UnitNorm, mlp

OF_PERCEPTRON = ("n_components", "hidden", "activation", "dropout", "input_dropout")
RANDOM = ("glorot", "uniform")


class TwoViewNetworks(TwoViewEmbedding):
    """Deep metric with a network for each of two views: perceptrons, or modules of the user.

    Parameters
    ----------
    n_components : int >= 1, default=64
        Number of columns of the embeddings.
    hidden : tuple of int, default=(128,)
        Widths of the hidden layers of either network; () for linear maps.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='gelu'
        Activation function of the hidden layers.
    dropout : float in [0, 1), default=0.5
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.3
        Share of the inputs of the networks that are set to 0 in training.
    normalize : bool, default=True
        Whether embeddings have unit norm, so that distances are at most 2.
    module : torch.nn.Module, class, callable or None, default=None
        Network to use instead of the perceptron of the first view, see :class:`EmbeddingNet`.  X may have more than two
        dimensions then, such as images, and is given to it unchanged.  If one view has a module, the perceptron of the
        other starts from random weights.
    module_y : torch.nn.Module, class, callable or None, default=None
        The same for the second view.  Both networks return the same number of columns.
    init : {'auto', 'semantic', 'cca', 'glorot', 'uniform'}, default='auto'
        What the networks start from; a module starts as it is.

        - 'semantic': class probabilities by linear discriminant analysis in each view, to which the perceptrons are
          added, starting at 0.  With ``normalize``, a cosine grows with the probability that two points are of one
          class, see :ref:`views_start`.
        - 'cca': canonical correlation analysis with a ridge, to which the perceptrons are added, starting at 0.
        - 'auto': the better of them by the mean average precision of retrieval in both directions, in cross-validation
          on the training rows; without classes it is 'cca'.
        - 'glorot': perceptrons with random weights, from the uniform distribution of Glorot and Bengio (of He et al.
          for 'relu' and 'gelu').
        - 'uniform': the same with weights from U[−0.2, 0.2].
    n_networks : int >= 1, default=1
        Number of pairs of networks in the ensemble, which are trained one after the other.  Where they have a common
        start, their linear maps and perceptrons are averaged; otherwise the columns are divided among them, and the
        squared distance is the mean of theirs, where modules have all their columns.
    """

    n_components: Count = 64
    hidden: Sizes = (128,)
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "gelu"
    dropout: RateBelowOne = 0.5
    input_dropout: RateBelowOne = 0.3
    normalize: Flag = True
    module: MaybeFunction = None
    module_y: MaybeFunction = None
    init: Literal["auto", "semantic", "cca", "glorot", "uniform"] = "auto"
    n_networks: Count = 1

    def _plan(self):
        of_others = any(map(callable, self.get_params(deep=False).values()))
        return Plan(n_networks=self.n_networks, of_others=of_others)  # rows have both views side by side, as vectors

    @property
    def _has_modules(self):
        return self.module is not None or self.module_y is not None

    def _check_shapes(self, X, Y):
        """Raise ValueError if points are no vectors, and there is no module for them."""
        for name, points, module in (("X", X, self.module), ("Y", Y, self.module_y)):
            if module is None and points.ndim > 2:
                raise ValueError(
                    f"{name} has points of shape {points.shape[1:]}, and the built-in perceptron takes vectors; "
                    f"flatten them, or give a {'module' if name == 'X' else 'module_y'}= that takes such points."
                )

    def _network(self, rows, generator, member):
        if rows.starts is not None:
            shapes = [(n, len(start.weight)) for (n,), start in zip(rows.shapes, rows.starts)]
            parts = [self._perceptron(*shape, generator, False) for shape in shapes]
            parts = [perceptron_beside(*both, self.normalize) for both in zip(rows.starts, parts)]
            return TwoNetworks(*parts, rows.shapes)
        given = (self.module, "module"), (self.module_y, "module_y")
        points = rows.points()
        parts = [self._of_view(view, *each, generator, member) for view, each in zip(points, given)]
        if self._has_modules:
            check_widths(parts, points)
        return TwoNetworks(*parts, rows.shapes)

    def _of_view(self, points, module, name, generator, member):
        """A network that does not begin as a start, for the points of a view."""
        if module is None:
            n_columns = self.n_components if self._has_modules else self._n_columns(member)
            return self._perceptron(points.shape[1], n_columns, generator, self.normalize)
        both = self.module is not None and self.module_y is not None
        network = own_module(self, getattr(self, name), tuple(points.shape[1:]), OF_PERCEPTRON if both else (), name)
        network = checked_network(network, points, name)
        return torch.nn.Sequential(network, UnitNorm()) if self.normalize else network

    def _n_columns(self, member):
        """Columns of a member of an ensemble from random weights."""
        if self.n_components < self.n_networks:
            raise ValueError(
                f"n_components={self.n_components} leaves no column for each of n_networks={self.n_networks}; set it "
                f"to {self.n_networks} or more."
            )
        share, rest = divmod(self.n_components, self.n_networks)
        return share + (member < rest)

    def _perceptron(self, n_features, n_outputs, generator, normalize):
        return mlp(
            n_features,
            n_outputs,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            normalize=normalize,
            init="uniform" if self.init == "uniform" else "glorot",
            input_dropout=self.input_dropout,
            generator=generator,
        )


@torch.no_grad()
def check_widths(networks, points):
    """Raise ValueError unless the networks of both views return the same number of columns."""
    widths = [network.eval()(view[:2]).shape[1] for network, view in zip(networks, points)]
    for network in networks:
        network.train()
    if widths[0] != widths[1]:
        raise ValueError(
            f"the networks of the views have {widths[0]} and {widths[1]} columns; module and module_y should return "
            "the same number, which is n_components for a view without."
        )
