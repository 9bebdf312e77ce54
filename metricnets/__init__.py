"""metricnets: metric learning, linear and deep, for people who live in scikit-learn."""

from metricnets._lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(__name__)
