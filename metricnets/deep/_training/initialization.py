"""Initial weights in closed form: principal components, whitening by similar pairs, iterative quantisation."""

import numpy as np
import torch
from scipy.linalg import pinvh
from sklearn.decomposition import PCA
from torch import nn

from metricnets._codes import quantization_rotation
from metricnets._linalg import COLLINEAR, components_from_metric
from metricnets.networks import fixed_linear

N_ROWS = 20_000  # from which the rotation of ITQ is computed
RIDGE = 0.03  # of the mean variance of differences of similar points


@torch.no_grad()
def principal_start(module, X, differences=None):
    """Set a perceptron to the principal components of X, scaled to a mean variance of 1.

    With ``differences`` (n, d) of similar points, the components are whitened by them, see `whitening_within`;
    further units of the first layer are 0.
    """
    first = next(layer for layer in module.modules() if isinstance(layer, nn.Linear))
    pca = PCA(min(*X.shape, first.out_features), random_state=0).fit(X)
    components, variances = pca.components_, pca.explained_variance_
    if differences is not None:
        first.weight.zero_()
        components, variances = whitening_within(components, variances, differences)
    linear_start(module, components / np.sqrt(variances.mean()), pca.mean_)


@torch.no_grad()
def linear_start(module, components, origin):
    """Set a perceptron to a linear map in the first units of its first layer, and to the identity in other layers."""
    first, *others = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    first.weight[: len(components)] = torch.from_numpy(components)
    first.bias.copy_(-first.weight @ torch.as_tensor(origin, dtype=first.weight.dtype))
    for layer in others:
        nn.init.eye_(layer.weight)


def whitening_within(components, variances, differences):
    """Combine principal components (k, d) so that differences of similar points have covariance I.

    The combination is a symmetric square root, applied to components of variance 1, so that the variances of the
    units of a layer are similar.  Returns the linear maps (k', d) and their variances.
    """
    varies = variances > COLLINEAR * variances[0]
    unit = components[varies] / np.sqrt(variances[varies])[:, None]  # (k', d)
    D = differences @ unit.T
    within = D.T @ D
    within += (RIDGE * np.trace(within) / len(within) or 1.0) * np.eye(len(within))
    root = components_from_metric(pinvh(within))  # (k', k')
    return root @ unit, (root**2).sum(axis=1)


def itq_layer(X, n_components, seed):
    """Iterative quantisation of points in principal components (n, r), as a linear layer to be trained.

    Its outputs have a mean square of 1.  With more bits than components, these are first mapped to random orthonormal
    directions of as many dimensions.
    """
    rng = np.random.default_rng(seed)
    X, r = X.numpy()[rng.permutation(len(X))[:N_ROWS]].astype(float), X.shape[1]
    frame = np.eye(n_components, r)
    if n_components > r:
        frame = np.linalg.qr(rng.normal(size=(n_components, r)))[0]
    V = X @ frame.T
    R = quantization_rotation(V, rng) / (np.sqrt((V**2).mean()) or 1.0)
    return fixed_linear(R.T @ frame, np.zeros(n_components)).requires_grad_(True)
