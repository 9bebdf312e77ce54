"""metric-learn's path to ``metricnets.linear._rca``."""

from metricnets.linear._rca import RCA, RCA_Supervised

__all__ = ["RCA", "RCA_Supervised"]
