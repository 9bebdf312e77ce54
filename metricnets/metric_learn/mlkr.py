"""metric-learn's path to ``metricnets.linear._mlkr``."""

from metricnets.linear._mlkr import MLKR

__all__ = ["MLKR"]
