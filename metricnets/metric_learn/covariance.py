"""metric-learn's path to ``metricnets.linear._covariance``."""

from metricnets.linear._covariance import Covariance

__all__ = ["Covariance"]
