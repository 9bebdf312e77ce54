"""Within-class covariance normalisation (WCCN): a linear map in closed form, from which networks start."""

from functools import partial
from itertools import product

import numpy as np
import torch
from scipy.linalg import eigh
from sklearn.decomposition import PCA

from metricnets._cores import in_threads, n_threads
from metricnets._linalg import COLLINEAR, with_fixed_signs
from metricnets._numpy_networks import unit_norm
from metricnets._weights import mean_of, rows_of
from metricnets.deep._training.similarity import N_FOLDS
from metricnets.networks import Residual, fixed_linear

RANK = 256  # number of principal components, at most
VARIES = 1e-24  # variance of a feature, with the largest one 1, that is not rounding in double precision
ROUNDING = 1e-5  # range of a component, with the largest one 1, that is rounding in single precision
LIFTS = (0.0, 1.0)
N_ROWS, N_NUMBERS = 10_000, 2**22  # samples from which the map is computed, and their features in all
N_JUDGED = 2_000  # samples on which ridge, lift and scales are chosen
LEAST = 2**27  # multiplications of a thread in the products of all samples, below which one thread is as fast
N_HELD, N_DEALS = 500, 5  # samples held back in all folds: those of few samples are dealt several times, at most 5


def whitening_layer(X, standardize, points, similarity, n_components, normalize, seed, bases=None, n_jobs=1):
    """The map of `wccn` as a layer after ``standardize``, from a sample of those rows of X that are ``points``."""
    rng = np.random.default_rng(seed)
    Z, similarity = sampled(X, standardize, points, similarity, rng)
    options = {"normalize": normalize, "rng": rng, "bases": bases, "n_jobs": n_jobs}
    return fixed_linear(*wccn(Z, similarity, n_components, **options))


def sampled(X, standardize, points, similarity, rng, n=None):
    """At most n of the rows of X that are ``points``, standardised, and which of these are similar."""
    similarity, rows = similarity.sample(n or n_rows_of(X.shape[1]), rng)
    return standardize(torch.from_numpy(X[points[rows]].astype(float))).numpy(), similarity


