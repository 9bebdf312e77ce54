"""Pairs of queries and documents: which documents are the same, which are negatives, and the hardest of them."""

from dataclasses import dataclass

import numpy as np

BLOCK = 2**24  # scores in memory at a time
PER_QUERY = 20  # documents at least that are candidates for each query


@dataclass
class Judgements:
    """Which document is how relevant to which query; queries and documents are numbered, and distinct.

    Parameters
    ----------
    query, document : ndarray of int of shape (n_pairs,)
    relevance : ndarray of shape (n_pairs,)
    """

    query: np.ndarray
    document: np.ndarray
    relevance: np.ndarray

    @property
    def relevant(self) -> np.ndarray:
        """The pairs with a positive relevance."""
        return np.flatnonzero(self.relevance > 0)

    def no_negatives(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the documents that are at least as relevant to the query of a pair as its own, which is one of them.

        Parameters
        ----------
        rows : ndarray of int of shape (n,)
            The pairs.

        Returns
        -------
        which, document : ndarray of int
            The position in ``rows``, and the document.
        """
        which, other = matches(self.query[rows], self.query)
        equal = self.relevance[other] >= self.relevance[rows[which]]
        return which[equal], self.document[other[equal]]

    def less_relevant(self) -> np.ndarray:
        """Documents that are less relevant to a query than another one, or not at all."""
        largest = np.zeros(self.query.max() + 1)
        np.maximum.at(largest, self.query, self.relevance)
        return np.unique(self.document[(self.relevance < largest[self.query]) | (self.relevance == 0)])


def matches(wanted: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all pairs of equal numbers in two arrays."""
    order = np.argsort(given, kind="stable")
    first, after = (np.searchsorted(given[order], wanted, side) for side in ("left", "right"))
    counts = after - first
    which = np.repeat(np.arange(len(wanted)), counts)
    nth = np.arange(len(which)) - (np.cumsum(counts) - counts)[which]
    return which, order[first[which] + nth]


def numbered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows in the order in which they occur.

    Returns
    -------
    first : ndarray of shape (n_distinct,)
        Where each occurs first.
    number : ndarray of shape (n,)
    """
    numbers, first = {}, []
    number = np.empty(len(rows), dtype=np.int64)
    for k, row in enumerate(np.ascontiguousarray(rows) + 0.0):  # −0 becomes 0
        number[k] = numbers.setdefault(row.tobytes(), len(numbers))
        if number[k] == len(first):
            first.append(k)
    return np.array(first), number


def scores_of(X: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Similarities x · z − ‖z‖² / 2, which order documents as Euclidean distances do: (n, n_documents)."""
    return X @ documents.T - (documents**2).sum(axis=1) / 2


def hardest_negatives(
    X: np.ndarray, documents: np.ndarray, excluded: tuple[np.ndarray, np.ndarray], n_negatives: int
) -> np.ndarray:
    """Choose documents that are similar to some query and not relevant to it, the most similar ones first.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Queries.
    documents : ndarray of shape (n_documents, d)
    excluded : tuple of ndarray of int
        Queries and documents that are relevant to them.
    n_negatives : int

    Returns
    -------
    chosen : ndarray of int of shape (<= n_negatives,)
    """
    n_first = min(len(documents), PER_QUERY + 2 * n_negatives // len(X))
    size, best = max(1, BLOCK // len(documents)), np.empty((len(X), n_first), dtype=np.int64)
    for start in range(0, len(X), size):
        scores = scores_of(X[start : start + size], documents)
        here = (excluded[0] >= start) & (excluded[0] < start + size)
        scores[excluded[0][here] - start, excluded[1][here]] = -np.inf
        found = np.argpartition(-scores, n_first - 1, axis=1)[:, :n_first]
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        best[start : start + size] = np.take_along_axis(found, order, axis=1)
    by_rank = best.T.ravel()
    _, first = np.unique(by_rank, return_index=True)
    return by_rank[np.sort(first)[:n_negatives]]


def spread(n: int, n_chosen: int) -> np.ndarray:
    """Numbers below n at equal distances, n_chosen of them or all."""
    return np.unique(np.linspace(0, n - 1, n_chosen).round().astype(int)) if n_chosen < n else np.arange(n)


def negatives_of(queries: np.ndarray, documents: np.ndarray, judgements: Judgements, n_negatives: int) -> np.ndarray:
    """Choose negatives: all documents, or those named as less relevant, then the hardest and a sample in equal parts.

    The most similar documents alone would be the same few for all queries, and others could become similar unseen.
    """
    if len(documents) <= n_negatives:
        return np.arange(len(documents))
    rows = judgements.relevant
    used, number = np.unique(judgements.query[rows], return_inverse=True)
    hardest = hardest_negatives(queries[used], documents, (number, judgements.document[rows]), n_negatives)
    sample = spread(len(documents), n_negatives)
    half = n_negatives // 2
    ordered = [judgements.less_relevant(), hardest[:half], sample[::2], hardest[half:], sample]
    return np.array(list(dict.fromkeys(np.concatenate(ordered))))[:n_negatives]


def judged(X: np.ndarray, documents: np.ndarray, relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray, Judgements]:
    """Distinct queries and documents, the first of which are those of the queries, and what is relevant."""
    (of_queries, query), (of_documents, document) = numbered(X), numbered(documents)
    return X[of_queries], documents[of_documents], Judgements(query, document[: len(X)], relevance)


def compared(
    queries: np.ndarray, documents: np.ndarray, judgements: Judgements, negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the relevant document of each pair and of negatives.

    Parameters
    ----------
    negatives : ndarray of int of shape (m,)
        Rows of documents.

    Returns
    -------
    own : ndarray of shape (n_relevant,)
    scores : ndarray of shape (n_relevant, m)
        −∞ where a document is no negative.
    """
    rows = judgements.relevant
    x, own = queries[judgements.query[rows]], documents[judgements.document[rows]]
    scores, places = scores_of(x, documents[negatives]), np.full(len(documents), -1)
    places[negatives] = np.arange(len(negatives))
    which, other = judgements.no_negatives(rows)
    there = places[other] >= 0
    scores[which[there], places[other[there]]] = -np.inf
    return (x * own).sum(axis=1) - (own**2).sum(axis=1) / 2, scores
