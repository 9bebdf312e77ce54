"""Shells of the deep metric learners that go on learning: ``warm_start``, and ``partial_fit`` from a stream."""

from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, validate_data

from metricnets._params import Array, Flag, MaybeArray, Points, Whole, fitting
from metricnets._reservoir import Reservoir
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights
from metricnets.deep._base import DeepMetric
from metricnets.deep._supervised import Supervised
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.stream import Start, class_groups, rows_of_targets, suffices
from metricnets.exceptions import warn


class Continued(DeepMetric):
    """Deep metric whose training may go on from the last solution.

    Parameters
    ----------
    warm_start : bool, default=False
        Whether ``fit`` goes on from the networks of the last one, whose parameters and features have to be the same.
        The scale of the points and the linear map before the networks stay as they are; optimiser, learning rate and
        losses with parameters start anew.
    """

    warm_start: Flag = False

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        self._solution = Start(self._point_shape, problem.layers, trained.networks)

    def _last(self):
        """What training goes on from: the last solution, if there is one."""
        return getattr(self, "_solution", None)


class SupervisedStream(Continued, Supervised):
    """Deep metric learned from targets that also learns from a stream of batches.

    Parameters
    ----------
    replay_size : int >= 0, default=2000
        Number of samples of earlier batches that ``partial_fit`` keeps, and learns from again together with each new
        batch.  They are drawn at random, from all classes equally if the targets are classes.
    """

    replay_size: Whole = 2000

    @fitting
    @defaults()
    def partial_fit(self, X: Array, y: Points, classes: Any = None, *, sample_weight: MaybeArray = None) -> Self:
        reservoir, first = self._reservoir(), not hasattr(self, "n_features_in_")
        X, *rest = self._batch(X, y, sample_weight, reservoir, first)
        names = {name: value for name, value in vars(self).items() if name == "feature_names_in_"}
        X, y, weights = rows = reservoir.joined(X, *rest)
        codes = class_groups(y, self.relation)
        if not suffices(codes, len(X)):
            warn("waiting")
        else:
            start = self._last() if self._continues(y) else None
            self._fit_from(start, X, y, weights)
        groups = np.zeros(len(X), int) if codes is None else codes + 1
        self._memory = reservoir.after(*rows, groups=groups)
        vars(self).update(names)
        return self

    VARIANT = "A"

    def _continues(self, y):
        if self.VARIANT == "A":
            return True
        if self.VARIANT == "B":
            return False
        n = len(np.unique(y))
        same = getattr(self, "_n_classes_start", 0) == n
        self._n_classes_start = n
        return same

    def _reservoir(self):
        if hasattr(self, "_memory"):
            return self._memory
        return Reservoir(self.replay_size, np.random.default_rng(self._seed()))

    def _batch(self, X, y, sample_weight, reservoir, first):
        X = validate_data(self, X, reset=first, dtype=FLOATS, allow_nd=True)
        y = rows_of_targets(y, reservoir.arrays[1] if reservoir.arrays else None)
        check_consistent_length(X, y)
        weights = check_weights(sample_weight, len(X))
        return X, y, np.ones(len(X)) if weights is None else weights
