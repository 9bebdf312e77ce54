"""Low-rank changes of the similarity of documents to queries, for the least softmax loss."""

import numpy as np
from scipy.linalg import eigh, qr, svd

from metricnets.linear._solvers.lbfgs import minimize_smooth
from metricnets.linear._solvers.softmax_ranking import Ranking

RIDGE = 0.3  # of the second moments of documents, relative to the mean of their eigenvalues


def score_coordinates(documents: np.ndarray, n_features: int) -> np.ndarray:
    """Coordinates in which a change zᵀ B x of the scores has a mean square of ‖B‖² over pairs of documents.

    A change of z · A x has a mean square of tr(C A C Aᵀ) over pairs of documents with second moments C, and
    A = E B Eᵀ with E Eᵀ = C⁻¹ makes it ‖B‖².  A ridge on C bounds the norm of A.

    Parameters
    ----------
    documents : ndarray of shape (n_documents, d)
    n_features : int
        At least d; larger if the documents are given in coordinates of a span.

    Returns
    -------
    E : ndarray of shape (d, d)
    """
    values, vectors = eigh((documents.T @ documents).astype(float) / len(documents))
    values = np.clip(values, 0, None)
    return (vectors / np.sqrt(values + RIDGE * values.sum() / n_features)).astype(documents.dtype)


def leading_directions(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Singular vectors P, in columns, and Q, in rows, of the gradient at B = 0, whose rank is at most n_pairs."""
    errors, x = ranking.losses_and_errors()[1], ranking.x * ranking.weights[:, None]
    if len(x) >= x.shape[1]:
        P, _, Q = svd(errors.T @ x, full_matrices=False)
        return P, Q
    (left, R), (right, S) = (qr(part.T, mode="economic") for part in (errors, x))
    P, _, Q = svd(R @ S.T)
    return left @ P, Q @ right.T


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
        P, Q = leading_directions(ranking)
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

    def seen(self, ranking: Ranking) -> Ranking:
        """A ranking of the original coordinates in those of H."""
        return ranking.projected(self.left, self.right)


def low_rank_change(
    ranking: Ranking, strength: float, *, n_components: int | None, max_iter: int, tol: float
) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Find the change B = P Qᵀ of the scores for a strength, which may be infinite.

    Returns
    -------
    P, Q : ndarray of shape (k, rank)
    n_iter : int
    converged : bool
    """
    found, n_iter, converged = Subspace(ranking, n_components), 1, True
    if strength < np.inf:
        n_iter, converged = found.minimize(strength, max_iter, tol)
    kept = found.H.any(axis=0)
    return found.left @ found.H[:, kept], found.right[:, kept], n_iter, converged
