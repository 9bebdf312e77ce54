"""DTML and DSTML: deep transfer metric learning."""

from metricnets.deep._network import NetworkMetric


class DTML(NetworkMetric):
    """To be written."""
