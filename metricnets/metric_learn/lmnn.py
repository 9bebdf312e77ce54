"""metric-learn's path to ``metricnets.linear._lmnn``."""

from metricnets.linear._lmnn import LMNN

__all__ = ["LMNN"]
