"""The shell of deep hashing: a network with tanh at its top, and its signs, the codes."""

from functools import partial
from typing import Annotated, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._codes import packed, signs
from metricnets._numpy_networks import Chain
from metricnets._params import (
    Array,
    Count,
    Flag,
    MaybeFunction,
    MaybePositive,
    NonNegative,
    RateBelowOne,
    Sizes,
    StrOptions,
)
from metricnets.deep._base import DeepMetric
from metricnets.deep._perceptron import own_module
from metricnets.deep._training.data import Plan
from metricnets.deep._training.initialization import itq_layer, principal_start
from metricnets.deep._training.numpy_networks import as_numpy
from metricnets.deep._training.tables import some_of
from metricnets.deep._training.wccn import component_layer
from metricnets.deep.hashing._objective import objective, orthogonality
from metricnets.exceptions import warn
from metricnets.networks import ACTIVATIONS, Sum, mlp

OF_PERCEPTRON = ("n_components", "hidden", "activation", "dropout", "input_dropout", "init")


class HashingMetric(DeepMetric):
    """Deep metric of binary codes, the signs of the outputs of a network whose last activation is tanh.

    The distance of two points is the Euclidean distance of their codes of ±1, which is 2√h if h bits differ: it is a
    metric, and has the same neighbours as the Hamming distance h.  :func:`metricnets.metrics.hamming_distances` counts
    bits, and :class:`HammingNeighbors` searches them.

    Parameters
    ----------
    n_components : int >= 1, default=64
        Number of bits of a code.  It may be larger than the number of features.
    packed : bool, default=False
        Whether `transform` packs codes into bytes of eight bits, an array of uint8, instead of ±1.
    variance : float >= 0, default=0.0
        Weight λ₁ of the variance of the bits, which is largest if each is +1 for half of the samples.
    orthogonality : float >= 0, default=0.0
        Weight λ₂ of the penalty ½ Σ ‖WWᵀ − I‖² on the weight matrices of the network.
    scatter : float >= 0, default=1.0
        Weight α of the scatter of similar pairs minus that of dissimilar pairs.
    margin : float > 0 or None, default=1.5
        Squared distance, divided by the number of bits, up to which a dissimilar pair counts; codes at 2 differ in half
        of their bits, as random ones do.  None is no margin, as in the paper.
    hidden : tuple of int, default=(512,)
        Widths of the hidden layers; () for a linear map.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='gelu'
        Activation function of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.0
        Share of the inputs of the perceptron that are set to 0 in training.
    module : torch.nn.Module, class, callable or None, default=None
        Network to use instead of the perceptron, see :class:`EmbeddingNet`; the number of its outputs is that of the
        bits.  Its last layer should be linear, as tanh follows.
    init : {'itq', 'pca', 'glorot'}, default='itq'
        What the network starts from; a ``module`` starts as it is.

        - 'itq': iterative quantisation, a linear map in closed form, to which a perceptron that starts at 0 is added.
          Both are trained.
        - 'pca': a perceptron with the principal components in its first layer, and the identity in the others, as in
          the paper; ``n_components`` should not be larger than a width in ``hidden``.
        - 'glorot': a perceptron with random weights.
    weight_decay : float >= 0 or 'auto', default=0.0
        Strength of the penalty on the weights and biases of the network, see :class:`EmbeddingNet`.
    batch_size : int >= 1, default=256
        Approximate number of samples in a batch.  With ``module``, also the number of points embedded at a time.
    """

    n_components: Count = 64
    packed: Flag = False
    variance: NonNegative = 0.0
    orthogonality: NonNegative = 0.0
    scatter: NonNegative = 1.0
    margin: MaybePositive = 1.5
    hidden: Sizes = (512,)
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "gelu"
    dropout: RateBelowOne = 0.0
    input_dropout: RateBelowOne = 0.0
    module: MaybeFunction = None
    init: Literal["itq", "pca", "glorot"] = "itq"
    weight_decay: Literal["auto"] | NonNegative = 0.0
    batch_size: Count = 256

    @property
    def _n_features_out(self):
        return -(-self._n_bits // 8) if self.packed else self._n_bits

    @_n_features_out.setter
    def _n_features_out(self, n_bits):
        self._n_bits = n_bits

    # ---- train

    def _plan(self):
        return Plan(self.module is None, of_others=any(map(callable, self.get_params(deep=False).values())))

    def _first_layers(self, X, standardize, targets, kept, seed):
        return [component_layer(X, standardize, seed)]

    def _network(self, rows, generator, member):
        if self.module is not None:
            return nn.Sequential(own_module(self, self.module, tuple(rows.X.shape[1:]), OF_PERCEPTRON), nn.Tanh())
        network = mlp(
            rows.X.shape[1],
            self.n_components,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            input_dropout=self.input_dropout,
            generator=generator,
        )
        if self.init == "itq":
            network[-1][-1].weight.data.zero_()
            network = Sum([itq_layer(some_of(rows.X), self.n_components, generator.initial_seed()), network])
        elif self.init == "pca" and some_of(rows.X).any():
            principal_start(network, some_of(rows.X).numpy())
        return nn.Sequential(network, nn.Tanh())

    def _objective(self, h, r):
        """The objective of a batch, see `objective`."""
        return objective(h, r, variance_weight=self.variance, scatter_weight=self.scatter, margin=self.margin)

    def _penalized(self, loss, network):
        """The loss plus the penalty on the weight matrices of the network."""
        weights = [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]
        return partial(penalized, loss, weights, self.orthogonality) if self.orthogonality else loss

    def _warn_if_collapsed(self, z, x):
        if len(torch.unique(z > 0, dim=0)) == 1 and not (x == x[0]).all():
            warn(
                f"all codes are equal after training; lower lr (lr={self.lr}), or raise scatter={self.scatter} or "
                f"variance={self.variance}."
            )

    # ---- codes

    def transform(self, X: Array) -> np.ndarray:
        """Compute the codes of points.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            The points.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            ±1, in the precision of X; with ``packed``, uint8 of shape (n_samples, ⌈n_components / 8⌉), as
            :func:`numpy.packbits` makes them, the last one filled up with zeros.
        """
        codes = super().transform(X)
        return packed(codes, "X") if self.packed else codes

    def continuous_codes(self, X: Array) -> np.ndarray:
        """Compute the outputs of the network, whose signs are the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            The points.

        Returns
        -------
        H : ndarray of shape (n_samples, n_components)
            In [−1, 1], in the precision of X.
        """
        check_is_fitted(self)
        X = self._checked_points(X)
        self._check_shape(X)
        return super()._embed(X)

    def _embed(self, X):
        return signs(super()._embed(X))

    def _frozen(self):
        return Chain([as_numpy(self.module_, self._in_double), signs])


def penalized(loss, weights, strength, h, targets):
    """A loss plus ``strength`` times the penalty on the weight matrices."""
    return loss(h, targets) + strength * orthogonality(weights)
