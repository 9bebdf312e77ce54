"""Networks of the deep metric learners: a multilayer perceptron, or a module of the user."""

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
    """Deep metric whose network is a multilayer perceptron, or a ``module`` of the user.

    The perceptron is trained on points that are centred and divided by one scale; ``module_`` does the same, so X
    needs no scaling.  A ``module`` is given the points unchanged.

    Parameters
    ----------
    n_components : int >= 1, default=32
        Dimension of the embedding of one network.  ``transform`` returns ``n_networks * n_components`` columns,
        followed by those of the points if ``skip`` is above 0.
    hidden : tuple of int, default=(256,)
        Widths of the hidden layers; () for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='tanh'
        Activation function of the hidden layers.
    activate_output : bool, default=False
        Whether the last layer also has the activation.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.0
        Share of the features that are replaced by their mean in training; the others are scaled up to compensate.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm, so that distances are at most 2, except with ``skip``.
    module : torch.nn.Module, class, callable or None, default=None
        Network to use instead of the perceptron, from a batch of n points to a tensor (n, k) of embeddings.  An
        instance is copied; a class or function is called, with the shape of a point if it has a required argument,
        and returns a new network.  X may then have more than two dimensions.  Modules are given float32, or int64 if
        they take integers only and X holds integers.
    init : {'glorot', 'uniform'}, default='glorot'
        Distribution of the initial weights of the perceptron: the uniform distribution of Glorot and Bengio (of He
        et al. for 'relu' and 'gelu'), or U[−0.2, 0.2].
    n_networks : int >= 1, default=1
        Number of networks in the ensemble.  They are trained one after the other, from different initial weights
        unless ``init`` is a closed form; the squared distance is the mean of theirs.  An ensemble overfits less if
        there are few samples.
    skip : float >= 0, default=0.0
        Weight of a skip connection, which appends the points to the embedding.  Their squared distances are added
        to those of the embeddings, scaled so that their mean over the training samples is ``skip`` times that of the
        embeddings.  It keeps features that the network ignores, which helps if the network overfits.
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
        of_others = any(map(callable, self.get_params(deep=False).values()))
        return Plan(self.module is None, self.n_networks, of_others)

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
                raise ValueError(f"hidden={self.hidden!r} should hold the widths of the layers, integers >= 1.")
        return mlp(
            n_features,
            self.n_components,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            activate_output=self.activate_output,
            normalize=self.normalize,
            init="uniform" if self.init == "uniform" else "glorot",  # `_initialize` may set other weights later
            input_dropout=self.input_dropout,
            generator=generator,
        )

    def _own_module(self, shape):
        for name in OF_PERCEPTRON:
            value, default = getattr(self, name), type(self).__dataclass_fields__[name].default
            if value != default:
                raise ValueError(
                    f"{name}={value!r} is for the built-in perceptron, which module= replaces; leave it at {default!r}."
                )
        if self.n_networks > 1 and isinstance(self.module, nn.Module):
            raise ValueError(
                f"n_networks={self.n_networks} would train copies of one module; give a class or a function as "
                "module=, which returns a new network each time."
            )
        module = _module_of(self.module, shape)
        return nn.Sequential(module, UnitNorm()) if self.normalize else module


def _module_of(module, shape):
    """A new network from the user's ``module``: an instance, a class or a function of the shape."""
    with naming("module", module):
        built = _built(module, shape)
    if not isinstance(built, nn.Module):
        raise ValueError(f"module={module!r} should return a torch.nn.Module; got {type(built).__name__}.")
    with naming("module", built):
        return built.cpu().float()


def _built(module, shape):
    if isinstance(module, nn.Module):
        return copy.deepcopy(module)
    required = [p for p in inspect.signature(module).parameters.values() if p.default is p.empty]
    positional = [p for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return module(shape) if positional else module()
