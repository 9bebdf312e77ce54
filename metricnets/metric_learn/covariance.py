"""Covariance as in metric-learn."""

from metricnets.linear import _covariance
from metricnets.metric_learn._compatible import Compatible

__all__ = ["Covariance"]


class Covariance(Compatible, _covariance.Covariance, positional="preprocessor"):
    """`metricnets.Covariance` with the arguments by position and the methods of metric-learn."""
