"""Initial weights of a perceptron in closed form: principal components, and whitening by similar pairs."""

import numpy as np
import torch
from scipy.linalg import pinvh
from sklearn.decomposition import PCA
from torch import nn

from metricnets._linalg import COLLINEAR, components_from_metric

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
