"""What the networks of several views start from: a linear map of each, and weights, chosen by cross-validation."""

from itertools import product

import numpy as np

from metricnets._numpy_networks import unit_norm
from metricnets._views import seen_views
from metricnets._weights import rows_of
from metricnets.deep._training.scaling import standardization
from metricnets.deep._training.similarity import N_FOLDS
from metricnets.deep._training.wccn import chosen, deals_of, map_by, sampled
from metricnets.networks import fixed_linear

N_JUDGED = 2000  # samples on which weights are chosen
LEAST = 0.01  # quality above chance that counts for a view that has none


def standardizations(X, columns, weights):
    """The standardisation of each view, of the rows that have it; ValueError if none has."""
    views = zip(columns, seen_views(np.isnan(X), columns, "X to learn from").T)
    return [standardization(X[has][:, each], rows_of(weights, has)) for each, has in views]


def map_of_view(X, standardize, points, similarity, n_components, normalize, seed):
    """The map of `wccn` for the points of a view, as a layer after ``standardize``, and what was chosen for it."""
    rng = np.random.default_rng(seed)
    Z, similarity = sampled(X, standardize, points, similarity, rng)
    choice = chosen(Z, similarity, n_components, normalize, rng)
    return fixed_linear(*map_by(choice, Z, similarity, n_components)), choice


def weights_by_validation(X, standardize, columns, choices, points, similarity, n_components, normalize, seed):
    """Choose the weights of the views by how well each alone finds samples held back among the others.

    The weight of a view is in proportion to the square of its quality above that of random samples.  Maps are
    those of `wccn` from the samples that are not held back.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points, which ``standardize`` makes points of all views side by side; NaN where a view is missing.
    standardize : torch.nn.Module
    columns : list of ndarray of int
        The columns of each view among these.
    choices : list
        What was chosen for the map of each view.
    points : ndarray of int
        Rows to choose by.
    similarity : OfTargets
        Which of these are similar.
    n_components : int
    normalize : bool
    seed : int

    Returns
    -------
    weights : ndarray of shape (n_views,)
        Positive, with sum 1.
    """
    rng = np.random.default_rng(seed)
    Z, few = sampled(X, standardize, points, similarity, rng, N_JUDGED)
    deals, above = deals_of(few, rng), []
    for each, choice in zip(columns, choices):
        rows = np.flatnonzero(~np.isnan(Z[:, each[0]]))
        found = [
            _above_chance(Z[:, each], few, *split(folds, fold, rows), choice, n_components, normalize)
            for folds, fold in product(deals, range(N_FOLDS))
        ]
        above.append(max(np.mean(found), LEAST))
    squares = np.square(above)
    return squares / squares.sum()


def split(folds, fold, rows):
    """The rows that are kept, and those held back."""
    return rows[folds[rows] != fold], rows[folds[rows] == fold]


def _above_chance(Z, few, kept, held, choice, n_components, normalize):
    """Quality of the samples held back by the map of the others, above that of random embeddings."""
    truth = few.truth(kept, held)
    if not truth.size or (Z[kept] == Z[kept[:1]]).all():
        return 0.0
    L, b = map_by(choice, Z, few, n_components, kept)
    z = Z @ L.T + b
    return few.quality((unit_norm(z) if normalize else z)[None], kept, held, truth)[0] - truth.mean()
