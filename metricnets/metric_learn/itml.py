"""metric-learn's path to ``metricnets.linear._itml``."""

from metricnets.linear._itml import ITML, ITML_Supervised, _BaseITML

__all__ = ["ITML", "ITML_Supervised", "_BaseITML"]
