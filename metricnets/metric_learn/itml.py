"""ITML as in metric-learn."""

from metricnets.linear import _itml
from metricnets.linear._itml import _BaseITML
from metricnets.metric_learn._compatible import Compatible, CompatiblePairs

__all__ = ["ITML", "ITML_Supervised", "_BaseITML"]


class ITML(CompatiblePairs, _itml.ITML, positional="gamma max_iter tol prior verbose preprocessor random_state"):
    """`metricnets.ITML` with the arguments by position and the methods of metric-learn."""


class ITML_Supervised(  # noqa: N801
    Compatible,
    _itml.ITML_Supervised,
    positional="gamma max_iter tol n_constraints prior verbose preprocessor random_state",
):
    """`metricnets.ITML_Supervised` with the arguments by position and the methods of metric-learn."""
