"""Features of two views in which networks start: principal components, or those of a Gaussian kernel."""

import copy

import numpy as np
import torch
from scipy.linalg import eigh
from torch import nn

from metricnets._weights import mean_of, rows_of
from metricnets.deep._training.shared_space import candidates_of, shared_space
from metricnets.deep._training.shrinkage import within_error
from metricnets.deep._training.wccn import feature_scales, principal_basis
from metricnets.networks import GaussianKernel, fixed_linear

N_ROWS = 10_000  # from which starting layers are computed
N_LANDMARKS = 256
ROUNDING = 1e-6  # eigenvalue of a kernel matrix, with the largest one 1, that is not rounding


def starting_layers(views, standardize, targets, kept, n_components, *, kind, normalize, seed):
    """Layers of features of each view, and the starts of `shared_space` after them.

    Cross-validation chooses whether features are divided by their standard deviations, and whether the layers are
    principal components of them, or also a Gaussian kernel of these, if it is clearly better.
    """
    rng = np.random.default_rng(seed)
    rows = kept[rng.permutation(len(kept))[:N_ROWS]]
    codes, weights = targets.labels.numpy()[rows], rows_of(targets.weights, rows)
    Z = [each[0](torch.from_numpy(X[rows].astype(float))).numpy() for X, each in zip(views, standardize)]

    def judged(layers, candidates):
        inner = [after(each, X) for each, X in zip(layers, Z)]
        options = {"normalize": normalize, "rng": np.random.default_rng(seed)}
        return *shared_space(inner, codes, weights, n_components, candidates, **options), layers

    candidates = candidates_of(kind, codes)
    linear = [[[principal_layer(X, weights, scaled)] for X in Z] for scaled in (False, True)]
    found = [judged(layers, candidates) for layers in linear]
    quality, form, starts, layers = max(found, key=lambda each: each[0].sum())
    kernel = [[*each, *kernel_layers(after(each, X), weights, rng)] for each, X in zip(layers, Z)]
    of_kernel, _, *with_kernel = judged(kernel, [candidate for candidate in candidates if candidate[0] == form])
    if clearly_better(of_kernel, quality, n_distinct=min(len(rows), len(quality))):
        starts, layers = with_kernel
    return layers, starts


def clearly_better(quality, other, n_distinct):
    """Whether the quality (n,) of judgements of some distinct samples is better than another one beyond its error."""
    return len(quality) > 0 and not within_error(other[:, None], quality, n_distinct).all()


@torch.no_grad()
def after(layers, X):
    """Points after some layers, in double precision."""
    return nn.Sequential(*copy.deepcopy(layers)).double()(torch.from_numpy(X).double()).numpy()


def principal_layer(X, weights, scaled):
    """Principal components as a layer, scaled to a mean variance of 1."""
    d = X.shape[1]
    if (X[:1] == X).all():
        return fixed_linear(np.eye(1, d), np.zeros(1))
    basis = principal_basis(X, feature_scales(X, weights) if scaled else np.ones(d))
    basis /= np.sqrt((X @ basis.T).var(axis=0).mean())
    return fixed_linear(basis, np.zeros(len(basis)))


def kernel_layers(X, weights, rng):
    """Nyström features of a Gaussian kernel as layers, centred and scaled to a mean variance of 1.

    The kernel is exp(−‖x − x'‖² / s), with s the mean squared distance of the points; its landmarks are random points.
    There are no layers if all points are equal.

    References
    ----------
    C. Williams, M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.
    """
    if (X[:1] == X).all():
        return []
    landmarks = X[rng.permutation(len(X))[:N_LANDMARKS]]
    kernel = GaussianKernel(landmarks, 2 * X.var(axis=0).sum())
    values, vectors = eigh(after([kernel], landmarks))
    varies = values > ROUNDING * values[-1]
    basis = (vectors[:, varies] / np.sqrt(values[varies])).T
    features = after([kernel], X) @ basis.T
    basis /= np.sqrt(features.var(axis=0).mean())
    return [kernel, fixed_linear(basis, -basis @ mean_of(after([kernel], X), weights))]
