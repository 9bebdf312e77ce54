"""NCA as in metric-learn."""

from metricnets.linear import _nca
from metricnets.metric_learn._compatible import Compatible

__all__ = ["NCA"]


class NCA(Compatible, _nca.NCA, positional="init n_components max_iter tol verbose preprocessor random_state"):
    """`metricnets.NCA` with the arguments by position and the methods of metric-learn.

    Parameters
    ----------
    tol : float >= 0 or None, default=None
        Stop when the relative change of the objective, or the largest entry of its gradient, is at most this.
        None takes the defaults of SciPy's L-BFGS-B, 2.2e-9 and 1e-5, as in metric-learn.
    """

    _tolerances = 2.2e-9, 1e-5
