"""Relatedness of two tasks inferred by variational Bayes, also from samples that are annotated in one of them."""

import numpy as np
from scipy.special import digamma, gammaln, softmax

from metricnets._labels import UNKNOWN
from metricnets._relatedness.counting import SMOOTHING

N_PASSES = 5  # for each smoothing; it begins at what was found with the one before


def inferred(
    counts: np.ndarray,
    codes_a: np.ndarray,
    codes_b: np.ndarray,
    ratios_a: np.ndarray,
    ratios_b: np.ndarray,
    prior_a: np.ndarray,
    prior_b: np.ndarray,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Infer relatedness from samples annotated in one or two tasks.

    The model is that of `counted`: rows R[c] have Dirichlet distributions around the class frequencies π of the second
    task, which count as s samples, and R is the mean over some s, weighted by s times the likelihood.  Given that a
    sample has the class c of the first task, its point x is Σ_k R[c, k] P(k | x) / π_k times as likely as without, and
    in the same way for a sample of which only the class k of the second one is known.  The classes that are not known
    are latent variables of a variational posterior.

    Parameters
    ----------
    counts : ndarray of shape (n_a, n_b)
        Numbers of samples annotated in both tasks, of each pair of classes.
    codes_a, codes_b : ndarray of int of shape (n,)
        Class codes; −1 if unknown.  Samples annotated in both tasks do not count once more.
    ratios_a, ratios_b : ndarray of shape (n, n_a), (n, n_b)
        P(k | x) / π_k.  If all are 1, points say nothing, and the samples do not count.
    prior_a, prior_b : ndarray of shape (n_a,), (n_b,)
        Class frequencies.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    R : ndarray of shape (n_a, n_b)

    Examples
    --------
    >>> codes_a, codes_b = np.repeat([0, 1, -1], 10), np.repeat([-1, 0], [20, 10])
    >>> ratios = np.repeat([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], 10, axis=0)
    >>> half = np.array([0.5, 0.5])
    >>> inferred(np.zeros((2, 2)), codes_a, codes_b, ratios, ratios, half, half).round(1)
    array([[1., 0.],
           [0., 1.]])
    """
    weights = np.ones(len(codes_a)) if weights is None else weights
    only_a = (codes_a != UNKNOWN) & (codes_b == UNKNOWN) & (ratios_b != 1).any()
    only_b = (codes_b != UNKNOWN) & (codes_a == UNKNOWN) & (ratios_a != 1).any()
    parts = [
        (codes_a[only_a], ratios_b[only_a], weights[only_a]),
        (codes_b[only_b], prior_a * ratios_a[only_b] / prior_b[codes_b[only_b], None], weights[only_b]),
    ]
    latent, given, bounds = np.zeros_like(counts), [], []
    for s in SMOOTHING[::-1]:
        for _ in range(N_PASSES):
            alpha = counts + latent + s * prior_b
            latent, likelihood = _expected(alpha, *parts)
        given.append(alpha / alpha.sum(axis=1, keepdims=True))
        bounds.append(likelihood + (counts * _mean_logs(alpha)).sum() - _divergence(alpha, s * prior_b))
    return np.tensordot(softmax(np.log(SMOOTHING[::-1]) + bounds), given, axes=1)


def inferred_both(
    counts: np.ndarray, codes: tuple, ratios: tuple, priors: tuple, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Infer relatedness of two tasks in both directions, from the mean of the joint probabilities of either.

    Parameters
    ----------
    counts : ndarray of shape (n_a, n_b)
    codes, ratios, priors : tuple of two ndarray
        Those of `inferred`, of both tasks.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    R, reverse : ndarray of shape (n_a, n_b), (n_b, n_a)
    """
    R = inferred(counts, *codes, *ratios, *priors, weights)
    reverse = inferred(counts.T, *codes[::-1], *ratios[::-1], *priors[::-1], weights)
    joint = (priors[0][:, None] * R + (priors[1][:, None] * reverse).T) / 2
    return joint / joint.sum(axis=1, keepdims=True), joint.T / joint.sum(axis=0)[:, None]


def _mean_logs(alpha):
    """Expectations of the logarithms of R."""
    return digamma(alpha) - digamma(alpha.sum(axis=1, keepdims=True))


def _expected(alpha, of_a, of_b):
    """Expected counts (n_a, n_b) of samples of which one class is known, and the logarithm of their likelihood."""
    R, total, likelihood = np.exp(_mean_logs(alpha)), np.zeros_like(alpha), 0.0
    for matrix, sums, (codes, ratios, weights) in ((R, total, of_a), (R.T, total.T, of_b)):
        joint = ratios * matrix[codes]
        found = joint.sum(axis=1)
        np.add.at(sums, codes, joint * (weights / found)[:, None])
        likelihood += weights @ np.log(found)
    return total, likelihood


def _divergence(alpha, prior):
    """Kullback-Leibler divergence of Dirichlet distributions with rows alpha from one with ``prior``."""
    at = gammaln(alpha.sum(axis=1)) - gammaln(prior.sum()) - (gammaln(alpha) - gammaln(prior)).sum(axis=1)
    return (at + ((alpha - prior) * _mean_logs(alpha)).sum(axis=1)).sum()
