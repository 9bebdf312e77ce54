"""The catalogue of losses.

A loss is a function of embeddings ``z``, of shape (n, n_components), and a relation ``r``, of shape (n, n), whose
entries are in [0, 1], 1 for similar and NaN for unknown pairs.  Hyper-parameters are keywords, and the result is a
scalar tensor.  A loss that owns learnt parameters is a ``torch.nn.Module``, which is called with embeddings and class
codes.  ``EmbeddingNet(loss=...)`` takes the losses by name.
"""

from metricnets.losses._angular import angular
from metricnets.losses._angular_classifiers import ArcFace, SphereFace
from metricnets.losses._catalogue import CATALOGUE as CATALOGUE
from metricnets.losses._catalogue import grid
from metricnets.losses._composed import Matryoshka, WeightedSum
from metricnets.losses._cosine_classifiers import CosFace, NormalizedSoftmax
from metricnets.losses._deviance import binomial_deviance
from metricnets.losses._graded import angle, cosent, log_ratio
from metricnets.losses._hierarchical import HierarchicalTriplet
from metricnets.losses._histogram import fast_ap
from metricnets.losses._lifted import generalized_lifted, lifted
from metricnets.losses._linear_classifiers import Center, DeepID2
from metricnets.losses._margin import Margin
from metricnets.losses._neighborhood import megm, neighborhood
from metricnets.losses._pair import alignment, contrastive, logistic_pair
from metricnets.losses._proxy import ProxyAnchor, ProxyNCA
from metricnets.losses._quadruplet import quadruplet, two_margin_quadruplet
from metricnets.losses._ranking import recall_at_k, smooth_ap
from metricnets.losses._similarity import circle, multi_similarity
from metricnets.losses._smooth_triplet import soft_triplet, triplet_ratio
from metricnets.losses._soft_triple import SoftTriple
from metricnets.losses._softmax import supcon
from metricnets.losses._triplet import npair, triplet
from metricnets.losses._verification import ChiSquareVerification, L1Verification
from metricnets.losses._views import info_nce, siglip, vicreg

__all__ = [
    "ArcFace",
    "Center",
    "ChiSquareVerification",
    "CosFace",
    "DeepID2",
    "HierarchicalTriplet",
    "L1Verification",
    "Margin",
    "Matryoshka",
    "NormalizedSoftmax",
    "ProxyAnchor",
    "ProxyNCA",
    "SoftTriple",
    "SphereFace",
    "WeightedSum",
    "alignment",
    "angle",
    "angular",
    "binomial_deviance",
    "circle",
    "contrastive",
    "cosent",
    "fast_ap",
    "generalized_lifted",
    "grid",
    "info_nce",
    "lifted",
    "log_ratio",
    "logistic_pair",
    "megm",
    "multi_similarity",
    "neighborhood",
    "npair",
    "quadruplet",
    "recall_at_k",
    "siglip",
    "smooth_ap",
    "soft_triplet",
    "supcon",
    "triplet",
    "triplet_ratio",
    "two_margin_quadruplet",
    "vicreg",
]
