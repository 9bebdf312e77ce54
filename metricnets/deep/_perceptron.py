"""The networks of the deep metric learners: a perceptron, or one of the user's own."""

import copy
import inspect
from numbers import Integral
from typing import Annotated, Literal

from torch import nn

from metricnets._params import Count, Flag, MaybeFunction, NonNegative, RateBelowOne, Sizes, StrOptions
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.data import Plan
from metricnets.deep._training.foreign import naming
from metricnets.deep._training.scaling import beside_points
from metricnets.networks import ACTIVATIONS, Ensemble, UnitNorm, mlp

OF_PERCEPTRON = ("n_components", "hidden", "activation", "activate_output", "dropout", "input_dropout")


class NetworkMetric(DeepMetric):
    """A deep metric whose network is a multilayer perceptron, or the user's own ``module``.

    The perceptron is trained on centred points divided by one scale, which its first layer then
    takes in; a module sees the points as they are.

    Parameters
    ----------
    n_components : int >= 1, default=32
        Width of the embedding of a network; ``transform`` returns ``n_networks * n_components`` columns, and
        with ``skip`` those of the points behind them.
    hidden : tuple of int, default=(256,)
        Widths of the hidden layers; () for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='tanh'
        Non-linearity of the layers.
    activate_output : bool, default=False
        Whether the top layer has the activation too.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units dropped in training.
    input_dropout : float in [0, 1), default=0.0
        Share of the features that are replaced by their mean in training; the others are scaled up in return.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm, so that distances, but for ``skip``, are at most 2.
    module : torch.nn.Module, class, callable or None, default=None
        A network of your own in place of the perceptron, from a batch to (n, k) embeddings: an
        instance, which is copied; or a class or function, called with the shape of a point if it
        has a required argument.  With it X may have more than two dimensions.
    init : {'glorot', 'uniform'}, default='glorot'
        How weights are drawn: Glorot and Bengio's distribution, or U[−0.2, 0.2].
    n_networks : int >= 1, default=1
        How many networks are trained, one after the other, from different weights unless ``init`` is a
        closed form.  Squared distances are the mean of theirs: where rows are few, several networks agree on
        what one has learned by chance.
    skip : float >= 0, default=0.0
        Weight of the points themselves: their squared distances are added to those of the embeddings,
        times a factor that makes their mean over the training rows ``skip`` times that of the
        embeddings.  Networks learn rows by heart; the points keep what they then forget.
    """

    n_components: Count = 32
    hidden: Sizes = (256,)
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "tanh"
    activate_output: Flag = False
    dropout: RateBelowOne = 0.0
    input_dropout: RateBelowOne = 0.0
    normalize: Flag = False
    module: MaybeFunction = None
    init: Literal["glorot", "uniform"] = "glorot"
    n_networks: Count = 1
    skip: NonNegative = 0.0

    def _plan(self):
        has_dropout = self.dropout > 0 or self.input_dropout > 0
        of_others = any(map(callable, self.get_params(deep=False).values()))
        return Plan(self.module is None, self.n_networks, has_dropout, of_others)

    def _joined(self, networks, X):
        module = networks[0] if len(networks) == 1 else Ensemble(networks)
        return beside_points(module, X, self.skip, self._rows_at_once) if self.skip else module

    def _network(self, rows, generator):
        shape = tuple(rows.X.shape[1:])
        network = self._perceptron(*shape, generator) if self.module is None else self._own_module(shape)
        self._initialize(network, rows, generator)
        return network

    def _initialize(self, network, rows, generator):
        """Hook: set the weights from the data."""

    def _perceptron(self, n_features, generator):
        for width in self.hidden:
            if not isinstance(width, Integral) or width < 1:
                raise ValueError(f"hidden={self.hidden!r} should hold whole numbers above 0, the widths of the layers.")
        return mlp(
            n_features,
            self.n_components,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            activate_output=self.activate_output,
            normalize=self.normalize,
            init="uniform" if self.init == "uniform" else "glorot",  # also where `_initialize` sets other ones
            input_dropout=self.input_dropout,
            generator=generator,
        )

    def _own_module(self, shape):
        for name in OF_PERCEPTRON:
            value, default = getattr(self, name), type(self).__dataclass_fields__[name].default
            if value != default:
                raise ValueError(
                    f"{name}={value!r} is for the built-in perceptron, and module= brings its own; leave it at "
                    f"{default!r}."
                )
        if self.n_networks > 1 and isinstance(self.module, nn.Module):
            raise ValueError(
                f"n_networks={self.n_networks} would train copies of one module; give a class or a function as "
                "module=, which makes a new network each time."
            )
        module = _module_of(self.module, shape)
        return nn.Sequential(module, UnitNorm()) if self.normalize else module


def _module_of(module, shape):
    """A fresh network from what the user gave: an instance, a class or a function of the shape."""
    with naming("module", module):
        built = _built(module, shape)
    if not isinstance(built, nn.Module):
        raise ValueError(f"module={module!r} made a {type(built).__name__}; a torch.nn.Module is needed.")
    with naming("module", built):
        return built.cpu().float()


def _built(module, shape):
    if isinstance(module, nn.Module):
        return copy.deepcopy(module)
    required = [p for p in inspect.signature(module).parameters.values() if p.default is p.empty]
    positional = [p for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return module(shape) if positional else module()
