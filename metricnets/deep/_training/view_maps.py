"""What the networks of several views start from: a linear map of each, and weights, chosen by cross-validation."""

from itertools import product

import numpy as np

from metricnets._views import fused_units, present_views
from metricnets.deep._training.similarity import N_FOLDS
from metricnets.deep._training.wccn import chosen, deals_of, map_by, n_rows_of, sampled
from metricnets.networks import fixed_linear

N_JUDGED = 1000  # samples on which weights are chosen
STEPS = (0.4, 0.1)  # by which weights move to those of one view alone
N_STEPS = 12  # at most


def map_of_view(X, standardize, points, similarity, n_components, normalize, seed):
    """The map of `wccn` for the points of a view, as a layer after ``standardize``, and what was chosen for it."""
    rng = np.random.default_rng(seed)
    Z, similarity = sampled(X, standardize, points, similarity, n_rows_of(X.shape[1]), rng)
    choice = chosen(Z, similarity, n_components, normalize, rng)
    return fixed_linear(*map_by(choice, Z, similarity, np.arange(len(Z)), n_components)), choice


def weights_by_validation(X, standardize, columns, choices, points, similarity, n_components, normalize, seed):
    """Choose the weights of the views by how well samples held back are found among the others.

    The maps of the views are those of `wccn` from the samples that are not held back.  Weights start equal, and move in
    steps to those of one view alone, as long as that finds samples better.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points, which ``standardize`` makes points of all views side by side; NaN where a view is missing.
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
    Z, few = sampled(X, standardize, points, similarity, N_JUDGED, rng)
    present = present_views(np.isnan(Z), columns)
    parts = []
    for folds, fold in product(deals_of(few, rng), range(N_FOLDS)):
        kept, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        maps = zip(columns, choices, present.T)
        z = [_held_apart(Z[:, each], few, kept[has[kept]], choice, n_components) for each, choice, has in maps]
        parts.append((z, kept, held, few.truth(kept, held)))

    def quality(candidates):
        found = 0
        for z, *split in parts:
            fused = np.stack([fused_units(z, present, weights, normalize) for weights in candidates])
            found = found + few.quality(fused, *split)
        return found / len(parts)

    return climbed(quality, len(columns))


def _held_apart(Z, few, rows, choice, n_components):
    """Embeddings of the points of a view by the map from some rows; 0 if there are too few of them."""
    if len(rows) < 2:
        return np.zeros((len(Z), n_components))
    L, b = map_by(choice, Z, few, rows, n_components)
    return Z @ L.T + b


def climbed(quality, n_views):
    """Weights of large quality, by steps from equal ones to those of one view alone.

    Parameters
    ----------
    quality : callable
        From a list of weights to an array, the quality of each.
    n_views : int

    Returns
    -------
    weights : ndarray of shape (n_views,)
    """
    weights = np.full(n_views, 1 / n_views)
    if n_views == 1:
        return weights
    best = quality([weights])[0]
    for _ in range(N_STEPS):
        candidates = [(1 - step) * weights + step * alone for step in STEPS for alone in np.eye(n_views)]
        found = quality(candidates)
        if not found.max() > best:
            break
        weights, best = candidates[int(found.argmax())], found.max()
    return weights
