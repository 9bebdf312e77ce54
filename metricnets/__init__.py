"""metricnets: linear and deep metric learning as scikit-learn estimators."""

from metricnets._lazy import attach
from metricnets._version import __version__ as __version__

__getattr__, __dir__, __all__ = attach(__name__)
