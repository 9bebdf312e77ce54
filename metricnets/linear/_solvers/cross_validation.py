"""The strength of a regularisation by cross-validation, or no change if none lowers the loss of held-out queries."""

from dataclasses import dataclass

import numpy as np

from metricnets.linear._solvers.softmax_ranking import Ranking, Subspace

STRENGTHS = 10.0 ** np.arange(3, -3.1, -0.5)
CONFIDENCE = 3  # standard errors by which a gain has to exceed 0
PATIENCE = 2  # strengths in a row that do not lower the loss


@dataclass
class Choice:
    """What cross-validation found.

    Parameters
    ----------
    strengths : ndarray of shape (n_strengths,)
        Those that were tried.
    losses, gains, errors : ndarray of shape (n_strengths,)
        Mean loss of held-out queries, by how much it is lower than without a change, and its standard error.
    """

    strengths: np.ndarray
    losses: np.ndarray
    gains: np.ndarray
    errors: np.ndarray

    @property
    def best(self) -> float:
        """The strength whose gain has the largest lower confidence bound; infinite if none is positive."""
        bounds = self.gains - CONFIDENCE * self.errors
        return float(self.strengths[bounds.argmax()]) if (bounds > 0).any() else np.inf

    def results(self) -> dict[str, np.ndarray]:
        """The same by name."""
        return {
            "regularization": self.strengths,
            "loss": self.losses,
            "gain": self.gains,
            "gain_error": self.errors,
        }


def folds_of(query: np.ndarray, losses: np.ndarray, n_folds: int) -> np.ndarray:
    """Deal queries to folds in the order of their losses: the fold of each pair.

    Parameters
    ----------
    query : ndarray of int of shape (n_pairs,)
        The query of each pair, numbered from 0.
    losses : ndarray of shape (n_pairs,)
    n_folds : int
    """
    means = np.bincount(query, losses) / np.bincount(query)
    place = np.empty(len(means), dtype=int)
    place[np.argsort(means, kind="stable")] = np.arange(len(means))
    return place[query] % n_folds


def choose_strength(
    ranking: Ranking, query: np.ndarray, n_folds: int, n_components: int | None, max_iter: int, tol: float
) -> Choice:
    """Compare strengths, the largest first, until the loss of held-out queries rises.

    Parameters
    ----------
    ranking : Ranking
    query : ndarray of int of shape (n_pairs,)
        The query or group of each pair, numbered from 0; its pairs are held out together.
    n_folds : int
    n_components : int or None
        Of `Subspace`.
    max_iter, tol
        Of each minimisation.
    """
    before = ranking.losses()
    n_queries = query.max() + 1
    if n_queries < 2:
        return Choice(*np.empty((4, 0)))
    fold = folds_of(query, before, min(n_folds, n_queries))
    held_out = [np.flatnonzero(fold == k) for k in range(fold.max() + 1)]
    parts = [(Subspace(ranking.of(np.flatnonzero(fold != k)), n_components), rows) for k, rows in enumerate(held_out)]
    tried = []
    for strength in STRENGTHS:
        after = np.empty_like(before)
        for subspace, rows in parts:
            subspace.minimize(strength, max_iter, tol)
            after[rows] = subspace.losses_of(ranking.of(rows))
        gains = np.bincount(query, ranking.weights * (before - after))
        error = gains.std(ddof=1) * len(gains) ** 0.5
        tried.append((strength, ranking.weights @ after, gains.sum(), error))
        if len(tried) - 1 - np.argmin([row[1] for row in tried]) >= PATIENCE:
            break
    return Choice(*np.array(tried, dtype=float).T)
