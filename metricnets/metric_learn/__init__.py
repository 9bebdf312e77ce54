"""The API of metric-learn 0.7.0: ``from metricnets import metric_learn`` stands for ``import metric_learn``.

Modules and classes have their names, and the classes their arguments by position, parameters that no longer have
an effect, and ``score_pairs``.  Each class is a subclass of the one of this name in ``metricnets``.

Examples
--------
>>> from metricnets import metric_learn
>>> metric_learn.LMNN("pca", 5)
LMNN(init='pca', n_neighbors=5)
>>> from metricnets.metric_learn.itml import ITML_Supervised
"""

from metricnets._lazy import attach

__version__ = "0.7.0"  # of metric-learn, for programs that look at it

__getattr__, __dir__, _names = attach(__name__)
__all__ = [*_names, "__version__"]
