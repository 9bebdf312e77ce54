"""What a query adapter learns from and is judged by: relevant documents against others of an index."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from metricnets._linalg import in_span
from metricnets.linear._pairwise.documents import Judgements, compared, judged, negatives_of, spread
from metricnets.linear._solvers.low_rank_change import score_coordinates
from metricnets.linear._solvers.softmax_ranking import Ranking, best_temperature

WIDE, MOST = 2**25, 2**15  # scores by which changes are judged, and documents


@dataclass
class Index:
    """Distinct queries and documents, and their coordinates for changes of scores.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, d)
    documents : ndarray of shape (n_documents, d)
    judgements : Judgements
    weights : ndarray of shape (n_pairs,)
        Of the pairs with a positive relevance, with sum 1.
    basis : ndarray of shape (d, k)
        The coordinates of `score_coordinates`; k < d in the span of fewer points than features.
    """

    queries: np.ndarray
    documents: np.ndarray
    judgements: Judgements
    weights: np.ndarray
    basis: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, documents: np.ndarray, relevance: np.ndarray) -> Self:
        """From the queries of pairs (n_pairs, d), documents of the pairs and further ones, and relevance (n_pairs,)."""
        queries, documents, judgements = judged(X, documents, relevance)
        few = len(queries) + len(documents) < X.shape[1]
        Z, basis = in_span(np.vstack([queries, documents])) if few else (documents, None)
        E = score_coordinates(Z[-len(documents) :], X.shape[1])
        weights = relevance[judgements.relevant] / relevance.sum()
        return cls(queries, documents, judgements, weights.astype(X.dtype), E if basis is None else basis @ E)

    @property
    def query(self) -> np.ndarray:
        """The number of the query of each pair with a positive relevance."""
        return self.judgements.query[self.judgements.relevant]

    def rankings(self, n_negatives: int, temperature: float | None) -> tuple[Ranking, Ranking, float]:
        """Compare the relevant document of each query with negatives.

        Returns
        -------
        ranking : Ranking
            To learn from: with the hardest negatives.
        judge : Ranking
            The same pairs, against all documents or a sample, as many as `WIDE` and `MOST` allow.
        temperature : float
            The given one, or that of the largest likelihood.
        """
        negatives = negatives_of(self.queries, self.documents, self.judgements, n_negatives)
        own, scores = compared(self.queries, self.documents, self.judgements, negatives)
        T = temperature or best_temperature(own, scores, self.weights)
        ranking = self._ranking(own / T, scores / T, negatives)
        if len(negatives) == len(self.documents):
            return ranking, ranking, T
        sample = spread(len(self.documents), max(n_negatives, min(MOST, WIDE // len(own))))
        own, scores = compared(self.queries, self.documents, self.judgements, sample)
        return ranking, self._ranking(own / T, scores / T, sample), T

    def _ranking(self, own, scores, negatives):
        documents, E = self.documents, self.basis
        own_z = documents[self.judgements.document[self.judgements.relevant]]
        return Ranking(own, scores, self.weights, self.queries[self.query] @ E, own_z @ E, documents[negatives] @ E)
