"""SCML as in metric-learn."""

from metricnets._params import Count
from metricnets.linear import _scml
from metricnets.metric_learn._compatible import Compatible

__all__ = ["SCML", "SCML_Supervised", "_BaseSCML"]


class _BaseSCML(_scml._BaseSCML):
    """The parameters of metric-learn that `metricnets.SCML` does not have.

    Parameters
    ----------
    output_iter : int >= 1, default=500
        Has no effect: the objective is computed at every iteration.
    batch_size : int >= 1, default=10
        Has no effect: every iteration uses all triplets.
    """

    output_iter: Count = 500
    batch_size: Count = 10


class SCML(
    Compatible,
    _scml.SCML,
    _BaseSCML,
    positional="beta basis n_basis gamma max_iter output_iter batch_size verbose preprocessor random_state",
):
    """`metricnets.SCML` with the arguments by position and the methods of metric-learn."""


class SCML_Supervised(  # noqa: N801
    Compatible,
    _scml.SCML_Supervised,
    _BaseSCML,
    positional="k_genuine k_impostor beta basis n_basis gamma max_iter output_iter batch_size verbose preprocessor "
    "random_state",
):
    """`metricnets.SCML_Supervised` with the arguments by position and the methods of metric-learn."""
