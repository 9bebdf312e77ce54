"""The shell of the networks of sets of points: a network and a manifold for each class."""

from functools import partial
from typing import Literal

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.utils.validation import column_or_1d

from metricnets._labels import check_known
from metricnets._params import Count, Function
from metricnets._sets import check_stacked, of_each_set, set_numbers, split_sets
from metricnets._targets import resolve
from metricnets._weights import check_weights, rows_of
from metricnets.deep._perceptron import RESIDUAL, NetworkMetric
from metricnets.deep._shrinkage import ShrunkMetric
from metricnets.deep._training.data import CHUNK, Targets, tensor_of
from metricnets.deep._training.manifolds import of_networks
from metricnets.deep._training.samples import check_validation, followed_by, sampler_of, used, with_validation
from metricnets.deep._training.sets import folds_of_sets, hold_back_sets
from metricnets.deep._training.similarity import OfTargets
from metricnets.metrics._sets import distances_of
from metricnets.networks import Ensemble
from metricnets.samplers import ClassBalanced
from metricnets.set_classifiers import SetClassifierMixin

SHARPNESS = 10.0  # log-odds of two classes for a difference of 1 of their distances, by which shrinkage is chosen


class ManifoldsMetric(SetClassifierMixin, ShrunkMetric, NetworkMetric):
    """Network for each class, whose training points, embedded by it, form a manifold.

    Hook: ``_criterion``.
    """

    distance: Literal["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"] | Function = (
        "mean_nearest"
    )
    n_per_class: Count = 8

    # ---- prepare

    def _fit_sets(self, train, val, sample_weight):
        """Learn from sets; ``train`` and ``val`` are (X, y, groups), each None if there are no validation data."""
        X, y, number, n = self._validated_sets(train, val)
        weights = with_validation(check_weights(sample_weight, n), len(X))
        relation, codes, classes = resolve(y, "same_class")
        X, codes, number, is_train, weights = used(weights, X, codes, number, np.arange(len(X)) < n)
        present = np.unique(codes[is_train])
        if len(present) < 2:
            raise ValueError(f"y has one class only, {classes[present[0]]!s}; a metric needs at least two.")
        unseen = np.setdiff1d(codes, present)
        if len(unseen):
            raise ValueError(f"y_val has the class {classes[unseen[0]]!s}, of which there are no training sets.")
        targets = Targets(
            tensor_of(np.searchsorted(present, codes)),
            row=torch.arange(len(X)),
            relation=relation,
            classes=classes[present],
            weights=weights,
            sets=tensor_of(np.unique(number, return_inverse=True)[1]),
        )
        return self._learn_sets(X, targets, None if is_train.all() else np.count_nonzero(is_train))

    def _validated_sets(self, train, val):
        """Points, classes and numbers of sets, those for validation last, and the number of the others."""
        (X, y, groups), (X_val, y_val, groups_val) = train, val
        if not check_validation(X_val, y_val, self.early_stopping, "X_val") and groups_val is not None:
            raise ValueError("groups_val is given without X_val and y_val; give all of them, or none.")
        X, y = self._validated(X, y)
        y, number = _of_rows(y, groups, "y", "groups")
        n = len(X)
        if X_val is None:
            return X, y, number, n
        X_val, y_val = self._validated_more(X_val, y_val, dtype=X.dtype)
        y_val, number_val = _of_rows(y_val, groups_val, "y_val", "groups_val")
        number = np.append(number, number_val + number.max() + 1)
        return followed_by(X, X_val, "X_val"), followed_by(y, y_val, "y_val"), number, n

    def _validated(self, X, *y):
        if self.module is None:
            check_stacked(X)
        return super()._validated(X, *y)

    def _learn_sets(self, X, targets, n_train):
        problem = self._problem(np.arange(len(X)), X, targets, n_train)
        codes, sets = (column.numpy()[:n_train] for column in (targets.labels, targets.sets))
        folds = folds_of_sets(codes, sets, np.random.default_rng(problem.seed))
        problem_of = partial(ManifoldsMetric._problem, X=X, targets=targets)
        quality_of = partial(ManifoldsMetric._quality, X=X, targets=targets)
        problem.shrinkage = self._choose_shrinkage(problem.seed, folds, problem_of, quality_of)
        return self._learn(problem)

    def _problem(self, rows, X, targets, n_train=None):
        """The `Problem` of learning from some of the rows."""
        X, targets = X[rows], targets[torch.from_numpy(rows)]
        weights = targets.weights
        if n_train is not None:
            weights = np.where(np.arange(len(X)) < n_train, 1.0 if weights is None else weights, 0.0)
        return self._prepare(X, targets, torch.stack([targets.labels, targets.sets], dim=1).numpy(), weights, n_train)

    def _quality(self, held, X, targets):
        """The log-likelihood of the class of each of the sets held out."""
        codes, number = targets.labels.numpy()[held], np.unique(targets.sets.numpy()[held], return_inverse=True)[1]
        d = self._to_manifolds(self._embed(X[held]), number)
        return log_softmax(-SHARPNESS * d, axis=1)[np.arange(len(d)), of_each_set(codes, number, number)]

    def _starts_in_closed_form(self):
        return self.module is None and self.init in RESIDUAL

    def _split(self, n, strata, seed):
        codes, sets = strata.T
        if self.early_stopping and len(np.unique(sets)) < n:
            held_back = hold_back_sets(codes, sets, self.validation_fraction, np.random.default_rng(seed))
            if held_back.any():
                return np.flatnonzero(~held_back), np.flatnonzero(held_back)
        return super()._split(n, codes, seed)

    def _similarity(self, targets, kept):
        weights = rows_of(targets.weights, kept)
        return kept, OfTargets(targets.labels[kept], targets.relation, weights, targets.sets[kept].numpy())

    # ---- train

    def _network(self, rows, generator, member):
        of_class = super()._network
        return Ensemble([of_class(rows, generator, member) for _ in rows.targets.classes])

    def _joined(self, networks, X):
        of_class = super()._joined
        return Ensemble([of_class([*members], X) for members in zip(*(network.members for network in networks))])

    def _make_batches(self, part, rng):
        codes = part.targets.labels.numpy()
        if len(np.unique(codes)) < 2:
            raise ValueError(
                "early_stopping=True leaves one part of the samples without two classes; change "
                f"validation_fraction={self.validation_fraction}, or give more samples."
            )
        return sampler_of(lambda rows: ClassBalanced(codes[rows], self.batch_size, rng, self.n_per_class), part, rng)

    # ---- finish, and predict

    @torch.no_grad()
    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        network, X = self.module_[-1] if problem.plan.of_ours else self.module_, problem.rows.X[: problem.n_train]
        self.classes_ = problem.rows.targets.classes
        codes, n_classes = problem.rows.targets.labels[: len(X)].numpy(), len(self.classes_)
        size = min(CHUNK, self._rows_at_once)
        z = torch.cat([network(part).double() for part in X.split(size)]).numpy()
        z = of_networks(z, n_classes)
        self.manifolds_ = [z[codes == c, c] for c in range(n_classes)]

    def _distances_to_classes(self, X, number):
        return self._to_manifolds(self.transform(X), number)

    def _to_manifolds(self, z, number):
        z = of_networks(z.astype(float), len(self.classes_))
        by_class = zip(z.swapaxes(0, 1), self.manifolds_)
        return np.hstack([distances_of(split_sets(own, number), [m], self.distance) for own, m in by_class])


def _of_rows(y, groups, name, name_of_groups):
    """Known classes of rows and the number of the set of each; ValueError if those of a set differ."""
    y = check_known(column_or_1d(y, warn=True))
    names, number = set_numbers(groups, len(y), name_of_groups)
    of_each_set(y, names, number, name)
    return y, number
