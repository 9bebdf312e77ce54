"""Scaling of the points before a network, and of those appended by a skip connection."""

import copy

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

from metricnets._tables import Table, is_large, parts_of
from metricnets.deep._training.data import CHUNK, tensor_of
from metricnets.deep._training.tables import Points, some_of
from metricnets.networks import Skip, Standardize

LARGEST = 1e300  # absolute value of features, so that their differences are finite


def standardization(X, weights=None):
    """Compute the mean of each feature, and one standard deviation for all that vary.

    Values are taken relative to the smallest ones, in units of a power of two, which loses no digits, so that the
    result does not depend on the origin and the unit of the points.  Mean and scale are rounded to the 24 bits of
    single precision, so that they do not depend on the order of the rows.

    Parameters
    ----------
    X : ndarray or Table of shape (n, d)
    weights : ndarray of shape (n,) or None
        Numbers of occurrences of the rows.

    Returns
    -------
    standardize : Standardize
        The layer that subtracts and divides.

    Raises
    ------
    ValueError
        If the points are not vectors, or their differences are not finite.
    """
    if X.ndim > 2:
        raise ValueError(
            f"X has points of shape {X.shape[1:]}, and the built-in perceptron takes vectors; flatten them, or give "
            "module=, for learners that have it, a network that takes such points."
        )
    weights = np.ones(len(X)) if weights is None else weights
    low, high = X.extent if isinstance(X, Table) else (X.min(axis=0), X.max(axis=0))
    origin, largest = low.astype(float), high.astype(float)
    if max(largest.max(), -origin.min()) > LARGEST:
        raise ValueError(f"X ranges from {low.min():.3g} to {high.max():.3g}, beyond {LARGEST:.0e}: scale it first.")
    span = (largest - origin).max()
    exponent = np.frexp(span)[1] if span else 0
    unit = np.ldexp(1.0, exponent)
    mean, variance, parts = np.zeros_like(origin), np.zeros_like(origin), list(parts_of(X.shape))
    for part in parts:
        mean += weights[part] @ np.ldexp(X[part] - origin, -exponent)
    mean = _rounded(mean / weights.sum())
    for part in parts:
        variance += weights[part] @ (np.ldexp(X[part] - origin, -exponent) - mean) ** 2
    variance /= weights.sum()
    scale = _rounded(np.mean(variance[variance > 1e-10 * variance.max()]) ** 0.5) if variance.any() else 1.0
    return Standardize(origin, unit * mean, unit * scale)


def _rounded(numbers):
    """Numbers of double precision, rounded to the 24 bits of single precision."""
    digits, exponents = np.frexp(numbers)
    return np.ldexp(digits.astype(np.float32).astype(float), exponents)


@torch.no_grad()
def applied(layers, X, in_parts=False):
    """Apply layers to points, a chunk of rows at a time in double precision; the result has single precision.

    A large result is that of `Points`, if it may be read ``in_parts``, to which they are applied when they are read.
    """
    layers = copy.deepcopy(nn.Sequential(*layers)).double()
    shape = len(X), layers(torch.from_numpy(X[:1].astype(float))).shape[1]
    if in_parts and is_large(shape):
        return Points(layers, X if isinstance(X, Table) else Table(X))
    Z = torch.empty(*shape, dtype=torch.float32)
    for part in parts_of(X.shape):
        Z[part] = layers(torch.from_numpy(X[part].astype(float)))
    return Z


def in_single_precision(X):
    """Points in single precision, `Points` of a table that is large; raise ValueError if one is beyond its range."""
    if isinstance(X, Table):
        largest = max(X.extent[1].max(), -X.extent[0].min())
    else:
        largest = max(np.fmax.reduce(X, axis=None), -np.fmin.reduce(X, axis=None))
    if largest > np.finfo(np.float32).max:
        raise ValueError(f"X has values up to {largest:.3g}, which networks in float32 cannot take; scale it.")
    if isinstance(X, Table):
        points = Points(None, X)
        return points if is_large(X.shape) else torch.cat([points[part] for part in parts_of(X.shape)])
    return tensor_of(X, torch.float32)


@torch.no_grad()
def beside_points(network, X, weight, n_rows):
    """A network with a skip connection; the mean squared distance of points is ``weight`` times that of embeddings.

    It embeds ``n_rows`` at a time, and of `Points` some.
    """
    X = some_of(X)
    center = X.mean(dim=0)
    spread = sum(((X[part] - center) ** 2).sum() for part in gen_batches(len(X), CHUNK))
    z = torch.cat([network(X[part]) for part in gen_batches(len(X), n_rows)])
    of_embeddings = ((z - z.mean(dim=0)) ** 2).sum()
    return Skip(network, center, (weight * of_embeddings / spread.clamp_min(1e-30)).sqrt())
