"""SDML as in metric-learn."""

from metricnets.linear import _sdml
from metricnets.linear._sdml import _BaseSDML
from metricnets.metric_learn._compatible import Compatible, CompatiblePairs

__all__ = ["SDML", "SDML_Supervised", "_BaseSDML"]


class SDML(
    CompatiblePairs,
    _sdml.SDML,
    positional="balance_param sparsity_param prior verbose preprocessor random_state",
):
    """`metricnets.SDML` with the arguments by position and the methods of metric-learn."""


class SDML_Supervised(  # noqa: N801
    Compatible,
    _sdml.SDML_Supervised,
    positional="balance_param sparsity_param prior n_constraints verbose preprocessor random_state",
):
    """`metricnets.SDML_Supervised` with the arguments by position and the methods of metric-learn."""
