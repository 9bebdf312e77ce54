"""The shell of the deep metric learners whose labels may be unknown, or wrong."""

from functools import partial
from typing import Literal

import numpy as np
import torch

from metricnets._labels import UNKNOWN, supervised_codes, warn_of_names
from metricnets._neighbors import nearest
from metricnets._numpy_networks import unit_norm
from metricnets._params import MaybeRate
from metricnets._pseudo_labels import most_confident
from metricnets._targets import CLASSES
from metricnets._weights import rows_of
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.revision import (
    beside_spread,
    cards,
    have_spread,
    nearest_shares,
    one_hot,
    spread_labels,
    unit_components,
)
from metricnets.deep._training.samples import with_validation
from metricnets.deep._training.wrong_labels import corrected
from metricnets.exceptions import FitInterrupted
from metricnets.relations import known_class

N_ROUNDS = 3  # of self-training
SPREAD_DECAY = 0.3  # of the weights, if labels are spread: the network learns from more samples
OF_CLASSES = ("auto", *CLASSES)


class PartlyLabelled(DeepMetric):
    """Deep metric learned from classes, some of which may be unknown or wrong.

    Parameters
    ----------
    unlabeled : {'self_training', 'label_spreading', 'consistency'} or None, default=None
        What samples without a label, None, NaN or a negative number in y, are for; see :ref:`few_labels`.

        - None: nothing.  A negative number is a class, and None and NaN are errors, except with relation='known_class',
          which leaves these samples out.
        - 'label_spreading': labels spread along nearest neighbours of the embeddings from which the network starts, and
          a sample without a label is drawn as one of its most probable class, labelled ones three times as often;
          weight_decay='auto' is 0.3 with 'adamw' then.  If labelled samples that are held back are clearly better
          classified by the nearest of the others, those without a label are left out.  For classes that are clusters,
          above all with a few labels of each.
        - 'self_training': the network is trained again three times, with the label of the nearest labelled samples
          for a third, two thirds and all of the others, those first of which it is most confident.
        - 'consistency': a sample without a label has to have the same classes among the labelled samples of a batch
          under two draws of dropout.
    label_noise : {'small_loss', 'soft_labels'} or None, default=None
        What is done about wrong labels; see :ref:`wrong_labels`.

        - None: nothing.
        - 'small_loss': samples that contradict their neighbours most are left out, or count as without a label if
          ``unlabeled`` is set.
        - 'soft_labels': samples are drawn as one of each class that is probable, as often as it is.
    noise_rate : float in [0, 1] or None, default=None
        Share of the labels that are wrong, for label_noise='small_loss'; None estimates it by confident learning.

    Attributes
    ----------
    transduction_ : ndarray of shape (n_samples,)
        The most probable class of each sample of positive weight, if ``unlabeled`` or ``label_noise`` is set.
    """

    unlabeled: Literal["self_training", "label_spreading", "consistency"] | None = None
    label_noise: Literal["small_loss", "soft_labels"] | None = None
    noise_rate: MaybeRate = None

    @property
    def _revision(self):
        """The parameter that revises labels and its value, for messages."""
        if self.unlabeled is not None:
            return f"unlabeled={self.unlabeled!r}"
        return f"label_noise={self.label_noise!r}"

    def _related_by(self, y):
        """The relation of labels that are revised; ValueError for parameters that do not suit it or each other."""
        if self.noise_rate is not None and self.label_noise != "small_loss":
            raise ValueError(
                f"noise_rate={self.noise_rate} is for label_noise='small_loss', and label_noise={self.label_noise!r}; "
                "set it to None."
            )
        if callable(self.relation) or self.relation not in OF_CLASSES:
            raise ValueError(
                f"{self._revision} is for classes, and relation={self.relation!r} for other targets; set it to None, "
                f"or relation to one of {OF_CLASSES}."
            )
        if self.unlabeled is None:
            supervised_codes(y)  # it warns of negative ones
        else:
            warn_of_names(y)
        return "known_class"

    def _learn_revised(self, X, targets, n, start):
        """Learn from classes (n,) that are revised, −1 if unknown; rows from the n-th on are for validation."""
        n_given = len(X) if n is None else n
        X, targets, n = (X, targets, n) if n is not None else self._held_apart(X, targets)
        shares = self._revised(X[:n], targets, targets.labels.numpy()[:n].copy())
        try:
            if self.unlabeled == "self_training" and not shares.any(axis=1).all():
                shares = self._self_train(X, targets, shares, n, start)
            else:
                self._learn(self._problem_of(X, targets, shares, n, start))
        except FitInterrupted:  # what was learned is kept
            self._set_transduction(X, targets, shares, n_given)
            raise
        self._set_transduction(X, targets, shares, n_given)
        return self

    def _revised(self, X, targets, codes):
        """Class shares of samples, (n, n_classes), 0 of those without a label; a multiple of them counts so often."""
        rng, n_classes = np.random.default_rng(0), len(targets.classes)
        start = partial(self._start_embeddings, X, self._components(X), targets)
        weights = rows_of(targets.weights, slice(len(X)))
        shares = one_hot(codes, n_classes)
        if self.label_noise is not None:
            shares = corrected(start, codes, n_classes, rng, self.label_noise, self.noise_rate, weights)
            codes = np.where(shares.any(axis=1), shares.argmax(axis=1), UNKNOWN)
        if self.unlabeled == "label_spreading" and (codes == UNKNOWN).any():
            shares = beside_spread(shares, spread_labels(start, codes, n_classes, rng, weights))
        return shares

    def _held_apart(self, X, targets):
        """The same samples, those that are held back for early stopping last, and the number of the others.

        Only samples with a label are held back.
        """
        codes = targets.labels.numpy()
        known = np.flatnonzero(codes >= 0)
        held = known[self._split(len(known), codes[known], self._seed())[1]]
        order = np.concatenate([np.setdiff1d(np.arange(len(codes)), held), held])
        return X[order], targets[torch.from_numpy(order)], len(codes) - len(held)

    def _start_embeddings(self, X, components, targets, codes):
        """Principal components beside embeddings from which a network starts that learns from these classes, (n, k)."""
        weights = rows_of(targets.weights, slice(len(X)))
        targets = Targets(tensor_of(codes), relation=known_class, classes=targets.classes, weights=weights)
        z = self._before_training(self._prepare(X, targets, n_train=len(X)).rows.X)
        return np.hstack([components, unit_norm(z)])

    def _components(self, X):
        """Hook: principal components of points, of unit norm, (n, k)."""
        return unit_components(X)

    def _before_training(self, X):
        """Hook: embeddings by networks that are not trained, (n, k), from what these take."""
        return X.flatten(1).numpy().astype(float)

    def _problem_of(self, X, targets, shares, n, start):
        """The problem of learning from the class shares of the first n samples, and the others for validation."""
        rows, codes, weights = cards(shares)
        if self.unlabeled == "consistency":
            others = np.flatnonzero(~shares.any(axis=1))
            rows, codes = np.append(rows, others), np.append(codes, np.full(len(others), UNKNOWN))
            weights = np.append(weights, np.ones(len(others)))
        weights = weights if targets.weights is None else weights * targets.weights[rows]
        counts = np.append(weights, np.zeros(len(X) - n))
        weights = with_validation(weights if np.ptp(weights) else None, len(rows) + len(X) - n)
        place = np.append(rows, np.arange(n, len(X)))
        labels = np.append(codes, targets.labels.numpy()[n:])
        row = targets.row[torch.from_numpy(place)]
        revised = Targets(tensor_of(labels), row, relation=known_class, classes=targets.classes, weights=weights)
        problem = self._prepare(X[place], revised, None, counts, len(rows), start)
        problem.decay = SPREAD_DECAY if have_spread(shares) else problem.decay
        return problem

    def _self_train(self, X, targets, shares, n, start):
        """Learn, label samples without a label by the embeddings, those first of which they are surest, and again."""
        codes, known, history = shares.argmax(axis=1), shares.any(axis=1, keepdims=True), []
        codes[~known[:, 0]] = UNKNOWN
        z = self._components(X[:n])
        for r in range(N_ROUNDS + 1):
            if r:
                found = nearest_shares(z, codes, len(targets.classes))
                labels = most_confident(codes, found[codes == UNKNOWN][:, np.unique(codes[codes >= 0])], r / N_ROUNDS)
                shares = np.where(known, shares, one_hot(labels, len(targets.classes)))
            if r or np.bincount(codes[codes >= 0]).max() > 1:  # there is a similar pair to learn from
                problem = self._problem_of(X, targets, shares, n, start)
                problem.n_after = N_ROUNDS - r
                self._learn(problem)
                history += [{**record, "round": r} for record in self.history_]
                z = self._embed(X[:n])
        self.history_ = history
        return shares

    def _set_transduction(self, X, targets, shares, n_given):
        """Set the most probable classes, of samples without a share those of the nearest others."""
        codes = targets.labels.numpy().copy()
        codes[: len(shares)] = np.where(shares.any(axis=1), shares.argmax(axis=1), UNKNOWN)
        if (codes < 0).any():
            z, known = self._embed(X), codes >= 0
            codes[~known] = codes[known][nearest(z[known], z[~known], 1)[:, 0]]
        self.transduction_ = targets.classes[codes[np.argsort(targets.row.numpy())][:n_given]]

    def _max_passes(self):
        return super()._max_passes() * (N_ROUNDS + 1 if self.unlabeled == "self_training" else 1)
