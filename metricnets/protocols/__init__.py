"""Protocols of evaluation: how data are split, what is fitted to which part, and how the rest is scored.

Each protocol takes an estimator that is not fitted, clones it for each fold, split or task, and returns a
dictionary of arrays, like scikit-learn's ``cross_validate``.  Metric, threshold and scaler are fitted to the
training part alone, with the exception of ``scaling="each"``.
"""

from metricnets.protocols._cross_view import cross_view
from metricnets.protocols._gallery import gallery_probe
from metricnets.protocols._multilabel import multilabel_split
from metricnets.protocols._negative_transfer import negative_transfer
from metricnets.protocols._pairs import cross_validate_pairs
from metricnets.protocols._transfer import transfer

__all__ = ["cross_validate_pairs", "cross_view", "gallery_probe", "multilabel_split", "negative_transfer", "transfer"]
