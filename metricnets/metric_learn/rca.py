"""RCA as in metric-learn."""

from metricnets.linear import _rca
from metricnets.metric_learn._compatible import Compatible

__all__ = ["RCA", "RCA_Supervised"]


class RCA(Compatible, _rca.RCA, positional="n_components preprocessor"):
    """`metricnets.RCA` with the arguments by position and the methods of metric-learn."""


class RCA_Supervised(  # noqa: N801
    Compatible,
    _rca.RCA_Supervised,
    positional="n_components n_chunks chunk_size preprocessor random_state",
):
    """`metricnets.RCA_Supervised` with the arguments by position and the methods of metric-learn."""
