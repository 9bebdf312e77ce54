"""MLKR as in metric-learn."""

from metricnets.linear import _mlkr
from metricnets.metric_learn._compatible import Compatible

__all__ = ["MLKR"]


class MLKR(Compatible, _mlkr.MLKR, positional="n_components init tol max_iter verbose preprocessor random_state"):
    """`metricnets.MLKR` with the arguments by position and the methods of metric-learn."""
