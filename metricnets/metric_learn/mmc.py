"""metric-learn's path to ``metricnets.linear._mmc``."""

from metricnets.linear._mmc import MMC, MMC_Supervised, _BaseMMC

__all__ = ["MMC", "MMC_Supervised", "_BaseMMC"]
