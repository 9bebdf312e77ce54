"""LFDA as in metric-learn."""

from metricnets.linear import _lfda
from metricnets.metric_learn._compatible import Compatible

__all__ = ["LFDA"]


class LFDA(Compatible, _lfda.LFDA, positional="n_components k embedding_type preprocessor"):
    """`metricnets.LFDA` with the arguments by position and the methods of metric-learn."""
