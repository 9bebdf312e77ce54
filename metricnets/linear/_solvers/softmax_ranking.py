"""The softmax of documents by their similarity to queries, and the ranks of relevant ones."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize_scalar

COLDEST, WARMEST = 0.05, 5.0  # temperatures, relative to the standard deviation of the scores
BLOCK = 2**20  # scores in work at a time, which fit into a cache


@dataclass
class Ranking:
    """Relevant documents against negatives, in coordinates x of queries and z of documents.

    Parameters
    ----------
    own : ndarray of shape (n_pairs,)
        Score of the relevant document of each pair, divided by the temperature.
    scores : ndarray of shape (n_pairs, n_negatives)
        The same of negatives; −∞ for a document that is none for this pair.
    weights : ndarray of shape (n_pairs,)
        Non-negative, with sum 1.
    x, own_z : ndarray of shape (n_pairs, k)
        Query and relevant document of each pair.  A change B of the scores, (k, k), adds z · B x.
    z : ndarray of shape (n_negatives, k)
    """

    own: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    x: np.ndarray
    own_z: np.ndarray
    z: np.ndarray

    def of(self, rows: np.ndarray) -> Self:
        """The same with these pairs only."""
        weights = self.weights[rows] / self.weights[rows].sum()
        return Ranking(self.own[rows], self.scores[rows], weights, self.x[rows], self.own_z[rows], self.z)

    def projected(self, left: np.ndarray, right: np.ndarray) -> Self:
        """The same in other coordinates, leftᵀ z and rightᵀ x."""
        x, own_z, z = self.x @ right, self.own_z @ left, self.z @ left
        return Ranking(self.own, self.scores, self.weights, x, own_z, z)

    def losses(self, B: np.ndarray | None = None) -> np.ndarray:
        """Loss of each pair after a change B of the scores, or without it."""
        return np.concatenate([softmax_losses(*self._scores_of(rows, B))[0] for rows in self._blocks()])

    def log_ranks(self, B: np.ndarray | None = None) -> np.ndarray:
        """Logarithm of the rank of each relevant document among its negatives, 0 for the first; ties count one half."""
        return np.concatenate([log_ranks(*self._scores_of(rows, B)) for rows in self._blocks()])

    def mean_loss(self, B: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Weighted mean of the losses, and its gradient with respect to B."""
        losses, errors = self.losses_and_errors(B)
        return float(self.weights @ losses), errors.T @ (self.x * self.weights[:, None])

    def losses_and_errors(self, B: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Loss of each pair, and its gradient with respect to B x, (n_pairs, k)."""
        losses, errors = np.empty_like(self.own), np.empty_like(self.own_z)
        for rows in self._blocks():
            losses[rows], missing, shares = softmax_losses(*self._scores_of(rows, B))
            errors[rows] = shares @ self.z - missing[:, None] * self.own_z[rows]
        return losses, errors

    def _blocks(self):
        size = max(1, BLOCK // max(1, len(self.z)))
        return [slice(start, start + size) for start in range(0, len(self.own), size)]

    def _scores_of(self, rows, B):
        """Scores of the relevant document and of the negatives of some pairs, after a change."""
        if B is None:
            return self.own[rows], self.scores[rows]
        moved = self.x[rows] @ B.T.astype(self.x.dtype)
        scores = moved @ self.z.T
        scores += self.scores[rows]
        return self.own[rows] + (moved * self.own_z[rows]).sum(axis=1), scores


def softmax_losses(own: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minus the logarithm of the share of ``own`` in the softmax of own and scores, and its gradient.

    Parameters
    ----------
    own : ndarray of shape (n,)
    scores : ndarray of shape (n, m)

    Returns
    -------
    losses : ndarray of shape (n,)
    missing : ndarray of shape (n,)
        1 minus the share of ``own``, its gradient with the other sign.
    shares : ndarray of shape (n, m)
        Shares of the scores, their gradient.
    """
    largest = np.maximum(scores.max(axis=1, initial=-np.inf), own)
    shares = scores - largest[:, None]
    np.exp(shares, out=shares)
    others, itself = shares.sum(axis=1), np.exp(own - largest)
    totals = others + itself
    shares /= totals[:, None]
    return np.log(totals) + largest - own, others / totals, shares


def log_ranks(own: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """log(1 + number of scores above ``own`` + half the number of those equal to it), (n,); arguments as above."""
    above, equal = ((compare(scores, own[:, None])).sum(axis=1) for compare in (np.greater, np.equal))
    return np.log1p(above + equal / 2)


def best_temperature(own: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The temperature of the largest likelihood of the scores ``own`` in the softmax of own and scores."""
    finite = scores[np.isfinite(scores)]
    unit = float(finite.std(dtype=float)) if finite.size else 0.0
    if not unit > 0:
        return 1.0

    def loss(logarithm):
        warmth = unit * np.exp(logarithm)
        return float(weights @ softmax_losses(own / warmth, scores / warmth)[0])

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(WARMEST)), method="bounded", options={"xatol": 0.02})
    return unit * float(np.exp(found.x))
