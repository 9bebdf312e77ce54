"""Deep metric learners, one file for each method."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
