"""metric-learn's path to ``metricnets.linear._scml``."""

from metricnets.linear._scml import SCML, SCML_Supervised, _BaseSCML

__all__ = ["SCML", "SCML_Supervised", "_BaseSCML"]
