"""The strength of a regularisation by cross-validation, or no change if none clearly helps held-out queries."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from metricnets.linear._solvers.low_rank_change import Subspace
from metricnets.linear._solvers.softmax_ranking import Ranking

STRENGTHS = 10.0 ** np.arange(3, -3.1, -0.5)
CONFIDENCE, OF_RANKS = 3, 2  # standard errors by which the gains in loss and in ranks have to exceed 0
PATIENCE = 2  # strengths in a row that do not lower the loss
ENOUGH = 2000  # queries held out; no further fold is needed


@dataclass
class Choice:
    """What cross-validation found.

    Parameters
    ----------
    strengths : ndarray of shape (n_strengths,)
        Those that were tried.
    losses, gains, errors : ndarray of shape (n_strengths,)
        Mean loss of held-out queries, by how much it is lower than without a change, and its standard error.
    rank_gains, rank_errors : ndarray of shape (n_strengths,)
        By how much the mean logarithm of the ranks of relevant documents is lower, and its standard error.
    """

    strengths: np.ndarray
    losses: np.ndarray
    gains: np.ndarray
    errors: np.ndarray
    rank_gains: np.ndarray
    rank_errors: np.ndarray

    @property
    def best(self) -> float:
        """The strength whose gain in ranks has the largest lower confidence bound, among those with a gain in loss.

        Infinite if no bound is positive.
        """
        bounds = self.rank_gains - OF_RANKS * self.rank_errors
        bounds = np.where(self.gains > CONFIDENCE * self.errors, bounds, -np.inf)
        return float(self.strengths[bounds.argmax()]) if (bounds > 0).any() else np.inf

    def results(self) -> dict[str, np.ndarray]:
        """The same by name."""
        return {
            "regularization": self.strengths,
            "loss": self.losses,
            "gain": self.gains,
            "gain_error": self.errors,
            "rank_gain": self.rank_gains,
            "rank_gain_error": self.rank_errors,
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
    ranking: Ranking,
    judge: Ranking,
    query: np.ndarray,
    n_folds: int,
    *,
    n_components: int | None,
    max_iter: int,
    tol: float,
) -> Choice:
    """Compare strengths, the largest first, until the loss of held-out queries rises.

    Parameters
    ----------
    ranking : Ranking
        To which changes are fitted.
    judge : Ranking
        The same pairs, by which changes are judged; documents that were not compared in the former may be in it.
    query : ndarray of int of shape (n_pairs,)
        The query or group of each pair, numbered from 0; its pairs are held out together.
    n_folds : int
        Folds are held out in turn until `ENOUGH` queries have been.
    n_components : int or None
        Of `Subspace`.
    max_iter, tol
        Of each minimisation.
    """
    n_queries = int(query.max()) + 1
    if n_queries < 2:
        return Choice(*np.empty((6, 0)))
    n_folds = min(n_folds, n_queries)
    fold = folds_of(query, ranking.losses(), n_folds)
    held = [np.flatnonzero(fold == k) for k in range(min(n_folds, ceil(ENOUGH * n_folds / n_queries)))]
    parts = [(Subspace(ranking.of(np.flatnonzero(fold != k)), n_components), rows) for k, rows in enumerate(held)]
    rows = np.concatenate(held)
    unchanged = judge.of(rows)
    before, weights = (unchanged.losses(), unchanged.log_ranks()), unchanged.weights
    tried = []
    for strength in STRENGTHS:
        after = held_out(parts, judge, strength, max_iter, tol)
        gains = [gain for new, old in zip(after, before) for gain in mean_gain(old - new, weights, query[rows])]
        tried.append((strength, weights @ after[0], *gains))
        if len(tried) - 1 - np.argmin([row[1] for row in tried]) >= PATIENCE:
            break
    return Choice(*np.array(tried, dtype=float).T)


def held_out(
    parts: list[tuple[Subspace, np.ndarray]], judge: Ranking, strength: float, max_iter: int, tol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Losses, and logarithms of ranks, of the pairs that each part was not fitted to."""
    found = []
    for subspace, rows in parts:
        subspace.minimize(strength, max_iter, tol)
        unseen = subspace.seen(judge.of(rows))
        found.append((unseen.losses(subspace.H), unseen.log_ranks(subspace.H)))
    losses, ranks = map(np.concatenate, zip(*found))
    return losses, ranks


def mean_gain(gains: np.ndarray, weights: np.ndarray, query: np.ndarray) -> tuple[float, float]:
    """Weighted mean of the gains of pairs, and its standard error, for which pairs of a query count as one."""
    totals = np.bincount(np.unique(query, return_inverse=True)[1], weights * gains)
    return float(totals.sum()), float(totals.std(ddof=1) * len(totals) ** 0.5)
