"""metricnets: metric learning, linear and deep, for people who live in scikit-learn."""

from metricnets._lazy import attach
from metricnets._version import __version__ as __version__

__getattr__, __dir__, __all__ = attach(__name__)
