"""metric-learn's path to ``metricnets.linear._sdml``."""

from metricnets.linear._sdml import SDML, SDML_Supervised, _BaseSDML

__all__ = ["SDML", "SDML_Supervised", "_BaseSDML"]
