"""Features, ridge and lift of within-class covariance normalisation, chosen by cross-validation."""

from itertools import product

import numpy as np

from metricnets._numpy_networks import unit_norm
from metricnets._weights import mean_of, scaled_rows
from metricnets.deep._training.similarity import N_FOLDS


def qualities(points, similarity, deals, lifts, n_components, normalize):
    """How well points held back are found in the embeddings by the maps of `wccn`.

    Parameters
    ----------
    points : list of ndarray of shape (n, r)
        Principal components of the points, for each way to scale the features.
    similarity : OfTargets, OfPairs or OfComparisons
    deals : list of ndarray of shape (n_judged,)
        Numbers of folds.
    lifts : tuple of float
    n_components : int
    normalize : bool

    Returns
    -------
    qualities : list of ndarray of shape (len(points) * n_ridges * n_lifts, ...)
        For each fold, the lifts of a ridge one after the other.
    """
    found, ridges = [], similarity.ridges
    scatters = [scatter(Z, similarity.of_points()) for Z in points]
    for folds, fold in product(deals, range(N_FOLDS)):
        kept, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        truth = similarity.truth(kept, held)
        found.append([])
        for Z, S in zip(points, scatters):
            maps = whitened_directions(similarity.covariance(Z, kept), S, ridges, n_components)
            z = embeddings(Z, *maps, lifts, n_components, normalize)
            found[-1].extend(similarity.quality(z, kept, held, truth))
    return [np.array(of_fold) for of_fold in found]


def scatter(Z, weights=None):
    """Covariance of points, (r, r)."""
    Z = scaled_rows(Z - mean_of(Z, weights), None if weights is None else weights / weights.mean())
    return Z.T @ Z / len(Z)


def inverse_roots(C, ridges):
    """(C + λ tr(C)/r I)^(−1/2) for each ridge λ, or the identity if C is 0, (n_ridges, r, r)."""
    values, vectors = np.linalg.eigh(C)
    mean = values.mean()
    if not mean > 0:
        return np.tile(np.eye(len(C)), (len(ridges), 1, 1))
    roots = (values.clip(0) + np.multiply.outer(ridges, mean)[:, None]) ** -0.5
    return (vectors * roots[:, None]) @ vectors.T


def whitened_directions(C, S, ridges, n_components):
    """Directions of largest variance of points with covariance S, after whitening by C and each ridge.

    Returns
    -------
    directions : ndarray of shape (n_ridges, r, k)
        One in a column, the largest variance first.
    variances : ndarray of shape (n_ridges, k)
    """
    roots = inverse_roots(C, ridges)
    variances, vectors = np.linalg.eigh(roots @ S @ roots)
    k = min(n_components, len(C))
    return roots @ vectors[..., : -k - 1 : -1], variances[:, : -k - 1 : -1].clip(0)


def embeddings(Z, directions, variances, lifts, n_components, normalize):
    """Embeddings of points as by `wccn`, up to signs and columns of zeros, (n_ridges * n_lifts, n, k + 1)."""
    n_ridges, _, k = directions.shape
    z = np.zeros((n_ridges, len(lifts), len(Z), k + 1))
    for i, lift in enumerate(lifts):
        n_directions = min(k, n_components - (lift > 0))
        norms = np.sqrt(variances[:, :n_directions].sum(axis=1))
        scales = np.where(norms > 0, norms, 1.0)[:, None, None]
        z[:, i, :, :n_directions] = Z @ (directions[..., :n_directions] / scales)
        z[:, i, :, -1] = lift
    z = z.reshape(-1, len(Z), k + 1)
    return unit_norm(z) if normalize else z
