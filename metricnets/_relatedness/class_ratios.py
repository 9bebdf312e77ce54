"""What points say about the classes of a task: ratios of the probability of each class and its frequency."""

import numpy as np
from scipy.special import log_softmax, softmax

from metricnets._labels import UNKNOWN
from metricnets._linalg import middle, shifted
from metricnets._weights import mean_of, rows_of

RIDGES = 0.03, 0.1, 0.3, 1.0, 3.0, 10.0
FACTORS = 1.0, 2.0, 4.0, 8.0, 16.0, 32.0
N_CANDIDATES = 2 * len(RIDGES) * len(FACTORS)
TINY = 1e-12


def class_ratios(
    X: np.ndarray, codes: np.ndarray, priors: list[np.ndarray], weights: np.ndarray | None = None
) -> list[np.ndarray]:
    """Estimate P(k | x) / π_k for each task by ridge regression on the classes, with a constant.

    Its predictions, times a factor, are logits.  The ridge, the factor, and whether features are divided by their
    standard deviations, are those by which the classes of points that are left out are most likely.  They have to be
    more likely than by the class frequencies π alone, by more than the number of candidates; otherwise points say
    nothing, and all ratios are 1.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n, n_columns)
        Class codes; −1 if unknown.
    priors : list of ndarray of shape (n_classes,)
        The class frequencies π of each column.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    ratios : list of ndarray of shape (n, n_classes)

    Examples
    --------
    >>> X = np.repeat([[-1.0], [1.0], [-1.0], [1.0]], [9, 9, 1, 1], axis=0)
    >>> codes = np.repeat([[0], [1], [-1]], [9, 9, 2], axis=0)
    >>> class_ratios(X, codes, [np.array([0.5, 0.5])])[0][-2:].round()
    array([[2., 0.],
           [0., 2.]])
    """
    masks, number = np.unique(codes != UNKNOWN, axis=1, return_inverse=True)
    ratios = [None] * len(priors)
    for i, known in enumerate(masks.T):
        some = rows_of(weights, known)
        some = np.ones(known.sum()) if weights is None else some / some.mean()
        spectra = _spectra(X, known, some)
        for j in np.flatnonzero(number.ravel() == i):
            ratios[j] = _ratios(spectra, codes[known, j], priors[j], some)
    return ratios


def _spectra(X, known, weights):
    """Products of all points and the known ones, eigenvalues and vectors of the latter, weighted; for both scales."""
    X, roots = shifted(X, middle(X)), np.sqrt(weights)
    X = np.ldexp(X, -np.frexp(np.abs(X).max(initial=0))[1])  # squares would overflow or vanish
    centred = X - X.mean(axis=0)
    spreads = centred.std(axis=0)
    inverse = np.divide(1.0, spreads, out=np.zeros_like(spreads), where=spreads > TINY * spreads.max())
    found = []
    for Z in (centred, centred * inverse):
        products = Z @ Z[known].T / max(mean_of((Z[known] ** 2).sum(axis=1), weights), TINY) + 1.0
        found.append((products, *np.linalg.eigh(products[known] * np.outer(roots, roots))))
    return found


def _ratios(spectra, labels, prior, weights):
    """The ratios (n, n_classes) of one column by the best candidate."""
    truth, roots, logs = np.eye(len(prior))[labels], np.sqrt(weights)[:, None], np.log(prior)
    likelihood, chosen = weights @ logs[labels] + np.log(N_CANDIDATES), None
    for products, values, vectors in spectra:
        for ridge in RIDGES:
            inverse = (vectors / (values.clip(0) + ridge)) @ vectors.T
            dual = roots * (inverse @ (roots * truth))
            left_out = truth - dual / (weights * np.diag(inverse))[:, None]
            logits = np.multiply.outer(FACTORS, left_out) + logs
            found = log_softmax(logits, axis=2)[:, np.arange(len(labels)), labels] @ weights
            if found.max() > likelihood:
                likelihood, chosen = found.max(), (FACTORS[found.argmax()], products, dual)
    if chosen is None:
        return np.ones((len(spectra[0][0]), len(prior)))
    factor, products, dual = chosen
    return softmax(factor * (products @ dual) + logs, axis=1) / prior
