"""The shell of the deep metric learners that are shrunk to their start as far as held-out data ask for it."""

import copy
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from metricnets._params import ZeroToOne
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.shrinkage import SHRINKAGES, largest_shrinkage, shrink


class ShrunkMetric(DeepMetric):
    """Deep metric whose weights are between those of its start, a map in closed form, and the trained ones.

    Hook: ``_starts_in_closed_form``.  ``fit`` calls ``_choose_shrinkage`` before it learns.

    Parameters
    ----------
    shrinkage : float in [0, 1] or 'auto', default='auto'
        How far the trained weights are moved back to those that training started from: 0 not at all, 1 all the way, so
        that only the start counts.  'auto' chooses by two-fold cross-validation the largest one that is not clearly
        worse than the best, and is 0 with ``early_stopping``, ``module`` and random initial weights.  The choice takes
        about as long as the training.

    Attributes
    ----------
    shrinkage_ : float
        The shrinkage that was used.
    """

    shrinkage: Literal["auto"] | ZeroToOne = "auto"

    _shrinks = True

    def _starts_in_closed_form(self):
        """Hook: whether what training starts from is a metric of its own, and not random."""
        raise NotImplementedError

    def _choose_shrinkage(self, seed: int, folds: Iterable, problem_of: Callable, quality_of: Callable) -> float:
        """The shrinkage to use, by what networks trained on some of the data say of the others.

        Parameters
        ----------
        seed : int
        folds : iterable of (kept, held)
            Data to train on, and to judge by; without any, nothing speaks for more than the start.
        problem_of : callable
            From a learner and what is kept to a `Problem`.
        quality_of : callable
            From a learner and what is held out to an ndarray (n_judgements,), the larger the better.
        """
        if self.shrinkage != "auto":
            return self.shrinkage
        if self.early_stopping or not self._starts_in_closed_form():
            return 0.0
        changes = {"random_state": seed, "shrinkage": 0.0, "callbacks": None, "verbose": 0}
        learner = type(self)(**self.get_params(deep=False) | changes)
        quality = [np.stack([*learner._qualities(*fold, problem_of, quality_of)], axis=1) for fold in folds]
        return largest_shrinkage(np.concatenate(quality)) if quality else 1.0

    def _qualities(self, kept, held, problem_of, quality_of):
        """The quality with each of `SHRINKAGES` after training on what is kept; it leaves the last one."""
        problem = problem_of(self, kept)
        trained = self._train(problem)
        if trained.interrupted:
            raise KeyboardInterrupt
        ends = [copy.deepcopy(network.state_dict()) for network in trained.networks]
        for shrinkage in SHRINKAGES:
            for network, start, end in zip(trained.networks, trained.starts, ends):
                network.load_state_dict(end)
                shrink(network, start, shrinkage)
            self._keep(problem, trained)
            yield quality_of(self, held)

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        self.shrinkage_ = problem.shrinkage
