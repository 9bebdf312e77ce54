"""The shell of the deep metric learners that learn from targets: relation, sampler, loss of a batch."""

from functools import partial
from numbers import Real
from typing import Literal, Self

import numpy as np
import torch

from metricnets._labels import known_classes
from metricnets._params import Array, Count, Function, Points, fitting
from metricnets._similar_pairs import CLASS_RELATIONS, check_pairs
from metricnets._targets import CLASSES, readable, resolve
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.foreign import CheckedSampler, checked_miner, naming
from metricnets.deep._training.memory import WithMemory
from metricnets.deep._training.runtime import defaults, randomness
from metricnets.deep._training.similarity import OfTargets
from metricnets.miners import easy_positives
from metricnets.samplers import ClassBalanced, ClassPairs, MatchedPairs, Shuffled


class Supervised(DeepMetric):
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
    """

    sampler: Literal["shuffled", "balanced", "pairs", "matched"] | Function = "balanced"
    n_per_class: Count = 8

    relation, positive_fraction, memory, class_weight = "same_class", 1.0, 0, None  # unless they are parameters
    _graded = False  # whether the loss can learn without similar pairs
    _two_views = False  # whether the loss compares matched rows

    @property
    def _matched(self):
        return self.sampler == "matched" or (self.sampler == "balanced" and self._two_views)

    @fitting
    @defaults()
    def fit(self, X: Array, y: Points) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Training points.
        y : array-like of shape (n_samples,), or array-like or sparse matrix of shape (n_samples, n_targets)
            Targets that suit the relation: classes, label sets, distributions or real values.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X or y do not suit the parameters, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        X, encoded = self._validated(X, readable(y, self.relation))
        relation, labels, classes = resolve(encoded, self.relation)
        if self.relation == "known_class":
            classes = known_classes(y)[0]
        if classes is not None and len(classes) < 2:
            raise ValueError(f"y has one class only, {classes[0]!s}; a metric needs samples of at least two classes.")
        if classes is None and not callable(self.relation) and (labels == labels[0]).all():
            raise ValueError("y is the same in all rows; a metric needs targets that differ.")
        self._check_targets(labels, classes)
        if callable(self.relation):
            with randomness(0, "cpu", globally=True):
                check_relation(self.relation, labels)
        strata = labels if labels.ndim == 1 and classes is not None else None
        repeats = callable(self.sampler) or self._matched or self.memory  # our other samplers never repeat a row
        row = torch.arange(len(labels)) if repeats else None
        targets = Targets(tensor_of(labels), row, relation=relation, classes=classes)
        problem = self._prepare(X, targets, strata)
        trained = self._train(problem)
        self._finish(problem, trained)
        if trained.interrupted:
            raise self._interruption(problem, trained)
        return self

    def _check_targets(self, labels, classes):
        """Raise ValueError if the parameters do not suit the encoded targets."""
        if self.class_weight:
            share_of_classes(self.class_weight, classes)

    def _similarity(self, targets, kept):
        return kept, OfTargets(targets.labels[kept], targets.relation)

    def _loss(self, z, r):
        """Hook: the loss of embeddings (n, n_components) and relation (n, n), NaN where it is unknown; a scalar."""
        raise NotImplementedError

    def _criterion(self, network, part, generator):
        mine, thin = self._miner(part.targets.relation, generator), self._thinning(part.targets.classes, generator)
        loss = partial(self._loss_of_batch, mine, thin)
        return WithMemory(loss, self.memory, len(part)) if self.memory else loss

    def _miner(self, relation, generator):
        """Hook: a function ``(z, r) -> r`` that selects pairs of the batches of this relation, or None."""
        in_pairs = self._matched or self.sampler == "pairs"
        if self.positive_fraction < 1 and not in_pairs and relation in CLASS_RELATIONS:
            return partial(easy_positives, fraction=self.positive_fraction)
        return None

    def _thinning(self, classes, generator):
        """A function of class codes that draws which samples count, by ``class_weight``; None without it."""
        if not self.class_weight:
            return None
        return partial(drawn, share_of_classes(self.class_weight, classes), generator)

    def _loss_of_batch(self, mine, thin, z, targets, n=None):
        """The loss of a batch; rows from the n-th on are earlier ones, with which those of the batch form pairs."""
        r = targets.relation(targets.labels, targets.labels).to(torch.promote_types(z.dtype, torch.float32))
        if targets.row is None:
            r = r.clone() if callable(self.relation) else r  # which may be kept by the user
            r.fill_diagonal_(torch.nan)
        else:
            r = r.masked_fill(targets.row[:, None] == targets.row, torch.nan)
        if self._matched:
            r = matched(r)
        elif self.sampler == "pairs":
            r = halves(z, r)
        if n is not None:
            r[n:] = torch.nan
        if thin is not None:
            r = r.masked_fill(~thin(targets.labels)[:, None], torch.nan)
        return self._loss(z, r if mine is None else checked_miner(mine, z, r))

    def _make_batches(self, part, rng):
        labels = part.targets.labels.numpy()
        sampler = self._sampler(labels, rng)
        if not self._graded:
            where = f"a part of y, with validation_fraction={self.validation_fraction}" if self.early_stopping else "y"
            check_pairs(part.targets.relation, part.targets.labels, self.relation, where, with_itself=self._matched)
            if callable(self.sampler):
                _check_batches(part.targets.relation, labels, self._sampler(labels, np.random.default_rng(0)))
        return sampler

    def _sampler(self, labels, rng):
        if callable(self.sampler):
            return CheckedSampler(self.sampler, labels, self.batch_size, rng)
        if self._matched:
            codes = labels if labels.dtype == np.int64 else np.arange(len(labels))
            return MatchedPairs(codes, self.batch_size, rng)
        if self.sampler == "shuffled" or labels.dtype != np.int64:
            return Shuffled(len(labels), self.batch_size, rng)
        if self.sampler == "pairs":
            return ClassPairs(labels, self.batch_size, rng)
        return ClassBalanced(labels, self.batch_size, rng, n_per_class=self.n_per_class)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        relation = self.relation
        tags.target_tags.multi_output = callable(relation) or relation not in CLASSES
        return tags


def share_of_classes(weights, classes):
    """The share of the samples of each class that count, a tensor; ValueError for weights of other classes."""
    if classes is None:
        raise ValueError(f"class_weight={weights} is for classes, and y holds other targets; set it to None.")
    unknown = [label for label in weights if label not in set(classes.tolist())]
    are_numbers = all(isinstance(weight, Real) for weight in weights.values())
    values = np.array([weights.get(label, 1.0) for label in classes.tolist()] if are_numbers else [-1.0], float)
    if unknown or not (values >= 0).all() or not 0 < values.max() < np.inf:
        fault = "should hold numbers, at least 0, not all 0"
        about = f"has {unknown[0]!r}, which is no class of y" if unknown else fault
        raise ValueError(f"class_weight={weights} {about}.")
    return torch.from_numpy(values / values.max())


def drawn(shares, generator, codes):
    """Draw which samples count, those of class c with probability ``shares[c]``; unknown ones always do."""
    u = torch.rand(len(codes), generator=generator, dtype=shares.dtype).to(codes.device)
    return (codes < 0) | (u < shares.to(codes.device)[codes])


def halves(z, r):
    """Keep only the pairs of row k and row k + n // 2: the batch is a list of pairs.

    >>> halves(None, torch.zeros(4, 4))[0]
    tensor([nan, nan, 0., nan])
    """
    half = len(r) // 2
    left = torch.arange(half)
    kept = torch.full_like(r, torch.nan)
    kept[left, left + half] = r[left, left + half]
    kept[left + half, left] = r[left + half, left]
    return kept


def matched(r):
    """Make row k and row k + n // 2 similar, in place: they are two views, even if they are one sample.

    >>> matched(torch.zeros(4, 4))[0]
    tensor([0., 0., 1., 0.])
    """
    half = len(r) // 2
    left = torch.arange(half)
    r[left, left + half] = r[left + half, left] = 1
    return r


def check_relation(relation, targets):
    """Raise ValueError unless a relation returns a matrix with entries in [0, 1], or NaN, for some targets."""
    some = torch.as_tensor(targets[:50])
    with naming("relation", relation):
        r = relation(some, some)
    if not isinstance(r, torch.Tensor) or r.shape != (len(some), len(some)):
        got = tuple(r.shape) if isinstance(r, torch.Tensor) else type(r).__name__
        raise ValueError(f"relation should turn tensors of n and m targets into an n x m tensor; got {got}.")
    if ((r < 0) | (r > 1 + 1e-5)).any():
        raise ValueError(f"relation should lie in [0, 1]; on this y it ranges from {r.min():.3g} to {r.max():.3g}.")


def _check_batches(relation, labels, sampler):
    """Raise ValueError unless some batch of the user's sampler has a similar pair."""
    for indices in sampler:
        indices = torch.from_numpy(indices)
        batch = torch.as_tensor(labels[indices])
        different = indices[:, None] != indices[None, :]  # a row repeated in a batch forms no pair with itself
        if ((relation(batch, batch) > 0.5) & different).any():
            return
    raise ValueError(f"there is no similar pair in any batch of sampler={type(sampler).__name__}; set 'balanced'.")
