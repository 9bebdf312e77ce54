"""Miners: functions that select the pairs of a batch that are worth learning from.

A miner is a function of embeddings ``z``, of shape (n, n_components), and a relation ``r``, of shape (n, n), whose
hyper-parameters are keywords.  It returns a new relation, NaN for the pairs to leave out.  ``EmbeddingNet(miner=...)``
takes the miners by name.

Row a of the relation has the pairs of the anchor a, so that the result need not be symmetric: a pair may be left out
for one of its two samples and not for the other.  A miner that is defined by triplets (a, p, n) keeps the pairs (a, p)
and (a, n) of all triplets that it selects.
"""

from metricnets.miners._extremes import easy_positives, hard, moderate_positives
from metricnets.miners._random import distance_weighted, flip_positives
from metricnets.miners._triplets import angular, multi_similarity, semi_hard

__all__ = [
    "angular",
    "distance_weighted",
    "easy_positives",
    "flip_positives",
    "hard",
    "moderate_positives",
    "multi_similarity",
    "semi_hard",
]
