"""The shell of the deep metric learners whose training may go on from the last solution."""

from metricnets._params import Flag
from metricnets.deep._base import DeepMetric


class Continued(DeepMetric):
    """Deep metric whose training may go on from the last solution.

    Parameters
    ----------
    warm_start : bool, default=False
        Whether ``fit`` goes on from the networks of the last one, for which the number of features and the parameters
        of the network have to be the same.  The scale of the points and the linear map before the networks stay as they
        are; the optimiser, the learning rate and losses with parameters start anew.
    """

    warm_start: Flag = False

    _solution = None  # of the last fit, a `Start`

    def _last(self):
        return self._solution and self._solution.check(self.n_components)
