"""Greedy layer-wise denoising autoencoders, an initialisation of the weights."""

import numpy as np
import torch
from torch import nn

from metricnets.deep._training.data import Rows, Targets
from metricnets.deep._training.loop import Options, Part, train
from metricnets.networks import Dropout, linear_layer
from metricnets.samplers import Shuffled


def pretrain(network, X, generator, *, noise=0.2, max_epochs=30, lr=3e-3, batch_size=128):
    """Train each layer of ``network`` in turn as the encoder of a denoising autoencoder.

    The input of layer m is h⁽ᵐ⁻¹⁾ with a share ``noise`` of its entries set to 0.  A linear decoder, which is
    discarded afterwards, reconstructs h⁽ᵐ⁻¹⁾ from h⁽ᵐ⁾ with the smallest mean squared error.

    Parameters
    ----------
    network : metricnets.networks.MLP
        Trained in place.
    X : tensor of shape (n, n_features)
    generator : torch.Generator
    noise : float in [0, 1), default=0.2
    max_epochs : int, default=30
        For each layer.
    lr : float, default=0.003
    batch_size : int, default=128

    References
    ----------
    P. Vincent et al., "Stacked denoising autoencoders", JMLR 2010.
    """
    h = X
    options = Options(optimizer="adam", lr=lr, weight_decay=0.0, max_epochs=max_epochs, generator=generator)
    rng = np.random.default_rng(generator.initial_seed())
    for layer in network:
        h = _restored(layer, h, rng, Dropout(noise, generator), batch_size, options)
    network.train()


def _restored(layer, h, rng, noise, batch_size, options):
    """Train one layer, and return its output."""
    with torch.no_grad():
        n_out = layer(h[:2]).shape[1]
    decoder = linear_layer(n_out, h.shape[1], True, "glorot", "identity", noise.generator)
    autoencoder = nn.Sequential(noise, layer, decoder)
    part = Part(Rows(h, Targets(h)), np.arange(len(h)))
    part.sampler = Shuffled(len(h), batch_size, rng)
    _, interrupted, _ = train(autoencoder, _reconstruction, [part], options)
    if interrupted:
        raise KeyboardInterrupt
    with torch.no_grad():
        return layer(h)  # (n, n_out)


def _reconstruction(output, targets):
    return nn.functional.mse_loss(output, targets.labels)
