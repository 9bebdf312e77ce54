"""Score functions and scorers.

Scores of label sets and of label distributions are means over samples; scores of verification are computed from
the similarities of pairs; scores of retrieval from embeddings, for a chunk of queries at a time, or from binary codes.
Distances of sets are functions of the points of both.
"""

from metricnets.metrics._calibration import expected_calibration_error
from metricnets.metrics._distribution import (
    canberra,
    chebyshev,
    clark,
    cosine,
    distribution_scores,
    intersection,
    kullback_leibler,
)
from metricnets.metrics._hamming import hamming_distances, pack_codes, unpack_codes
from metricnets.metrics._hamming_scores import hamming_scores
from metricnets.metrics._hulls import affine_hull_distance, convex_hull_distance, mutual_subspace_distance
from metricnets.metrics._multilabel import average_precision, coverage, multilabel_scores, one_error, ranking_loss
from metricnets.metrics._nearest_points import mean_nearest_distance, minimum_distance
from metricnets.metrics._neighbor_scores import neighbor_scores
from metricnets.metrics._retrieval import (
    cmc,
    map_at_r,
    mean_average_precision,
    precision_at_k,
    r_precision,
    recall_at_k,
    retrieval_scores,
)
from metricnets.metrics._scorers import get_scorer, get_scorer_names
from metricnets.metrics._sets import one_per_set, set_distances
from metricnets.metrics._verification import best_threshold_accuracy, equal_error_rate, tar_at_far

__all__ = [
    "affine_hull_distance",
    "average_precision",
    "best_threshold_accuracy",
    "canberra",
    "chebyshev",
    "clark",
    "cmc",
    "convex_hull_distance",
    "cosine",
    "coverage",
    "distribution_scores",
    "equal_error_rate",
    "expected_calibration_error",
    "get_scorer",
    "get_scorer_names",
    "hamming_distances",
    "hamming_scores",
    "intersection",
    "kullback_leibler",
    "map_at_r",
    "mean_average_precision",
    "mean_nearest_distance",
    "minimum_distance",
    "multilabel_scores",
    "mutual_subspace_distance",
    "neighbor_scores",
    "one_error",
    "one_per_set",
    "pack_codes",
    "precision_at_k",
    "r_precision",
    "ranking_loss",
    "recall_at_k",
    "retrieval_scores",
    "set_distances",
    "tar_at_far",
    "unpack_codes",
]
