"""The catalogue of losses.

Most are functions of embeddings ``z`` (n, n_components) and a relation ``r`` (n, n), whose entries
are in [0, 1], 1 for alike and NaN for unknown; hyper-parameters by keyword, a scalar out.  Those are
the names that ``EmbeddingNet(loss=...)`` takes.  The discrepancies of two samples take ``(z_a, z_b)``.
"""

from metricnets.losses._domains import linear_mmd, multi_kernel_mmd
from metricnets.losses._pairs import alignment, contrastive, logistic_pair
from metricnets.losses._tuples import npair, triplet

RELATIONAL = ["alignment", "contrastive", "logistic_pair", "npair", "triplet"]

__all__ = ["alignment", "contrastive", "linear_mmd", "logistic_pair", "multi_kernel_mmd", "npair", "triplet"]
