"""NCA as in metric-learn."""

from metricnets.linear import _nca
from metricnets.metric_learn._compatible import Compatible

__all__ = ["NCA"]


class NCA(Compatible, _nca.NCA, positional="init n_components max_iter tol verbose preprocessor random_state"):
    """`metricnets.NCA` with the arguments by position and the methods of metric-learn."""
