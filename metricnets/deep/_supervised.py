"""The shell of the deep metric learners that learn from targets: relation, sampler, loss of a batch."""

from functools import partial
from typing import Literal, Self

import numpy as np
import torch

from metricnets._arrays import count_rows
from metricnets._labels import check_not_missing, known_classes
from metricnets._params import Array, Count, Function, MaybeArray, MaybeDict, Points, fitting
from metricnets._targets import CLASS_RELATIONS, CLASSES, check_differ, check_pairs, resolve
from metricnets._weights import check_weights
from metricnets.deep._partial import PartlyLabelled
from metricnets.deep._training.blocks import is_large, loss_in_blocks
from metricnets.deep._training.consistency import WithUnlabelled
from metricnets.deep._training.data import Targets
from metricnets.deep._training.foreign import CheckedSampler
from metricnets.deep._training.relation import check_batches, check_relation, halves, matched
from metricnets.deep._training.runtime import defaults, global_randomness
from metricnets.deep._training.samples import (
    check_class_weight,
    check_validation,
    codes_of,
    followed_by,
    sampler_of,
    training_counts,
    used,
    weights_of_classes,
    with_validation,
)
from metricnets.deep._training.similarity import OfTargets
from metricnets.miners._extremes import easiest
from metricnets.samplers import ClassBalanced, ClassPairs, MatchedPairs, Shuffled

MATCHED = ("matched", "views")


