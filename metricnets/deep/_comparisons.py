"""The shell of the deep metric learners that learn from comparisons of distances: triplets, quadruplets."""

from functools import partial
from typing import Literal

import numpy as np
import torch

from metricnets._params import Count, Flag, Positive
from metricnets._tuples import check_no_labels, distinct
from metricnets._weights import rows_of
from metricnets.deep._perceptron import RESIDUAL, NetworkMetric
from metricnets.deep._shrinkage import ShrunkMetric
from metricnets.deep._training.comparisons import Comparisons, OfComparisons, share_right, two_folds
from metricnets.deep._training.samples import check_validation_tuples
from metricnets.deep._tuples import DeepTuplesLearner
from metricnets.deep._warm_start import Continued
from metricnets.exceptions import warn
from metricnets.losses._ops import EPS, hinge, logistic, precise, ratio


class ComparisonsNet(Continued, ShrunkMetric, DeepTuplesLearner, NetworkMetric):
    """Network trained with comparisons of two distances, d(a, b) < d(c, d).

    Parameters
    ----------
    loss : {'hinge', 'logistic', 'ratio'}, default='logistic'
        Loss of the difference x = d(a, b) − d(c, d) of a comparison.

        - 'hinge': [τ + x]₊.
        - 'logistic': log(1 + exp βx), the negative log-likelihood if a comparison is right with probability
          1 / (1 + exp βx).  So wrong comparisons among those that are given do little harm.
        - 'ratio': 1 / (1 + exp −βx)², which is below 1 however wrong a comparison is.
    margin : float > 0, default=0.2
        Margin τ of 'hinge'.
    sharpness : float > 0, default=2.0
        β of 'logistic' and 'ratio': how sure comparisons are.  Distances are about 1 at the start.
    squared : bool, default=False
        Whether squared distances are compared.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm, so that distances are at most 2, except with ``skip``.  It helps
        for comparisons that come from classes, such as persons, and harms where distances are matters of degree.
    max_epochs : int >= 1, default=20
        Maximum number of epochs, that is, passes over the tuples.
    """

    loss: Literal["hinge", "logistic", "ratio"] = "logistic"
    margin: Positive = 0.2
    sharpness: Positive = 2.0
    squared: Flag = False
    normalize: Flag = False
    max_epochs: Count = 20

    def _fit_comparisons(self, tuples, y, sample_weight, tuples_val):
        check_validation_tuples(tuples_val, self.early_stopping, f"{self._kind}_val")
        check_no_labels(y, self._kind)
        _, labels, weights, n, X, members = self._validated_tuples(tuples, y, sample_weight, tuples_val)
        X, members = self._distinct(X, members)
        self._warn_if_equal(members)
        problem_of = partial(ComparisonsNet._problem, X=X, members=members, labels=labels, weights=weights)
        problem = problem_of(self, slice(None), n=n, start=self._last() if self.warm_start else None)
        folds = two_folds(len(members), np.random.default_rng(problem.seed))
        quality_of = partial(ComparisonsNet._quality, X=X, members=members, weights=weights)
        problem.shrinkage = self._choose_shrinkage(problem.seed, folds, problem_of, quality_of)
        return self._learn(problem)

    def _problem(self, rows, X, members, labels, weights, n=None, start=None):
        """The `Problem` of learning from some of the comparisons."""
        members = members[rows]
        problem = self._prepare_tuples(X, members, labels[rows], rows_of(weights, rows), n, start=start)
        problem.rows = Comparisons(problem.rows.X, problem.rows.targets, torch.as_tensor(members))
        return problem

    def _quality(self, held, X, members, weights):
        """How much of each of the comparisons held out is right, times its weight."""
        right = share_right(self._embed(X), members[held])
        return right if weights is None else right * weights[held]

    def _warn_if_equal(self, members):
        """Warn if every comparison is of two distances that are equal for all metrics, as their points are."""
        near, far = np.sort(members[:, :2]), np.sort(members[:, 2:])
        are_zero = (near[:, 0] == near[:, 1]) & (far[:, 0] == far[:, 1])
        if (are_zero | (near == far).all(axis=1)).all():
            warn(
                f"all {self._kind} compare two distances of the same points, so there is nothing to learn; check "
                "whether their points differ."
            )

    def _starts_in_closed_form(self):
        return self.module is None and self.init in RESIDUAL

    def _distinct(self, X, members):
        """Distinct points as they occur first, and the rows (n_tuples, 4) of those whose distances are compared."""
        points, members = distinct(X.reshape(len(X), -1), members[:, self._compared])
        order = np.argsort(np.unique(members, return_index=True)[1])
        return points[order].reshape(-1, *X.shape[1:]), np.argsort(order)[members]

    def _labels(self, y, n_tuples, n_train):
        self.classes_ = np.array([-1, 1])
        return np.ones(n_tuples, dtype=np.int8)

    def _similarity(self, targets, kept):
        rows, members = np.unique(targets.members[kept], return_inverse=True)
        return rows, OfComparisons(members.reshape(-1, 4), rows_of(targets.weights, kept))

    def _criterion(self, network, part, generator):
        return self._loss_of_batch

    def _loss_of_batch(self, z, targets):
        a, b, c, d = precise(z)[targets.members.T]
        near, far = ((a - b) ** 2).sum(1), ((c - d) ** 2).sum(1)
        differences = near - far if self.squared else (near + EPS).sqrt() - (far + EPS).sqrt()
        if self.loss == "hinge":
            return hinge(differences, margin=self.margin).mean()
        return {"logistic": logistic, "ratio": ratio}[self.loss](self.sharpness * differences).mean()
