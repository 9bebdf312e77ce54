"""Maps of two views into one space in closed form: canonical correlation analysis and discriminant analysis."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, svd
from scipy.special import softmax
from torch import nn

from metricnets._groups import group_means
from metricnets._labels import UNKNOWN
from metricnets._linalg import with_fixed_signs
from metricnets._weights import mean_of, rows_of, scaled_rows
from metricnets.networks import fixed_linear


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
