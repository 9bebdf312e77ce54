"""The API of metric-learn 0.7.0: ``from metricnets import metric_learn`` replaces ``import metric_learn``.

Modules and classes have the names of metric-learn.  The classes also take arguments by position and parameters
that no longer have an effect, and have ``score_pairs``.  Each is a subclass of the class of the same name in
``metricnets``.

Examples
--------
>>> from metricnets import metric_learn
>>> metric_learn.LMNN("pca", 5)
LMNN(init='pca', n_neighbors=5)
>>> from metricnets.metric_learn.itml import ITML_Supervised
"""

from metricnets._lazy import attach

__version__ = "0.7.0"  # of metric-learn, for code that reads it

__getattr__, __dir__, _names = attach(__name__)
__all__ = [*_names, "__version__"]
