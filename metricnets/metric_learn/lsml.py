"""LSML as in metric-learn."""

from metricnets.linear import _lsml
from metricnets.linear._lsml import _BaseLSML
from metricnets.metric_learn._compatible import Compatible

__all__ = ["LSML", "LSML_Supervised", "_BaseLSML"]


class LSML(Compatible, _lsml.LSML, positional="tol max_iter prior verbose preprocessor random_state"):
    """`metricnets.LSML` with the arguments by position and the methods of metric-learn."""


class LSML_Supervised(  # noqa: N801
    Compatible,
    _lsml.LSML_Supervised,
    positional="tol max_iter prior n_constraints weights verbose preprocessor random_state",
):
    """`metricnets.LSML_Supervised` with the arguments by position and the methods of metric-learn."""
