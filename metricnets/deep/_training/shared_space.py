"""Maps of two views into one space in closed form, from which networks start."""

from itertools import groupby, product
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, svd
from scipy.special import softmax
from torch import nn

from metricnets._groups import group_means
from metricnets._labels import UNKNOWN
from metricnets._linalg import with_fixed_signs
from metricnets._numpy_networks import unit_norm
from metricnets._weights import mean_of, rows_of, scaled_rows
from metricnets.deep._training.similarity import N_FOLDS, deal
from metricnets.networks import fixed_linear

RIDGES = (3.0, 1.0, 10.0, 0.3, 0.03)  # of those that do equally well the first is taken
N_JUDGED = 1_000  # samples on which a start is chosen
N_HELD, N_DEALS = 300, 5  # samples held back in all folds: those of few samples are dealt several times, at most 5
STARTS = ("auto", "semantic", "cca")


class Start(NamedTuple):
    """A map of one view: z ↦ Wz + b, or, with ``columns``, the class probabilities softmax(Wz + b) in these columns.

    Parameters
    ----------
    weight : ndarray of shape (m, r)
    bias : ndarray of shape (m,)
    columns : ndarray of shape (n_components, m) or None
        Combinations of the m class probabilities minus 1 / m.
    classes : ndarray of shape (m,) or None
        Codes of these classes.
    """

    weight: np.ndarray
    bias: np.ndarray
    columns: np.ndarray | None = None
    classes: np.ndarray | None = None

    def __call__(self, Z):
        """Embeddings of rows."""
        z = Z @ self.weight.T + self.bias
        return z if self.columns is None else (softmax(z, axis=1) - 1 / len(self.bias)) @ self.columns.T

    def layers(self):
        """The same as a list of layers that are not trained; the linear map is doubled, for a mean with another."""
        linear = fixed_linear(2 * self.weight, 2 * self.bias)
        if self.columns is None:
            return [linear]
        return [linear, nn.Softmax(dim=1), fixed_linear(self.columns, -self.columns.mean(axis=1))]


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


def canonical_maps(views, codes, weights, n_components, ridges):
    """Canonical correlation analysis of matched rows, or, with codes, of all pairs of a class, for each ridge."""
    means = [mean_of(Z, weights) for Z in views]
    centred = [Z - mean for Z, mean in zip(views, means)]
    spectra = [eigh(D.T @ D) for D in (scaled_rows(Z, weights) for Z in centred)]
    A, B = centred
    if codes is not None:
        known = codes != UNKNOWN
        (*_, weights, A), (*_, B) = (group_means(Z[known], codes[known], rows_of(weights, known)) for Z in centred)
    cross = scaled_rows(A, weights).T @ scaled_rows(B, weights)
    for ridge in ridges:
        roots = [_inverse_root(*spectrum, ridge) for spectrum in spectra]
        yield _variates(centred, means, roots, svd(roots[0] @ cross @ roots[1], full_matrices=False), n_components)


def _inverse_root(values, vectors, ridge):
    """The symmetric inverse root of a matrix with these eigenvalues and eigenvectors plus a ridge, (r, r)."""
    values = values.clip(0) + (ridge * values.mean() or 1.0)
    return (vectors / np.sqrt(values)) @ vectors.T


def _variates(centred, means, roots, decomposition, n_components):
    """The starts whose columns are canonical variates, each times its correlation, of a mean squared norm of 1."""
    U, s, V = decomposition
    k = min(n_components, len(s))
    scale = np.sign(U[np.abs(U).argmax(axis=0), np.arange(len(s))]) * s / (s[0] or 1.0)
    starts = []
    for Z, mean, root, directions in zip(centred, means, roots, (U, V.T)):
        L = np.zeros((n_components, Z.shape[1]))
        L[:k] = ((root @ directions) * scale).T[:k]
        norm = np.sqrt(((Z @ L.T) ** 2).sum(axis=1).mean()) or 1.0
        starts.append(Start(L / norm, -(L / norm) @ mean))
    return starts


def class_probabilities(views, codes, weights, n_components, ridges):
    """Linear discriminant analysis of each view, for each ridge; at most ``n_components`` combinations of them."""
    known = codes != UNKNOWN
    weights = rows_of(weights, known)
    views, (classes, number) = [Z[known] for Z in views], np.unique(codes[known], return_inverse=True)
    n_classes, moments = len(classes), [_within(Z, number, weights) for Z in views]
    for ridge in ridges:
        linear = [discriminant_functions(*each, ridge) for each in moments]
        columns = np.eye(n_components, n_classes)
        if n_components < n_classes:
            p = np.vstack([Start(*each, np.eye(n_classes))(Z) for each, Z in zip(linear, views)])
            columns = with_fixed_signs(eigh(p.T @ p)[1][:, : -n_components - 1 : -1].T)
        yield [Start(*each, columns, classes) for each in linear]


def _within(Z, number, weights):
    """Sizes (n_classes,) and means (n_classes, r) of the classes, and the covariance within them."""
    *_, sizes, means = group_means(Z, number, weights)
    D = scaled_rows(Z - means[number], weights)
    return sizes, means, D.T @ D / max(sizes.sum() - len(sizes), 1.0)


def discriminant_functions(sizes, means, C, ridge):
    """Weights (n_classes, r) and biases (n_classes,) of linear discriminant analysis with a ridge."""
    C = C + (ridge * np.trace(C) / len(C) or 1.0) * np.eye(len(C))
    directions = np.linalg.solve(C, means.T).T  # (n_classes, r)
    return directions, np.log(sizes / sizes.sum()) - (directions * means).sum(axis=1) / 2


def precision(z, z_other, truth):
    """Mean average precision of retrieval, the mean of both directions."""
    return sum(_average_precision(s, t) for s, t in ((z @ z_other.T, truth), (z_other @ z.T, truth.T))) / 2


def _average_precision(s, truth):
    found = truth[np.arange(len(s))[:, None], np.argsort(-s, axis=1, kind="stable")]
    ranks = np.arange(1, s.shape[1] + 1)
    return float(((np.cumsum(found, axis=1) / ranks * found).sum(axis=1) / found.sum(axis=1)).mean())
