"""Tracking of objects in image sequences by a metric that is updated on line."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
