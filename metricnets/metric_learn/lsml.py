"""metric-learn's path to ``metricnets.linear._lsml``."""

from metricnets.linear._lsml import LSML, LSML_Supervised, _BaseLSML

__all__ = ["LSML", "LSML_Supervised", "_BaseLSML"]
