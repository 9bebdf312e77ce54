"""Base classes of the deep metric learners that learn from targets: relation, sampler, loss."""

import copy
from functools import partial
from typing import Annotated, Literal, Self

import numpy as np
import torch
from torch import nn

from metricnets import losses, miners, relations
from metricnets._params import Array, Count, Function, MaybeDict, MaybeFunction, Points, StrOptions, UpToOne, fitting
from metricnets._similar_pairs import CLASS_RELATIONS, check_pairs
from metricnets._targets import CLASSES, readable, resolve
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.foreign import CheckedSampler, check_params, checked_miner, naming, takes
from metricnets.deep._training.runtime import defaults, randomness
from metricnets.deep._training.similarity import OfTargets
from metricnets.miners import easy_positives
from metricnets.samplers import ClassBalanced, ClassPairs, Shuffled

OF_TRIPLETS = ("triplet", "npair")


class Supervised(DeepMetric):
    """Deep metric learned from all pairs of a batch and the relation of their targets.

    Hook: ``_loss(z, r)``.

    Parameters
    ----------
    sampler : {'shuffled', 'balanced', 'pairs'} or callable, default='balanced'
        Sampler of the batches.

        - 'shuffled': samples in random order.
        - 'balanced': the same number of samples from each of several classes.
        - 'pairs': random pairs, half of them similar; other pairs of the batch do not count.
        - A callable takes the encoded targets, the batch size and a random generator, and returns an
          iterable of index lists, each iteration of which is a new pass.

        If the targets are not classes, but for example label sets, 'balanced' is the same as 'shuffled', and 'pairs'
        are pairs of random samples.
    n_per_class : int >= 1, default=8
        Minimum number of samples of each class in a 'balanced' batch, which has at least two classes.
    """

    sampler: Literal["shuffled", "balanced", "pairs"] | Function = "balanced"
    n_per_class: Count = 8

    relation, positive_fraction = "same_class", 1.0  # unless they are parameters
    _graded = False  # whether the loss can learn without similar pairs

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
        X, y = self._validated(X, readable(y, self.relation))
        relation, labels, classes = resolve(y, self.relation)
        if classes is not None and len(classes) < 2:
            raise ValueError(f"y has one class only, {classes[0]!s}; a metric needs samples of at least two classes.")
        if classes is None and not callable(self.relation) and (labels == labels[0]).all():
            raise ValueError("y is the same in all rows; a metric needs targets that differ.")
        if callable(self.relation):
            with randomness(0, "cpu", globally=True):
                check_relation(self.relation, labels)
        strata = labels if labels.ndim == 1 and classes is not None else None
        row = torch.arange(len(labels)) if callable(self.sampler) else None  # our samplers never repeat a row
        targets = Targets(tensor_of(labels), row, relation=relation)
        problem = self._prepare(X, targets, strata)
        trained = self._train(problem)
        self._finish(problem, trained)
        if trained.interrupted:
            raise self._interruption(problem, trained)
        return self

    def _similarity(self, targets, kept):
        return kept, OfTargets(targets.labels[kept], targets.relation)

    def _loss(self, z, r):
        """Hook: the loss of embeddings (n, n_components) and relation (n, n), NaN where it is unknown; a scalar."""
        raise NotImplementedError

    def _criterion(self, targets, generator):
        return partial(self._loss_of_batch, self._miner(targets.relation, generator))

    def _miner(self, relation, generator):
        """Hook: a function ``(z, r) -> r`` that selects pairs of the batches of this relation, or None."""
        if self.positive_fraction < 1 and self.sampler != "pairs" and relation in CLASS_RELATIONS:
            return partial(easy_positives, fraction=self.positive_fraction)
        return None

    def _loss_of_batch(self, mine, z, targets):
        r = targets.relation(targets.labels, targets.labels).to(torch.promote_types(z.dtype, torch.float32))
        if targets.row is None:
            r = r.clone() if callable(self.relation) else r  # which may be kept by the user
            r.fill_diagonal_(torch.nan)
        else:
            r = r.masked_fill(targets.row[:, None] == targets.row, torch.nan)
        if self.sampler == "pairs":
            r = halves(z, r)
        return self._loss(z, r if mine is None else checked_miner(mine, z, r))

    def _make_batches(self, part, rng):
        labels = part.targets.labels.numpy()
        sampler = self._sampler(labels, rng)
        if not self._graded:
            where = f"a part of y, with validation_fraction={self.validation_fraction}" if self.early_stopping else "y"
            check_pairs(part.targets.relation, part.targets.labels, self.relation, where)
            if callable(self.sampler):
                _check_batches(part.targets.relation, labels, self._sampler(labels, np.random.default_rng(0)))
        return sampler

    def _sampler(self, labels, rng):
        if callable(self.sampler):
            return CheckedSampler(self.sampler, labels, self.batch_size, rng)
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


