"""metric-learn's path to ``metricnets.linear._nca``."""

from metricnets.linear._nca import NCA

__all__ = ["NCA"]
