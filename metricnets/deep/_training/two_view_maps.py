"""Maps of two views into one space in closed form: canonical correlations, class probabilities."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, svd
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


def canonical_maps(views, codes, weights, n_components, ridge):
    """Canonical correlation analysis of matched rows, or, with codes, of all pairs of rows of a class."""
    means = [mean_of(Z, weights) for Z in views]
    centred = [Z - mean for Z, mean in zip(views, means)]
    roots = [_inverse_root(scaled_rows(Z, weights), ridge) for Z in centred]
    A, B = (Z @ root for Z, root in zip(centred, roots))
    if codes is not None:
        known = codes != UNKNOWN
        (*_, weights, A), (*_, B) = (group_means(Z[known], codes[known], rows_of(weights, known)) for Z in (A, B))
    U, s, V = svd(scaled_rows(A, weights).T @ scaled_rows(B, weights), full_matrices=False)
    k = min(n_components, len(s))
    signs = np.sign(np.take_along_axis(U, np.abs(U).argmax(axis=0)[None], axis=0))
    scale = signs * s / (s[0] or 1.0)
    starts = []
    for Z, mean, root, directions in zip(centred, means, roots, (U, V.T)):
        L = np.zeros((n_components, Z.shape[1]))
        L[:k] = ((root @ directions) * scale).T[:k]
        norm = np.sqrt(((Z @ L.T) ** 2).sum(axis=1).mean()) or 1.0
        starts.append(Start(L / norm, -(L / norm) @ mean))
    return starts


def _inverse_root(Z, ridge):
    """The symmetric inverse root of ZᵀZ plus a ridge, (r, r)."""
    C = Z.T @ Z
    values, vectors = eigh(C)
    values = values.clip(0) + (ridge * values.mean() or 1.0)
    return (vectors / np.sqrt(values)) @ vectors.T


def class_probabilities(views, codes, weights, n_components, ridge, lift=False):
    """Linear discriminant analysis of each view: class probabilities, at most ``n_components`` combinations of them."""
    k, places = (n_components - 2, (0, 1)) if lift else (n_components, (None, None))
    known = codes != UNKNOWN
    weights = rows_of(weights, known)
    views, (classes, number) = [Z[known] for Z in views], np.unique(codes[known], return_inverse=True)
    linear = [discriminant_functions(Z, number, weights, ridge) for Z in views]
    n_classes = len(classes)
    columns = np.eye(k, n_classes)
    if k < n_classes:
        p = np.vstack([Start(*each, np.eye(n_classes))(Z) for each, Z in zip(linear, views)])
        columns = with_fixed_signs(eigh(p.T @ p)[1][:, : -k - 1 : -1].T)
    return [Start(*each, columns, classes, place) for each, place in zip(linear, places)]


def discriminant_functions(Z, number, weights, ridge):
    """Weights (n_classes, r) and biases (n_classes,) of linear discriminant analysis with a ridge."""
    *_, sizes, means = group_means(Z, number, weights)
    D = scaled_rows(Z - means[number], weights)
    C = D.T @ D / max(sizes.sum() - len(sizes), 1.0)
    C += (ridge * np.trace(C) / len(C) or 1.0) * np.eye(len(C))
    directions = np.linalg.solve(C, means.T).T  # (n_classes, r)
    return directions, np.log(sizes / sizes.sum()) - (directions * means).sum(axis=1) / 2
