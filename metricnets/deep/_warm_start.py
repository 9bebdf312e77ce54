"""The shell of the deep metric learners whose training may go on from the last solution."""

from metricnets._params import Flag
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.stream import Start


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

    def _start(self):
        return self._last() if self.warm_start else None

    def _last(self):
        return self._solution and self._solution.check(self.n_components)

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        n = len(problem.kept)
        self._solution = Start(self._point_shape, problem.layers, trained.networks, self.n_components, n)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")
