"""Displays: pictures of learned metrics, in the convention of scikit-learn's displays."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
