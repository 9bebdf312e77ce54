"""Class shares of samples before training: labels spread to samples without one; samples as cards of classes."""

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA

from metricnets._label_votes import votes
from metricnets._labels import UNKNOWN
from metricnets._neighbors import Neighbors
from metricnets._numpy_networks import unit_norm
from metricnets._pseudo_labels import class_spread
from metricnets.deep._training.similarity import N_FOLDS, deal

SMALLEST = 0.1  # probability of a class from which on a sample has a part in it
LABELLED = 3.0  # how often a labelled sample counts, beside those to which labels are spread
N_COMPONENTS = 64  # principal components, at most
Start = Callable[[np.ndarray], np.ndarray]  # from class codes (n,), −1 if unknown, to embeddings (n, k)


def one_hot(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Rows of the identity, (n, n_classes); 0 where the class is unknown."""
    return (codes[:, None] == np.arange(n_classes)) * 1.0


def unit_components(X: np.ndarray) -> np.ndarray:
    """Principal components of the points, scaled to unit norm, (n, k)."""
    X = X.reshape(len(X), -1).astype(float)
    if (X[:1] == X).all():
        return np.zeros((len(X), 1))
    X = X - X.mean(axis=0)
    X /= np.abs(X).max()
    k = min(N_COMPONENTS, *X.shape)
    return unit_norm(PCA(k, random_state=0).fit_transform(X))


def held_apart(start: Start, codes: np.ndarray, shares: Callable, rng: np.random.Generator):
    """For each fold, the rows of labelled samples, and what embeddings and labels of the others say of them.

    That is ``shares(z, codes, held)``, such as class shares of the rows ``held``, (n_held, n_classes).
    """
    rows = np.flatnonzero(codes != UNKNOWN)
    folds, parts = deal(codes[rows], rng), []
    for fold in range(N_FOLDS):
        held, others = rows[folds == fold], codes.copy()
        others[held] = UNKNOWN
        if len(held) and len(np.unique(others[others != UNKNOWN])) > 1:
            parts.append((held, shares(start(others), others, held)))
    return parts


def spread_labels(
    start: Start, codes: np.ndarray, n_classes: int, rng: np.random.Generator, weights: np.ndarray | None = None
) -> np.ndarray:
    """Class shares of all samples, 0 or 1, by labels spread along neighbours.

    Where the nearest labelled sample classifies labelled samples that are held back better, by more than the standard
    error of the difference, the others have no share.

    Parameters
    ----------
    start : callable
    codes : ndarray of int of shape (n,)
    n_classes : int
    rng : numpy.random.Generator
    weights : ndarray of shape (n,) or None
        How often each sample counts; None for once.

    Returns
    -------
    shares : ndarray of shape (n, n_classes)
    """

    def both(z, others, held):
        known = np.flatnonzero(others != UNKNOWN)
        spread = class_spread(z, others, n_classes, weights)[held]
        return spread, votes(z[known], others[known], z[held], n_classes, 1)

    loss = np.zeros(len(codes))  # 1 where the nearest labelled sample alone is right, −1 where the spread label is
    for held, shares in held_apart(start, codes, both, rng):
        spread, nearest_one = ((p.argmax(axis=1) == codes[held]) * 1.0 for p in shares)
        loss[held] = nearest_one - spread
    loss = loss if weights is None else weights * loss
    known = one_hot(codes, n_classes)
    if loss.sum() > np.linalg.norm(loss):
        return known
    shares = class_spread(start(codes), codes, n_classes, weights)
    return np.where(known.any(axis=1, keepdims=True), known, one_hot(shares.argmax(axis=1), n_classes))


def beside_spread(shares: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Class shares of labelled samples, which count `LABELLED` times if others have a share, and of these others."""
    known = shares.any(axis=1, keepdims=True)
    others = np.where(known, 0, spread)
    return np.where(known, (LABELLED if others.any() else 1.0) * shares, others)


def have_spread(shares: np.ndarray) -> bool:
    """Whether shares are those of `beside_spread`, and others than labelled samples have one."""
    return bool((shares.sum(axis=1) > (1 + LABELLED) / 2).any())


def nearest_shares(z: np.ndarray, codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Class shares of all samples, in proportion to 1/d², with the distance d to the nearest labelled one of a class.

    Parameters
    ----------
    z : ndarray of shape (n, n_components)
    codes : ndarray of int of shape (n,)
        Class codes; −1 where the class is unknown.
    n_classes : int

    Returns
    -------
    shares : ndarray of shape (n, n_classes)
        With rows of sum 1; 0 for classes without a sample.
    """
    inverse = np.zeros((len(z), n_classes))
    for code in np.unique(codes[codes != UNKNOWN]):
        d = Neighbors(z[codes == code], 1).with_distances(z)[1][:, 0]
        inverse[:, code] = np.maximum(d, 1e-6) ** -2
    return inverse / inverse.sum(axis=1, keepdims=True)


def cards(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, classes and weights of samples that have a part in several classes: a card for each, of its share.

    How often a card is drawn is in proportion to its weight, so that a sample has soft labels in expectation.
    """
    rows, codes = np.nonzero(shares > SMALLEST * shares.sum(axis=1, keepdims=True))
    return rows, codes, shares[rows, codes]
