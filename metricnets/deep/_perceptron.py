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
from metricnets.deep._training.wccn import added_from_zero, principal_layer, whitening_layer
from metricnets.networks import ACTIVATIONS, Ensemble, Mean, UnitNorm, mlp

RESIDUAL = ("wccn", "identity")  # starts with a fixed linear map
OF_PERCEPTRON = ("n_components", "hidden", "activation", "activate_output", "dropout", "input_dropout")


class NetworkMetric(DeepMetric):
    """Deep metric whose network is a multilayer perceptron, or a ``module`` of the user.

    Points are centred and divided by one scale before the network, in ``module_`` too, so X needs no scaling.  A
    ``module`` is given the points unchanged.

    Parameters
    ----------
    n_components : int >= 1, default=64
        Number of columns of the embedding.
    hidden : tuple of int, default=(128,)
        Widths of the hidden layers; () for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='gelu'
        Activation function of the hidden layers.
    activate_output : bool, default=False
        Whether the last layer also has the activation.
    dropout : float in [0, 1), default=0.2
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.3
        Share of the inputs of the perceptron, which are centred, that are set to 0 in training; the others are scaled
        up to compensate.
    normalize : bool, default=True
        Whether embeddings are scaled to unit norm, so that distances are at most 2, except with ``skip``.
    module : torch.nn.Module, class, callable or None, default=None
        Network to use instead of the perceptron, from a batch of n points to a tensor (n, k) of embeddings.  An
        instance is copied; a class or function is called, with the shape of a point if it has a required argument,
        and returns a new network.  X may then have more than two dimensions.  Modules are given float32, or int64 if
        they take integers only and X holds integers.
    init : {'wccn', 'identity', 'glorot', 'uniform'}, default='wccn'
        What the network starts from; a ``module`` starts as it is.

        - 'wccn': within-class covariance normalisation, a linear map W in closed form, whose ridge is chosen by
          cross-validation, see :ref:`start`.  W is not trained: the perceptron f starts at 0, takes Wx and is added
          to it, so embeddings are Wx + f(Wx).
        - 'identity': the same, but W is a rotation to principal components and a scaling, without regard to the
          targets.  With ``n_components`` as large as the number of features, embeddings start at the centred points.
        - 'glorot': a perceptron of x with random weights, from the uniform distribution of Glorot and Bengio (of He
          et al. for 'relu' and 'gelu').
        - 'uniform': the same with weights from U[−0.2, 0.2].
    n_networks : int >= 1, default=1
        Number of networks in the ensemble, which overfits less than one network if there are few samples.  They are
        trained one after the other, from different random weights unless ``init`` is 'pca', 'within' or 'jda'.  With
        'wccn' and 'identity', where they share W, the embedding is the mean of theirs.  Otherwise the columns are
        divided among them, and the squared distance is the mean of theirs; a ``module`` has all its columns.
    skip : float >= 0, default=0.0
        Weight of a skip connection, which appends the points to the embedding of the networks, which has
        ``n_components`` - n_features columns then.  Squared distances of points are added to those of the embeddings,
        scaled so that their mean over the training samples is ``skip`` times that of the embeddings.  It keeps
        features that a network with random initial weights ignores, which helps if the network overfits; with 'wccn'
        and 'identity', whose embeddings have the points in them, it is an error.
    """

    n_components: Count = 64
    hidden: Sizes = (128,)
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "gelu"
    activate_output: Flag = False
    dropout: RateBelowOne = 0.2
    input_dropout: RateBelowOne = 0.3
    normalize: Flag = True
    module: MaybeFunction = None
    init: Literal["wccn", "identity", "glorot", "uniform"] = "wccn"
    n_networks: Count = 1
    skip: NonNegative = 0.0

    @property
    def _is_whitened(self):
        return self.module is None and self.init == "wccn"

    def _plan(self):
        of_others = any(map(callable, self.get_params(deep=False).values()))
        return Plan(self.module is None, self.n_networks, of_others)

    def _joined(self, networks, X):
        module = networks[0] if len(networks) == 1 else self._ensemble(networks)
        return beside_points(module, X, self.skip, self._rows_at_once) if self.skip else module

    def _ensemble(self, networks):
        if self.module is not None or self.init not in RESIDUAL:
            return Ensemble(networks)
        mean = Mean(networks)
        return nn.Sequential(mean, UnitNorm()) if self.normalize else mean

    def _network(self, rows, generator, member):
        shape = tuple(rows.X.shape[1:])
        if self.module is not None:
            network = self._own_network(self.module, shape)
        elif self.init in RESIDUAL:
            network = self._perceptron(*shape, self.n_components, generator, normalize=False)
            network = added_from_zero(network, network[-1][-1], rows.X)  # the points
            network = nn.Sequential(network, UnitNorm()) if self.normalize else network
        else:
            network = self._perceptron(*shape, self._n_columns(*shape, member), generator, self.normalize)
        self._initialize(network, rows, generator)
        return network

    def _own_network(self, module, shape):
        """A new network from a ``module`` of the user's for points of this shape."""
        network = own_module(self, module, shape, OF_PERCEPTRON)
        return nn.Sequential(network, UnitNorm()) if self.normalize else network

    def _first_layers(self, X, standardize, targets, kept, seed):
        if self.init not in RESIDUAL:
            return []
        if self.activate_output or self.skip:
            self._check_start()  # it raises
        if self.init == "identity":
            return [principal_layer(X, standardize, self.n_components, seed)]
        return [self._whitening(X, standardize, targets, kept, seed)]

    def _check_start(self):
        """Raise ValueError for parameters that are for random weights, with an ``init`` that is not."""
        if self.init not in RESIDUAL:
            return
        if self.activate_output:
            raise ValueError(
                f"activate_output=True is for random weights: with init={self.init!r} the output is a sum; set "
                "init='glorot'."
            )
        if self.skip:
            raise ValueError(
                f"skip={self.skip} is for random weights: init={self.init!r} has the points in it; set 'glorot'."
            )

    def _whitening(self, X, standardize, targets, kept, seed):
        """Hook: the map of `wccn` from which the network starts, a layer with ``n_components`` outputs."""
        similar = self._similarity(targets, kept)
        return whitening_layer(X, standardize, *similar, self.n_components, self.normalize, seed)

    def _n_columns(self, n_features, member):
        """Columns of a member of the ensemble, which shares ``n_components`` with the others and with the points."""
        n_points = n_features if self.skip else 0
        if self.n_components < n_points + self.n_networks:
            beside = f" beside the {n_points} columns of the points, which skip={self.skip} appends" if n_points else ""
            raise ValueError(
                f"n_components={self.n_components} leaves no column for each of n_networks={self.n_networks}{beside}; "
                f"set it to {n_points + self.n_networks} or more."
            )
        share, rest = divmod(self.n_components - n_points, self.n_networks)
        return share + (member < rest)

    def _initialize(self, network, rows, generator):
        """Hook: set the weights from the data."""

    def _perceptron(self, n_features, n_components, generator, normalize):
        for width in self.hidden:
            if not isinstance(width, Integral) or width < 1:
                raise ValueError(f"hidden={self.hidden!r} should hold the widths of the layers, integers >= 1.")
        return mlp(
            n_features,
            n_components,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            activate_output=self.activate_output,
            normalize=normalize,
            init="uniform" if self.init == "uniform" else "glorot",  # `_initialize` may set other weights later
            input_dropout=self.input_dropout,
            generator=generator,
        )


