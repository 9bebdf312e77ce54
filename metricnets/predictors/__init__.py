"""Estimators that predict with a learned metric, or are used together with one."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
