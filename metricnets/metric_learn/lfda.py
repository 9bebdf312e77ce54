"""metric-learn's path to ``metricnets.linear._lfda``."""

from metricnets.linear._lfda import LFDA

__all__ = ["LFDA"]
