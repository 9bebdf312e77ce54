"""The catalogue of losses.

They are functions of embeddings ``z`` (n, n_components) and a relation ``r`` (n, n), whose entries
are in [0, 1], 1 for similar and NaN for unknown; hyper-parameters by keyword, a scalar out.  Their names are
those that ``EmbeddingNet(loss=...)`` takes.
"""

from metricnets.losses._pair import alignment, contrastive, logistic_pair
from metricnets.losses._triplet import npair, triplet

__all__ = ["alignment", "contrastive", "logistic_pair", "npair", "triplet"]
