"""The choice of the map of two views into one space from which networks start."""

from itertools import groupby, product
from operator import itemgetter

import numpy as np

from metricnets._labels import UNKNOWN
from metricnets._numpy_networks import unit_norm
from metricnets._weights import rows_of
from metricnets.deep._training.similarity import N_FOLDS, deal
from metricnets.deep._training.two_view_maps import canonical_maps, class_probabilities

RIDGES = (3.0, 1.0, 10.0, 0.3, 0.03)  # of those that do equally well the first is taken
N_JUDGED = 1_000  # samples on which a start is chosen
N_HELD, N_DEALS = 300, 5  # samples held back in all folds: those of few samples are dealt several times, at most 5


def shared_space(views, codes, weights, n_components, candidates, *, normalize, rng):
    """Compute a map of each view so that similar samples of different views are near by their cosine.

    The candidates are pairs of a form and a ridge λ:

    - 'rows' and 'classes': canonical correlation analysis with the ridge λ tr(C)/r I added to the covariance C of each
      view, each variate times its correlation.  The covariance between the views is that of matched rows, or of all
      rows of a class.
    - 'probabilities': the class probabilities of linear discriminant analysis with the ridge λ, minus their mean.  If
      embeddings have unit norm, they are lifted to it: then a cosine grows with p(x)ᵀq(y), the probability that x and
      y are of one class, by which retrieval has the best precision.

    The best is chosen by cross-validation of the mean average precision of retrieval in both directions.

    Parameters
    ----------
    views : list of two ndarray of shape (n, r)
        Centred rows; those with the same number match.
    codes : ndarray of shape (n,)
        Class codes, −1 if unknown.
    weights : ndarray of shape (n,) or None
    n_components : int
    candidates : list of tuple (form, ridge)
    normalize : bool
        Whether embeddings have unit norm.
    rng : numpy.random.Generator

    Returns
    -------
    quality : ndarray of shape (n_judged,)
        The average precision of each sample held back, by the best candidate.
    form : str
    starts : list of two Start
    """
    some = rng.permutation(len(codes))[:N_JUDGED]
    few, c, w = [Z[some] for Z in views], codes[some], rows_of(weights, some)
    quality = [np.empty((0, len(candidates)))]
    for _ in range(min(N_DEALS, max(1, N_HELD // len(some)))):
        folds = deal(c, rng)
        for fold in range(N_FOLDS):
            kept, held = folds != fold, np.flatnonzero(folds == fold)
            if len(held) < 2 or not kept.any():
                continue
            truth = (c[held, None] == c[held]) & (c[held] != UNKNOWN) | np.eye(len(held), dtype=bool)
            known = [Z[kept] for Z in few], c[kept], rows_of(w, kept)
            of_fold = [
                precisions(*(unit_norm(start(Z[held])) for start, Z in zip(starts, few)), truth)
                for starts in fitted(*known, n_components, normalize, candidates)
            ]
            quality.append(np.stack(of_fold, axis=1))
    quality = np.concatenate(quality)  # (n_judged, n_candidates)
    best = int(quality.sum(axis=0).argmax())
    (starts,) = fitted(views, codes, weights, n_components, normalize, [candidates[best]])
    return quality[:, best], candidates[best][0], starts


def candidates_of(kind, codes):
    """Candidates for an ``init`` and class codes."""
    known = codes[codes != UNKNOWN]
    repeats = len(np.unique(known)) < len(known)
    of_kind = {"cca": ["classes", "rows"] if repeats else ["rows"], "semantic": ["probabilities"]}
    of_kind["auto"] = of_kind["semantic"] * repeats + of_kind["cca"]
    return list(product(of_kind[kind], RIDGES))


def fitted(views, codes, weights, n_components, normalize, candidates):
    """The two starts of each candidate; those of one form come one after the other."""
    lift = normalize and n_components > 2
    for form, group in groupby(candidates, key=itemgetter(0)):
        ridges = [ridge for _, ridge in group]
        if form == "probabilities":
            yield from class_probabilities(views, codes, weights, n_components, ridges, lift)
        else:
            yield from canonical_maps(views, codes if form == "classes" else None, weights, n_components, ridges)


def precisions(z, z_other, truth):
    """Average precision of retrieval by each row, (n,), the mean of both directions."""
    return sum(_average_precisions(s, t) for s, t in ((z @ z_other.T, truth), (z_other @ z.T, truth.T))) / 2


def _average_precisions(s, truth):
    found = truth[np.arange(len(s))[:, None], np.argsort(-s, axis=1, kind="stable")]
    ranks = np.arange(1, s.shape[1] + 1)
    return (np.cumsum(found, axis=1) / ranks * found).sum(axis=1) / found.sum(axis=1)