def n_rows_of(n_features):
    """Number of the samples from which a layer is computed."""
    return min(N_ROWS, max(N_JUDGED, N_NUMBERS // n_features))


def wccn(X, similarity, n_components, *, normalize, rng, bases=None, n_jobs=1):
    """Compute the map x ↦ Wx + b of within-class covariance normalisation.

    In the principal components of the points, where the differences of similar points have the covariance C, it is
    (C + λ tr(C)/r I)^(−1/2), followed by the ``n_components`` directions of largest variance, scaled so that the mean
    squared norm is 1.  For λ → ∞ it is no metric, and for λ → 0 relevant component analysis.  If embeddings have unit
    norm, b may have one entry above 0, the lift, in a column of its own: then the norm of a point counts too.

    λ, the lift, and whether features are divided by their standard deviations, are chosen by cross-validation.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Centred points.
    similarity : OfTargets or OfPairs
        Which points are similar.
    n_components : int
    normalize : bool
        Whether embeddings are scaled to unit norm afterwards.
    rng : numpy.random.Generator
    bases : tuple of ndarray or None
        The principal components of `bases_of`; None computes those of these points.
    n_jobs : int or None
        Number of threads, in which the result has the same bits.

    Returns
    -------
    weight : ndarray of shape (n_components, d)
    bias : ndarray of shape (n_components,)

    References
    ----------
    A. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition",
    ICSLP 2006.
    """
    choice = chosen(X, similarity, n_components, normalize, rng, bases, n_jobs)
    return map_by(choice, X, similarity, n_components)


def chosen(X, similarity, n_components, normalize, rng, bases=None, n_jobs=1):
    """The principal components, ridge and lift of `wccn`, by cross-validation; None if the points are equal."""
    if len(X) < 2 or (X[:1] == X).all():  # or those whose similarity is known
        return None
    threads = n_threads(n_jobs, X.size * X.shape[1], LEAST)
    bases = bases or bases_of(X, similarity.of_points(), threads)
    lifts = LIFTS if normalize and n_components > 1 else LIFTS[:1]
    few, rows = similarity.sample(N_JUDGED, rng)
    deals = deals_of(few, rng)
    points = [X[rows] @ basis.T for basis in bases]
    quality = qualities(points, few, deals, lifts, n_components, normalize, threads)
    best, ridge, lift = list(product(range(len(bases)), few.ridges, lifts))[few.best(quality)]
    return bases[best], ridge, lift


def bases_of(X, weights, threads=1):
    """The principal components of the points, and of those whose features are divided by standard deviations."""
    scales = np.ones(X.shape[1]), feature_scales(X, weights)
    return tuple(in_threads(partial(principal_basis, X), scales, threads))


def bases_of_rows(X, standardize, rows, weights, seed):
    """The principal components of `bases_of` of a sample of some rows of X, standardised."""
    rows = rows[np.random.default_rng(seed).permutation(len(rows))[: n_rows_of(X.shape[1])]]
    return bases_of(standardize(torch.from_numpy(X[rows].astype(float))).numpy(), rows_of(weights, rows))


def deals_of(few, rng):
    """Numbers of folds of a few samples, several times if there are very few."""
    return [few.folds(rng) for _ in range(min(N_DEALS, max(1, N_HELD // len(few))))]


def qualities(points, similarity, deals, lifts, n_components, normalize, threads=1):
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
    scatters = []
    for Z in points:
        D = deviations(Z, similarity.of_points())
        scatters.append(D.T @ D / len(D))

    def splits():
        for folds, fold in product(deals, range(N_FOLDS)):
            kept, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            truth = similarity.truth(kept, held)
            for Z, S in zip(points, scatters):
                yield Z, S, kept, held, truth

    def judged(split):
        Z, S, kept, held, truth = split
        maps = whitened_directions(similarity.covariance(Z, kept), S, similarity.ridges, n_components)
        z = embeddings(Z, *maps, lifts, n_components, normalize)
        return similarity.quality(z, kept, held, truth)

    found = list(in_threads(judged, splits(), threads if similarity.of_numpy else 1))
    return [np.concatenate(found[i : i + len(points)]) for i in range(0, len(found), len(points))]


def whitened_directions(C, S, ridges, n_components):
    """Directions of largest variance of points with covariance S, after whitening by C and each ridge.

    Returns
    -------
    directions : ndarray of shape (n_ridges, r, k)
        One in a column, the largest variance first.
    variances : ndarray of shape (n_ridges, k)
    """
    values, vectors = np.linalg.eigh(C)
    roots = np.tile(np.eye(len(C)), (len(ridges), 1, 1))  # (C + λ tr(C)/r I)^(−1/2), or the identity if C is 0
    if (mean := values.mean()) > 0:
        scales = (values.clip(0) + np.multiply.outer(ridges, mean)[:, None]) ** -0.5
        roots = (vectors * scales[:, None]) @ vectors.T
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


def map_by(choice, X, similarity, n_components, rows=None):
    """The map of `wccn` by what `chosen` returned, from all points, or from some rows, each of which has a target."""
    if choice is None:
        return np.eye(n_components, X.shape[1]), np.zeros(n_components)
    basis, ridge, lift = choice
    Z, weights = X @ basis.T, similarity.of_points()
    C = similarity.covariance(Z, np.arange(len(similarity)) if rows is None else rows)
    if rows is not None:
        Z, weights = Z[rows], rows_of(weights, rows)
    L, b = whitened(Z, C, ridge, lift, n_components, weights)
    return L @ basis, b


def whitened(Z, C, ridge, lift, n_components, weights=None):
    """The map (n_components, r) and bias of `wccn` in principal components Z; similar points have covariance C.

    With the lift, which has a column of its own, there is one direction less.
    """
    values, vectors = eigh(C)
    mean = values.mean()
    Z = deviations(Z, weights)
    root = (vectors * (values.clip(0) + ridge * mean) ** -0.5) @ vectors.T if mean > 0 else np.eye(len(C))
    directions = eigh(root @ (Z.T @ Z) @ root)[1][:, ::-1].T
    n_directions = min(len(directions), n_components - (lift > 0))
    L, b = np.zeros((n_components, len(root))), np.zeros(n_components)
    L[:n_directions] = with_fixed_signs(directions[:n_directions] @ root)
    L /= np.sqrt(((Z @ L.T) ** 2).sum(axis=1).mean())
    if lift:
        b[n_directions] = lift
    return L, b


def deviations(Z, weights=None):
    """Points minus their mean, times the roots of their weights, of which the mean is 1."""
    if weights is None:
        return Z - Z.mean(axis=0)
    return (Z - mean_of(Z, weights)) * np.sqrt(weights / weights.mean())[:, None]


def principal_layer(X, standardize, n_components, seed):
    """A rotation to principal components as a layer after ``standardize``, scaled to a mean squared norm of 1.

    If there are as many components as features, the distances of all points are kept up to that scale, also of those
    that are not in the span of X.
    """
    rng = np.random.default_rng(seed)
    Z = _some_rows(X, standardize, rng)
    basis = principal_basis(Z, np.ones(X.shape[1]), n_components)
    norm = np.sqrt(((Z @ basis.T) ** 2).sum(axis=1).mean())
    n_others = min(n_components, X.shape[1]) - len(basis)
    others = np.linalg.qr(np.c_[basis.T, rng.normal(size=(X.shape[1], n_others))])[0].T[len(basis) :]
    L = np.zeros((n_components, X.shape[1]))
    L[: len(basis) + n_others] = np.r_[basis, others] / (norm or 1.0)
    return fixed_linear(L, np.zeros(n_components))


def component_layer(X, standardize, seed):
    """The principal components of the points, at most `RANK`, scaled to a mean variance of 1, as a layer."""
    Z = _some_rows(X, standardize, np.random.default_rng(seed))
    basis = principal_basis(Z, np.ones(X.shape[1]))
    if not len(basis):  # all points are equal
        basis = np.zeros((1, X.shape[1]))
    variance = (Z @ basis.T).var(axis=0).mean()
    return fixed_linear(basis / np.sqrt(variance or 1.0), np.zeros(len(basis)))


def _some_rows(X, standardize, rng):
    """A random sample of the rows of X, standardised."""
    return standardize(torch.from_numpy(X[rng.permutation(len(X))[: n_rows_of(X.shape[1])]].astype(float))).numpy()


@torch.no_grad()
def added_from_zero(network, last, X):
    """Residual network that starts as the identity: a network, whose layer ``last`` is set to 0, added to points.

    The network ignores features that do not vary in X, about which nothing can be learned.
    """
    spans = X.amax(0) - X.amin(0)
    varies = spans > ROUNDING * spans.max()
    last.weight.zero_()
    return Residual(network, varies * varies.sum().float() ** 0.5)


def feature_scales(X, weights=None):
    """Inverse standard deviations of the features, 0 for those that do not vary."""
    variances = X.var(axis=0) if weights is None else mean_of((X - mean_of(X, weights)) ** 2, weights)
    return np.where(variances > VARIES * variances.max(), variances, np.inf) ** -0.5


def principal_basis(X, scales, rank=RANK):
    """Principal components of the points times ``scales``, at most ``rank``, as linear maps of the points, (r, d)."""
    n, d = X.shape
    rank = min(rank, n, d)
    if min(n, d) > 8 * rank:
        pca = PCA(rank, svd_solver="randomized", random_state=0).fit(X * scales)
        return pca.components_ * scales
    X = X - X.mean(axis=0)
    X *= scales
    products = X.T @ X if n >= d else X @ X.T
    values, vectors = eigh(products, subset_by_index=[len(products) - rank, len(products) - 1])
    varies = values > COLLINEAR * values[-1]
    components = vectors[:, varies].T if n >= d else (vectors[:, varies] / np.sqrt(values[varies])).T @ X
    return with_fixed_signs(components[::-1]) * scales
