"""Which maps of two views into one space networks start from, by how well they find matches."""

from itertools import groupby, product
from operator import itemgetter

import numpy as np

from metricnets._labels import UNKNOWN
from metricnets._numpy_networks import unit_norm
from metricnets._weights import rows_of
from metricnets.deep._training.similarity import N_FOLDS, deal
from metricnets.deep._training.view_maps import canonical_maps, class_probabilities

RIDGES = (3.0, 1.0, 10.0, 0.3, 0.03)  # of those that do equally well the first is taken
N_JUDGED = 1_000  # samples on which a start is chosen
N_HELD, N_DEALS = 300, 5  # samples held back in all folds: those of few samples are dealt several times, at most 5
STARTS = ("auto", "semantic", "cca")


def shared_space(views, codes, weights, n_components, kind, rng):
    """Compute a map of each view so that similar samples of different views are near by their cosine.

    - 'cca': canonical correlation analysis with the ridge λ tr(C)/r I added to the covariance C of each view, each
      variate times its correlation.  The covariance between the views is that of matched rows, or, if the classes
      are known, of all rows of a class.
    - 'semantic': the class probabilities of linear discriminant analysis with the ridge λ, minus their mean.
    - 'auto': the better of them.

    λ and the form are chosen by cross-validation of the mean average precision of retrieval in both directions.

    Parameters
    ----------
    views : list of two ndarray of shape (n, r)
        Centred rows; those with the same number match.
    codes : ndarray of shape (n,)
        Class codes, −1 if unknown.
    weights : ndarray of shape (n,) or None
    n_components : int
    kind : {'auto', 'semantic', 'cca'}
    rng : numpy.random.Generator

    Returns
    -------
    quality : float
        The sum of the mean average precisions of the best setting.
    starts : list of two Start
    """
    some = rng.permutation(len(codes))[:N_JUDGED]
    few, c, w = [Z[some] for Z in views], codes[some], rows_of(weights, some)
    candidates = _candidates(kind, codes)
    quality = np.zeros(len(candidates))
    for _ in range(min(N_DEALS, max(1, N_HELD // len(some)))) if len(candidates) > 1 else ():
        folds = deal(c, rng)
        for fold in range(N_FOLDS):
            kept, held = folds != fold, np.flatnonzero(folds == fold)
            if len(held) < 2 or not kept.any():
                continue
            truth = (c[held, None] == c[held]) & (c[held] != UNKNOWN) | np.eye(len(held), dtype=bool)
            of_candidates = fitted([Z[kept] for Z in few], c[kept], rows_of(w, kept), n_components, candidates)
            for j, starts in enumerate(of_candidates):
                quality[j] += precision(*(unit_norm(start(Z[held])) for start, Z in zip(starts, few)), truth)
    (starts,) = fitted(views, codes, weights, n_components, [candidates[quality.argmax()]])
    return quality.max(), starts


def _candidates(kind, codes):
    """Settings (form, ridge), the form 'probabilities', 'classes' or 'rows'."""
    known = codes[codes != UNKNOWN]
    repeats = len(np.unique(known)) < len(known)
    of_kind = {"cca": ["classes", "rows"] if repeats else ["rows"], "semantic": ["probabilities"]}
    of_kind["auto"] = of_kind["semantic"] * repeats + of_kind["cca"]
    return list(product(of_kind[kind], RIDGES))


def fitted(views, codes, weights, n_components, candidates):
    """The two starts of each candidate; those of one form come one after the other."""
    for form, group in groupby(candidates, key=itemgetter(0)):
        ridges = [ridge for _, ridge in group]
        if form == "probabilities":
            yield from class_probabilities(views, codes, weights, n_components, ridges)
        else:
            yield from canonical_maps(views, codes if form == "classes" else None, weights, n_components, ridges)


def precision(z, z_other, truth):
    """Mean average precision of retrieval, the mean of both directions."""
    return sum(_average_precision(s, t) for s, t in ((z @ z_other.T, truth), (z_other @ z.T, truth.T))) / 2


def _average_precision(s, truth):
    found = truth[np.arange(len(s))[:, None], np.argsort(-s, axis=1, kind="stable")]
    ranks = np.arange(1, s.shape[1] + 1)
    return float(((np.cumsum(found, axis=1) / ranks * found).sum(axis=1) / found.sum(axis=1)).mean())