class Supervised(PartlyLabelled):
    """Deep metric learned from all pairs of a batch and the relation of their targets.

    Hook: ``_loss(z, r)``.

    Parameters
    ----------
    sampler : {'shuffled', 'balanced', 'pairs', 'matched'} or callable, default='balanced'
        Sampler of the batches.

        - 'shuffled': samples in random order.
        - 'balanced': the same number of samples from each of several classes.
        - 'pairs': random pairs, half of them similar; other pairs of the batch do not count.
        - 'matched': random pairs of samples of a class, or a sample and itself if it is alone in its class; see
          :class:`metricnets.samplers.MatchedPairs`.  All pairs of the batch count; a sample that is matched with itself
          has two views if there is dropout.
        - A callable takes the encoded targets, the batch size and a random generator, and returns an
          iterable of index lists, each iteration of which is a new pass.

        If the targets are not classes, but for example label sets, 'balanced' is the same as 'shuffled', 'pairs'
        are pairs of random samples, and 'matched' matches samples with themselves.
    n_per_class : int >= 1, default=8
        Minimum number of samples of each class in a 'balanced' batch, which has at least two classes.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, 1 where there is none: how often samples of a class are drawn, relative to a fit without
        it.  'balanced' draws all classes equally often, as sampler='balanced' does anyway where classes have enough
        samples.  A class of weight 0 is left out.
    """

    sampler: Literal["shuffled", "balanced", "pairs", "matched"] | Function = "balanced"
    n_per_class: Count = 8
    class_weight: Literal["balanced"] | MaybeDict = None

    relation, positive_fraction, memory = "same_class", 1.0, 0  # unless they are parameters
    _graded = False  # whether the loss can learn without similar pairs
    _two_views = False  # whether the loss compares matched rows
    _by_anchors = False  # whether ``_loss_of_anchors`` and the miner take the relation of some rows with all

    @property
    def _pairing(self):
        """How rows k and k + n / 2 of a batch belong together, see `loss_in_blocks`; None if they do not."""
        if self.sampler == "matched" or (self.sampler == "balanced" and self._two_views):
            return "views" if self._two_views else "matched"
        return "pairs" if self.sampler == "pairs" else None

    @fitting
    @defaults()
    def fit(
        self,
        X: Array,
        y: Points,
        *,
        sample_weight: MaybeArray = None,
        X_val: MaybeArray = None,
        y_val: MaybeArray = None,
    ) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Training points.
        y : array-like of shape (n_samples,), or array-like or sparse matrix of shape (n_samples, n_targets)
            Targets that suit the relation: classes, label sets, distributions or real values.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and samples of
            weight 0 are left out.  None draws all equally often.
        X_val, y_val : array-like or None, default=None
            Validation data for ``early_stopping``, as X and y; None holds back a part of X.  Losses of (z, r) may be
            validated on classes that are not in y.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X, y or the weights do not suit the parameters, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        start = self._last() if self.warm_start else None
        return self._fit_from(start, X, y, sample_weight, X_val, y_val)

    def _fit_from(self, start, X, y, sample_weight=None, X_val=None, y_val=None):
        """Learn the metric from new networks, or from those of a `Start`."""
        revises = (self.unlabeled, self.label_noise, self.noise_rate) != (None, None, None)
        by = self._related_by(y) if revises else self.relation
        X, targets, n = self._encoded(by, X, y, sample_weight, X_val, y_val)
        labels, classes, counts = targets.labels.numpy(), targets.classes, targets.weights
        self._check_targets(labels, classes, n)
        if callable(by):
            with global_randomness(0):
                check_relation(by, labels)
        if revises or counts is not None or self.memory or callable(self.sampler) or self._pairing in MATCHED:
            targets.row = torch.arange(len(X))  # a sample may be compared with itself
        vars(self).pop("transduction_", None)  # of an earlier fit
        if revises and (self.label_noise is not None or (labels < 0).any()):
            return self._learn_revised(X, targets, n, start)
        strata = labels if labels.ndim == 1 and classes is not None else None
        if n is not None:
            counts = training_counts(counts, np.arange(len(X)) < n)
        self._learn(self._prepare(X, targets, strata, counts, n, start))
        if revises:  # there was nothing to revise
            self.transduction_ = classes[labels[:n]]
        return self

    def _encoded(self, by, X, y, sample_weight, X_val, y_val):
        """Points and `Targets` of the samples to use, and how many of them are not for validation, or None."""
        n = names = weights = None
        if by != "known_class":
            check_not_missing(y, "leave these samples out or, if y has classes, set unlabeled='label_spreading'")
        if X_val is not None or y_val is not None:
            check_validation(X_val, y_val, self.early_stopping, "X_val")
            n, y = count_rows(y, "y"), followed_by(y, y_val, "y_val")
        if by == "known_class":
            names, y = self._known_classes(y)
        X, y = self._validated(X, y) if n is None else self._validated_both(X, y, X_val, n)
        if sample_weight is not None or self.class_weight is not None:
            X, y, weights, n = self._weighted(by, names, X, y, sample_weight, n)
        relation, labels, classes = resolve(y, by)
        classes = classes if names is None else names[classes]
        check_differ(labels[:n], classes, self.relation)
        labels = torch.from_numpy(np.ascontiguousarray(labels))
        return X, Targets(labels, relation=relation, classes=classes, weights=weights), n

    def _weighted(self, by, names, X, y, sample_weight, n):
        """Points and targets of positive weight, their weights, and how many are not for validation."""
        is_train, weights = np.arange(len(X)) < (len(X) if n is None else n), None
        if sample_weight is not None:
            weights = with_validation(check_weights(sample_weight, np.count_nonzero(is_train)), len(X))
            X, y, is_train, weights = used(weights, X, y, is_train)
        if self.class_weight is not None:
            _, labels, classes = resolve(y, by)
            codes, classes = codes_of(labels), classes if names is None else names[classes]
            of_classes = weights_of_classes(self.class_weight, codes, classes, weights)
            weights = np.where(codes < 0, 1.0, of_classes[codes]) * (1.0 if weights is None else weights)
            X, y, is_train, weights = used(weights, X, y, is_train)
            if n is not None:
                check_class_weight(self.class_weight, np.count_nonzero(is_train), len(X))
        return X, y, weights, None if n is None else np.count_nonzero(is_train)

    def _validated_both(self, X, y, X_val, n):
        """Points and targets; those from the n-th on are for validation."""
        X, encoded = self._validated(X, y[:n])
        X_val, encoded_val = self._validated_more(X_val, y[n:], dtype=X.dtype, multi_output=True)
        return followed_by(X, X_val, "X_val"), followed_by(encoded, encoded_val, "y_val")

    def _known_classes(self, y):
        """Hook: the classes and the codes of labels some of which may be unknown; it may warn of these."""
        return known_classes(y)

    def _check_targets(self, labels, classes, n):
        """Hook: raise ValueError if the parameters do not suit the encoded targets, of which n are to train on."""

    def _similarity(self, targets, kept):
        weights = None if targets.weights is None else targets.weights[kept]
        return kept, OfTargets(targets.labels[kept], targets.relation, weights)

    def _loss(self, z, r):
        """Hook: the loss of embeddings (n, n_components) and relation (n, n), NaN where it is unknown; a scalar."""
        raise NotImplementedError

    def _loss_of_anchors(self, z, r):
        """The loss of the relation (m, n) of the first m rows with all, if ``_by_anchors``."""
        return self._loss(z, r)

    def _criterion(self, network, part, generator):
        return partial(self._loss_of_batch, self._miner(part.targets.relation, generator), self._pairing)

    def _miner(self, relation, generator):
        """Hook: a function ``(z, r) -> r`` that selects pairs of the batches of this relation, or None."""
        if self.positive_fraction < 1 and self._pairing is None and relation in CLASS_RELATIONS:
            return partial(easiest, fraction=self.positive_fraction)
        return None

    def _loss_of_batch(self, mine, pairing, z, targets, n=None):
        """The loss of a batch; rows from the n-th on are earlier ones, with which those of the batch form pairs."""
        if (self.chunk_size or targets.processes) and self._by_anchors:
            batch = {"n": n, "mine": mine, "pairing": pairing}
            if is_large(z, targets, size=self.chunk_size, **batch):
                return loss_in_blocks(self._loss_of_anchors, z, targets, **batch)
        r = targets.relation(targets.labels, targets.labels).to(torch.promote_types(z.dtype, torch.float32))
        if targets.row is None:
            r = r.clone() if callable(self.relation) else r  # which may be kept by the user
            r.fill_diagonal_(torch.nan)
        else:
            r = r.masked_fill(targets.row[:, None] == targets.row, torch.nan)
        if pairing is not None:
            r = halves(z, r) if pairing == "pairs" else matched(r)
        if n is not None:
            r[n:] = torch.nan
        return self._loss(z, r if mine is None else mine(z, r))

    def _make_batches(self, part, rng):
        relation, labels, classes = part.targets.relation, part.targets.labels.numpy(), part.targets.classes
        if not self._graded:
            held_back = f"y_val, or a part of y with validation_fraction={self.validation_fraction}"
            where = held_back if self.early_stopping else "y"
            check_pairs(relation, part.targets.labels, self.relation, where, self._pairing in MATCHED)
            if callable(self.sampler):
                check_batches(relation, labels, self._sampler(labels, classes, np.random.default_rng(0), slice(None)))
        if part.targets.weights is None and not part.rows.in_windows:
            sampler = self._sampler(labels, classes, rng, slice(None))
        else:
            sampler = sampler_of(partial(self._sampler, labels, classes, rng), part, rng)
        if self.unlabeled == "consistency" and (labels < 0).any():
            return WithUnlabelled(sampler, labels, self.batch_size, rng)
        return sampler

    def _sampler(self, labels, classes, rng, rows):
        labels = labels[rows]
        if callable(self.sampler):
            return CheckedSampler(self.sampler, labels, self.batch_size, rng)
        if self._pairing in MATCHED:
            codes = labels if labels.dtype == np.int64 else np.arange(len(labels))
            return MatchedPairs(codes, self.batch_size, rng)
        if self.sampler == "shuffled" or labels.dtype != np.int64:
            return Shuffled(len(labels), self.batch_size, rng)
        if self.sampler == "pairs":
            return ClassPairs(labels, self.batch_size, rng)
        weights = None  # those of the rows have no effect on how often a class is drawn
        if isinstance(self.class_weight, dict):
            weights = [self.class_weight.get(name, 1.0) for name in classes.tolist()]
            weights = weights if np.ptp(weights) else None
        return ClassBalanced(labels, self.batch_size, rng, self.n_per_class, weights)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        relation = self.relation
        tags.target_tags.multi_output = callable(relation) or relation not in CLASSES
        return tags
