"""The softmax of documents by their similarity to queries, and low-rank changes of this similarity."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import eigh, svd
from scipy.optimize import minimize_scalar

from metricnets.linear._solvers.lbfgs import minimize_smooth

RIDGE = 0.3  # of the second moments of documents, relative to the mean of their eigenvalues
COLDEST, WARMEST = 0.05, 5.0  # temperatures, relative to the standard deviation of the scores


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
        return self._losses_and_errors(B)[0]

    def mean_loss(self, B: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Weighted mean of the losses, and its gradient with respect to B."""
        losses, missing, shares = self._losses_and_errors(B)
        errors = shares @ self.z - missing[:, None] * self.own_z
        return float(self.weights @ losses), errors.T @ (self.x * self.weights[:, None])

    def _losses_and_errors(self, B):
        if B is None:
            return softmax_losses(self.own, self.scores)
        moved = self.x @ B.T.astype(self.x.dtype)
        return softmax_losses(self.own + (moved * self.own_z).sum(axis=1), self.scores + moved @ self.z.T)


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
    shares = np.exp(scores - largest[:, None])
    others, itself = shares.sum(axis=1), np.exp(own - largest)
    totals = others + itself
    shares /= totals[:, None]
    return np.log(totals) + largest - own, others / totals, shares


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


def score_coordinates(documents: np.ndarray) -> np.ndarray:
    """Coordinates in which a change zᵀ B x of the scores has a mean square of ‖B‖² over pairs of documents.

    A change of z · A x has a mean square of tr(C A C Aᵀ) over pairs of documents with second moments C, and
    A = E B Eᵀ with E Eᵀ = C⁻¹ makes it ‖B‖².  A ridge on C bounds the norm of A.

    Parameters
    ----------
    documents : ndarray of shape (n_documents, d)

    Returns
    -------
    E : ndarray of shape (d, d)
    """
    values, vectors = eigh((documents.T @ documents).astype(float) / len(documents))
    values = np.clip(values, 0, None)
    return (vectors / np.sqrt(values + RIDGE * values.mean())).astype(documents.dtype)


class Subspace:
    """The changes B = P H Qᵀ of the scores whose rank is limited, with the best directions at B = 0.

    P and Q are the leading singular vectors of the gradient there, so that the loss is a convex function of H.

    Parameters
    ----------
    ranking : Ranking
    n_components : int or None

    Attributes
    ----------
    left, right : ndarray of shape (k, rank)
        P and Q.
    H : ndarray of shape (rank, rank)
    """

    def __init__(self, ranking: Ranking, n_components: int | None) -> None:
        P, _, Q = svd(ranking.mean_loss()[1], full_matrices=False)
        rank = min(len(Q), len(ranking.x), n_components or len(Q))
        self.left, self.right = P[:, :rank], Q[:rank].T
        self.ranking, self.H = ranking.projected(self.left, self.right), np.zeros((rank, rank))

    def minimize(self, strength: float, max_iter: int, tol: float) -> tuple[int, bool]:
        """Minimise the mean loss plus strength / 2 ‖H‖², from the H of the last call.

        Returns
        -------
        n_iter : int
        converged : bool
        """

        def objective(H):
            loss, gradient = self.ranking.mean_loss(H)
            return loss + strength / 2 * (H**2).sum(), gradient + strength * H

        how = {"ftol": tol, "gtol": 0.0, "max_iter": max_iter, "report": lambda value, H: False}
        self.H, n_iter, converged = minimize_smooth(objective, self.H, **how)
        return n_iter, converged

    def losses_of(self, ranking: Ranking) -> np.ndarray:
        """Loss of each pair of a ranking in the original coordinates."""
        return ranking.projected(self.left, self.right).losses(self.H)
