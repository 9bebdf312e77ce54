"""Estimators that read a learned metric, or stand beside one."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