class AnyLoss(Supervised):
    """Deep metric trained with any loss.

    Parameters
    ----------
    loss : str or callable, default='triplet'
        Loss to minimise.

        - The name of a loss of :mod:`metricnets.losses`.
        - A function ``(z, r) -> scalar`` of embeddings and relation.  r is NaN on the diagonal and where the
          relation is unknown; ``r > 0.5`` and ``r <= 0.5`` are both False there.  Select pairs before you compute.
        - A ``torch.nn.Module``, called with embeddings and class codes, such as the losses of
          pytorch-metric-learning.  Its parameters are trained too.
    loss_params : dict or None, default=None
        Keyword arguments of the loss.
    relation : str or callable, default='auto'
        Relation r of two targets: a name of :mod:`metricnets.relations`, or a function ``(y_a, y_b) -> r``.  'auto'
        chooses the one that suits y, see :func:`metricnets._targets.resolve`; set 'known_class' if some labels are
        unknown.
    miner : str, callable or None, default=None
        Miner that selects the pairs of a batch.

        - The name of a miner of :mod:`metricnets.miners`.
        - A function ``(z, r) -> r`` that sets r to NaN where a pair should not count.
        - If the loss is a module, a miner of pytorch-metric-learning.
        - None for the easy positives of ``positive_fraction``.
    miner_params : dict or None, default=None
        Keyword arguments of the miner.
    positive_fraction : float in (0, 1], default=0.25
        Share of the similar samples in a batch that count as positives of a sample, those at the smallest distance,
        see :func:`metricnets.miners.easy_positives`, so that classes may consist of several clusters; 1 draws all
        samples of a class together, which loss='alignment' needs if all distances matter.  It has no effect with a
        ``miner``, which selects among all pairs, nor if targets are not classes, with sampler='pairs', or if the loss
        is a module.
    """

    loss: Annotated[str, StrOptions({*losses.CATALOGUE})] | Function = "triplet"
    loss_params: MaybeDict = None
    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"
    miner: Annotated[str, StrOptions({*miners.__all__})] | MaybeFunction = None
    miner_params: MaybeDict = None
    positive_fraction: UpToOne = 0.25

    @property
    def _graded(self):
        return self.loss == "alignment" or callable(self.loss)

    def _validated(self, X, y):
        check_params("loss", self.loss, losses, self.loss_params)
        check_params("miner", self.miner, miners, self.miner_params)
        if self.loss in OF_TRIPLETS and self.sampler == "pairs":
            raise ValueError(
                f"loss={self.loss!r} compares two pairs of a sample, and sampler='pairs' leaves one; set 'balanced'."
            )
        if isinstance(self.miner, str) and self.sampler == "pairs":
            raise ValueError(
                f"miner={self.miner!r} selects among the pairs of a sample, and sampler='pairs' leaves one; set "
                "'balanced', or miner=None."
            )
        if isinstance(self.loss, nn.Module) or (isinstance(self.loss, type) and issubclass(self.loss, nn.Module)):
            self._check_on_labels()
        return super()._validated(X, y)

    def _check_on_labels(self):
        """A module as loss takes class codes: neither another relation, nor pairs, nor a miner of a relation."""
        if self.relation not in ("auto", *CLASSES):
            raise ValueError(
                f"relation={self.relation!r} is for losses of (z, r), and a module as loss takes class codes; leave it "
                "at 'auto', or set 'known_class' if some labels are unknown."
            )
        if self.sampler == "pairs":
            raise ValueError(
                "sampler='pairs' is for losses of (z, r), and a module as loss takes whole batches; set 'balanced' or "
                "'shuffled'."
            )
        if isinstance(self.miner, str) or self.miner_params:
            raise ValueError(
                f"miner={self.miner!r} with miner_params={self.miner_params} is for losses of (z, r), and a module as "
                "loss takes class codes; give a miner that takes them, an instance such as those of "
                "pytorch-metric-learning."
            )

    def _criterion(self, targets, generator):
        with naming("loss", self.loss):
            loss = self.loss(**(self.loss_params or {})) if isinstance(self.loss, type) else copy.deepcopy(self.loss)
        if isinstance(loss, nn.Module):
            return _OnLabels(loss, copy.deepcopy(self.miner))
        return super()._criterion(targets, generator)

    def _miner(self, relation, generator):
        if self.miner is None:
            return super()._miner(relation, generator)
        if callable(self.miner):
            return partial(self.miner, **self.miner_params) if self.miner_params else self.miner
        mine = getattr(miners, self.miner)
        random = {"generator": generator} if takes(mine, "generator") else {}
        return partial(mine, **random, **(self.miner_params or {}))

    def _loss(self, z, r):
        if not callable(self.loss):
            return getattr(losses, self.loss)(z, r, **(self.loss_params or {}))
        with naming("loss", self.loss):
            return self.loss(z, r, **(self.loss_params or {}))


class _OnLabels(nn.Module):
    """A loss of embeddings and class codes, with its miner, applied to the rows of known class, each once."""

    def __init__(self, loss, miner):
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, z, targets):
        codes = targets.labels
        if codes.dtype != torch.int64:
            raise ValueError("loss= is a module, which needs classes in y; set relation='same_class' if y holds some.")
        rows = torch.arange(len(codes), device=codes.device)
        if targets.row is not None:
            drawn = targets.row.cpu().numpy()
            rows = torch.as_tensor(np.sort(np.unique(drawn, return_index=True)[1]), device=codes.device)
        rows = rows[codes[rows] >= 0]
        if not len(rows):
            return z.sum() * 0
        z, codes = z[rows], codes[rows]
        with naming("miner", self.miner):
            mined = () if self.miner is None else (self.miner(z, codes),)
        with naming("loss", self.loss):
            return self.loss(z, codes, *mined)


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
