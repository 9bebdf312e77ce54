"""Maps of two views into one space in closed form: canonical correlations, class probabilities."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr, svd
from scipy.special import softmax
from torch import nn

from metricnets._groups import group_means
from metricnets._labels import UNKNOWN
from metricnets._linalg import with_fixed_signs
from metricnets._numpy_networks import lifted
from metricnets._weights import mean_of, rows_of, scaled_rows
from metricnets.networks import Lift, fixed_linear


class Start(NamedTuple):
    """A map of one view: z ↦ Wz + b, or, with ``columns``, the class probabilities softmax(Wz + b) in these columns.

    Parameters
    ----------
    weight : ndarray of shape (m, r)
    bias : ndarray of shape (m,)
    columns : ndarray of shape (k, m) or None
        Combinations of the m class probabilities minus 1 / m.
    classes : ndarray of shape (m,) or None
        Codes of these classes.
    place : {0, 1} or None
        The view, 0 or 1, whose embeddings are lifted to unit norm, see `Lift`, which has two more columns.
    """

    weight: np.ndarray
    bias: np.ndarray
    columns: np.ndarray | None = None
    classes: np.ndarray | None = None
    place: int | None = None

    def __call__(self, Z):
        """Embeddings of rows."""
        z = Z @ self.weight.T + self.bias
        if self.columns is None:
            return z
        z = (softmax(z, axis=1) - 1 / len(self.bias)) @ self.columns.T
        return z if self.place is None else lifted(z, self.place)

    def layers(self):
        """The same as a list of layers that are not trained; the linear map is doubled, for a mean with another."""
        linear = fixed_linear(2 * self.weight, 2 * self.bias)
        if self.columns is None:
            return [linear]
        combined = fixed_linear(self.columns, -self.columns.mean(axis=1))
        return [linear, nn.Softmax(dim=1), combined, *([] if self.place is None else [Lift(self.place)])]


def canonical_maps(views, codes, weights, n_components, ridges):
    """Canonical correlation analysis of matched rows, or, with codes, of all pairs of rows of a class.

    Yields
    ------
    starts : list of two Start
        For each ridge.
    """
    means = [mean_of(Z, weights) for Z in views]
    centred = [Z - mean for Z, mean in zip(views, means)]
    spectra = [_spectrum(scaled_rows(Z, weights)) for Z in centred]
    A, B = centred
    if codes is not None:
        known = codes != UNKNOWN
        (*_, weights, A), (*_, B) = (group_means(Z[known], codes[known], rows_of(weights, known)) for Z in centred)
    A, B = scaled_rows(A, weights), scaled_rows(B, weights)
    for ridge in ridges:
        roots = [_inverse_root(*spectrum, ridge) for spectrum in spectra]
        U, s, V = _svd_of_product(A @ roots[0], B @ roots[1])
        k = min(n_components, len(s))
        signs = np.sign(np.take_along_axis(U, np.abs(U).argmax(axis=0)[None], axis=0))
        scale = signs * s / (s[0] or 1.0)
        maps = [((root @ directions) * scale).T[:k] for root, directions in zip(roots, (U, V.T))]
        yield [_start(L, Z, mean, n_components) for L, Z, mean in zip(maps, centred, means)]


def _start(L, Z, mean, n_components):
    """The map of some directions as a start, whose embeddings of the centred rows Z have the mean squared norm 1."""
    norm = np.sqrt(((Z @ L.T) ** 2).sum(axis=1).mean()) or 1.0
    weight = np.zeros((n_components, Z.shape[1]))
    weight[: len(L)] = L / norm
    return Start(weight, -weight @ mean)


def _svd_of_product(A, B):
    """Singular value decomposition of AᵀB, in the span of the rows if these are few."""
    if len(A) >= min(A.shape[1], B.shape[1]):
        return svd(A.T @ B, full_matrices=False)
    (Q, R), (Q_other, R_other) = qr(A.T, mode="economic"), qr(B.T, mode="economic")
    U, s, V = svd(R @ R_other.T)
    return Q @ U, s, V @ Q_other.T


def _spectrum(Z):
    """Eigenvalues, at least 0, and eigenvectors of ZᵀZ."""
    values, vectors = eigh(Z.T @ Z)
    return values.clip(0), vectors


def _inverse_root(values, vectors, ridge):
    """The symmetric inverse root of a matrix, of which this is the spectrum, plus a ridge, (r, r)."""
    values = values + (ridge * values.mean() or 1.0)
    return (vectors / np.sqrt(values)) @ vectors.T


def class_probabilities(views, codes, weights, n_components, ridges, lift=False):
    """Linear discriminant analysis of each view: class probabilities, at most ``n_components`` combinations of them.

    Yields
    ------
    starts : list of two Start
        For each ridge.
    """
    k, places = (n_components - 2, (0, 1)) if lift else (n_components, (None, None))
    known = codes != UNKNOWN
    weights = rows_of(weights, known)
    views, (classes, number) = [Z[known] for Z in views], np.unique(codes[known], return_inverse=True)
    n_classes, moments = len(classes), [_within(Z, number, weights) for Z in views]
    for ridge in ridges:
        linear = [discriminant_functions(*of_view, ridge) for of_view in moments]
        columns = np.eye(k, n_classes)
        if k < n_classes:
            p = np.vstack([Start(*each, np.eye(n_classes))(Z) for each, Z in zip(linear, views)])
            columns = with_fixed_signs(eigh(p.T @ p)[1][:, : -k - 1 : -1].T)
        yield [Start(*each, columns, classes, place) for each, place in zip(linear, places)]


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
