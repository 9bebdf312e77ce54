"""The start of networks in a stream, renewed by sums over all samples so far."""

from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import orthogonal_procrustes

from metricnets._linalg import components_from_metric, middle, shifted
from metricnets._scatters import Scatters
from metricnets.deep._training.data import CHUNK
from metricnets.deep._training.scaling import applied
from metricnets.deep._training.wccn import chosen, sampled, whitened
from metricnets.networks import Standardize, fixed_linear


class ClassSums(NamedTuple):
    """Counts, means and scatters of the classes of all samples of a stream.

    Parameters
    ----------
    origin : ndarray of shape (d,)
        Subtracted from the points, so that no digits are lost.
    groups : Scatters
        Of the points minus the origin.
    """

    origin: np.ndarray
    groups: Scatters

    @classmethod
    def of_none(cls, X: np.ndarray) -> Self:
        """Those of no points; the origin is near X (n, d)."""
        return cls(middle(X[:CHUNK].astype(float)), Scatters.of_none(X.shape[1]))

    def after(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Self:
        """Those after points X (n, d) of classes y (n,)."""
        origin, groups = self
        with np.errstate(over="ignore", invalid="ignore"):
            for part in (slice(i, i + CHUNK) for i in range(0, len(X), CHUNK)):
                groups = groups.merged(Scatters.of(shifted(X[part], origin), y[part], weights[part]))
        return ClassSums(origin, groups)

    def standardization(self) -> Standardize:
        """The layer that subtracts the mean, and divides by one standard deviation for all features that vary."""
        total = self.groups.joined()
        variances = total.within.diagonal() / total.counts
        return Standardize(self.origin, total.means[0], np.mean(variances[variances > 1e-10 * variances.max()]) ** 0.5)

    def have_digits(self) -> bool:
        """Whether the squares that are summed neither overflow nor vanish."""
        with np.errstate(over="ignore", invalid="ignore"):
            return 0 < np.trace(self.groups.joined().within) < np.inf


def renewed(layers, sums, X, points, similarity, normalize, seed):
    """The map of `wccn` of all samples so far, rotated to the one before, so that networks after it may go on.

    Within the principal components of the samples at hand, and with the ridge and the lift that these choose, the
    covariances are those of the sums.  A rotation of the map changes no distance.

    Parameters
    ----------
    layers : list of torch.nn.Module
        The standardisation and the map before.
    sums : ClassSums
    X : ndarray of shape (n, d)
        Samples at hand.
    points : ndarray of int of shape (n_points,)
        The rows of X whose class is known.
    similarity : OfTargets
    normalize : bool
    seed : int

    Returns
    -------
    layers : list of torch.nn.Module
    """
    if not sums.have_digits():
        return layers
    rng, standardize, n_components = np.random.default_rng(seed), sums.standardization(), layers[1].out_features
    Z, similarity = sampled(X, standardize, points, similarity, rng)
    choice = chosen(Z, similarity, n_components, normalize, rng)
    if choice is None:
        return layers
    basis, ridge, lift = choice
    within, total = sums.groups, sums.groups.joined()
    units = basis / standardize.scale.numpy()
    C, T = (units @ each.within @ units.T / total.counts for each in (within, total))
    L, b = whitened(points_like(T), C, ridge, lift, n_components)
    return [standardize, rotated([standardize, fixed_linear(L @ basis, b)], layers, X)]


def points_like(T):
    """Points (2 r, r) of mean 0 with the covariance T (r, r)."""
    root = components_from_metric(len(T) * T)
    return np.concatenate([root, -root])


def rotated(layers, before, X):
    """The last of the layers, a linear map, with its outputs of X rotated to those of the layers before."""
    found, expected = (applied(each, X).double().numpy() for each in (layers, before))
    R = orthogonal_procrustes(found, expected)[0]
    weight, bias = (each.detach().double().numpy() for each in (layers[-1].weight, layers[-1].bias))
    return fixed_linear(R.T @ weight, bias @ R)