def own_module(estimator, module, shape, of_perceptron, which="module"):
    """A new network from a ``module`` of the estimator; ValueError if a parameter ``of_perceptron`` is set besides."""
    for name in of_perceptron:
        value, default = getattr(estimator, name), type(estimator).__dataclass_fields__[name].default
        if value != default:
            raise ValueError(
                f"{name}={value!r} is for the built-in perceptron, which {which}= replaces; leave it at {default!r}."
            )
    n_networks = estimator._plan().n_networks
    if n_networks > 1 and isinstance(module, nn.Module):
        raise ValueError(
            f"n_networks={n_networks} would train copies of one module; give a class or a function as {which}=, "
            "which returns a new network each time."
        )
    return _module_of(module, shape, which)


def _module_of(module, shape, which):
    """A new network from the user's ``module``: an instance, a class or a function of the shape."""
    with naming(which, module):
        built = _built(module, shape)
    if not isinstance(built, nn.Module):
        raise ValueError(f"{which}={module!r} should return a torch.nn.Module; got {type(built).__name__}.")
    with naming(which, built):
        return built.cpu().float()


def _built(module, shape):
    if isinstance(module, nn.Module):
        return copy.deepcopy(module)
    required = [p for p in inspect.signature(module).parameters.values() if p.default is p.empty]
    positional = [p for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return module(shape) if positional else module()
