"""Shells of the deep metric learners that learn from a stream: ``partial_fit``."""

import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, validate_data

from metricnets._arrays import dense
from metricnets._batches import class_groups, pair_signs, rows_of_targets, suffices, takes_batches
from metricnets._params import Array, MaybeArray, Points, Whole, fitting
from metricnets._reservoir import Reservoir
from metricnets._targets import CLASSES
from metricnets._tuples import FLOATS, points_and_members
from metricnets._weights import check_weights, rows_counted
from metricnets.deep._pairs import DeepPairsLearner
from metricnets.deep._supervised import Supervised
from metricnets.deep._training.renewed import ClassSums, renewed
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.stream import Memory
from metricnets.deep._warm_start import Continued
from metricnets.exceptions import warn

N_FEATURES = 1000  # up to which sums are kept, 8 megabytes


class _Stream(Continued):
    """What ``partial_fit`` from points and from pairs share.

    Parameters
    ----------
    replay_size : int >= 0, default=2000
        Number of earlier samples or pairs that ``partial_fit`` keeps, and learns from again together with each new
        batch.  They are drawn at random; samples of classes are as many of each class.
    """

    replay_size: Whole = 2000

    _memory = None  # of the batches of `partial_fit`
    _balances = True  # whether what is kept has as many samples of each class

    def _why_not_in_batches(self):
        """Hook: why the parameters do not suit a stream, or None."""
        if self.early_stopping:
            return "early_stopping=True would hold back samples that earlier calls learned from; set it to False."
        return None

    def _learn_batch(self, batch, codes_of):
        """Learn from a batch of points, targets and weights, and from what is kept of earlier ones.

        ``codes_of`` is a function of targets that returns the codes of their classes, or None.
        """
        before = self._memory_before()
        rows = before.joined(*batch)
        codes = codes_of(rows[1])
        groups = codes + 1 if self._balances and codes is not None else np.zeros(len(rows[1]), int)
        y = batch[1]
        classes = np.unique(y[:0] if codes is None else y[codes[-len(y) :] >= 0])
        memory = before.after(rows, groups, classes, self._sums_after(before, batch, codes))
        self._check_kept(memory.classes)
        try:
            if suffices(codes, len(groups)):
                X, targets, weights = rows
                start = self._last() if before.goes_on(classes) else None
                start = start and replace(start, shrinkage=memory.shrinkage(len(groups)), sums=memory.sums)
                self._fit_from(start, X, self._decoded(targets), sample_weight=weights)
            else:
                warn(
                    f"{type(self).__name__} has no similar or no dissimilar samples to learn from, so it learns "
                    "nothing of this batch yet, and goes on with the next one."
                )
        finally:
            self._memory = memory

    def _memory_before(self):
        """What is kept of the batches so far; ``replay_size`` may have been changed."""
        if self._memory is None:
            n = self._solution.n_samples if self._solution else 0
            return Memory(Reservoir(self.replay_size, np.random.default_rng(self._seed())), n)
        kept = copy.copy(self._memory.kept)
        kept.size = self.replay_size
        return replace(self._memory, kept=kept)

    def _decoded(self, targets):
        """Hook: targets that are kept as those of ``fit``."""
        return targets

    def _check_kept(self, classes):
        """Hook: raise ValueError if samples of more of the classes so far have to be kept."""

    def _sums_after(self, before, batch, codes):
        """Hook: sums over all samples after a batch, by which what networks start from is renewed, or None."""


class SupervisedStream(Supervised, _Stream):
    """Deep metric learned from targets, at once or in batches."""

    _in_parts = True

    def _why_not_in_batches(self):
        if (self.unlabeled, self.label_noise) != (None, None):
            return f"{self._revision} compares all samples; set it to None, or use fit."
        return super()._why_not_in_batches()

    @available_if(takes_batches)
    @fitting
    @defaults()
    def partial_fit(self, X: Array, y: Points, classes: Any = None, *, sample_weight: MaybeArray = None) -> Self:
        """Learn from one more batch of samples, together with those that are kept of earlier ones.

        It does what ``fit`` does with these samples, in ``max_epochs`` epochs, from the networks of the last call on,
        and averages the networks over the calls.  It starts from new networks as long as ``replay_size`` samples are
        all that came.  So the result is at first equal to that of ``fit`` on all samples, and close to it afterwards.
        Memory is that of a batch and ``replay_size`` samples, and of a matrix of the features.  As long as there are no
        two classes, there is a warning, and the learner is not fitted.  See :ref:`replay`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points, one or more; some hundreds at a time take less time than single ones.
        y : array-like of shape (n_samples,), or array-like or sparse matrix of shape (n_samples, n_targets)
            Their targets, as in ``fit``.
        classes : Ignored
            Not used, present for API consistency by convention: new classes may come at any time.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn, as in ``fit``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X, y or the weights do not suit the parameters or the batches before.  What was learned stays.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted, and the batch counts.
        """
        first = self._memory is None and not hasattr(self, "module_")
        batch = self._checked_batch(X, y, sample_weight, first)
        names = {name: value for name, value in vars(self).items() if name == "feature_names_in_"}
        self._learn_batch(batch, self._codes_of)
        vars(self).update(names)  # of a data frame, of which rows are kept as arrays
        return self

    def _sums_after(self, before, batch, codes):
        """Sums over all samples, unless there are many features."""
        X, y, weights = batch
        is_complete = before.sums is not None or not (len(before.kept) or before.n_before)
        suits = self._is_whitened and codes is not None and self.class_weight is None
        if not (suits and is_complete) or X.shape[1] > N_FEATURES:
            return None
        known = codes[-len(y) :] >= 0
        return (before.sums or ClassSums.of_none(X)).after(X[known], y[known], weights[known])

    def _layers_of(self, start, X, targets, kept, seed):
        layers = super()._layers_of(start, X, targets, kept, seed)
        if start.sums is None:
            return layers
        similar = self._similarity(targets, kept)
        return renewed(layers, start.sums, X, *similar, not self._linear and self.normalize, seed)

    def _codes_of(self, y):
        return class_groups(y) if self.relation in ("auto", *CLASSES) else None

    def _checked_batch(self, X, y, sample_weight, first):
        dtype = FLOATS if self._plan().of_ours else FLOATS[::-1]
        options = {"dtype": dtype, "allow_nd": True, "ensure_all_finite": self._finite, "accept_sparse": "csr"}
        required = {"y": None} if y is None else {}  # then the error is that of scikit-learn
        X = dense(validate_data(self, X, **required, reset=first, **options))
        if not first and hasattr(self, "_point_shape"):
            self._check_shape(X)
        y = rows_of_targets(y, self._memory.kept.arrays[1] if self._memory else None)
        check_consistent_length(X, y)
        return of_positive_weight(X, y, check_weights(sample_weight, len(X)))


class PairsStream(DeepPairsLearner, _Stream):
    """Deep metric learned from pairs, at once or in batches."""

    _in_parts = True
    _balances = False  # as the threshold depends on how many pairs are similar

    @available_if(takes_batches)
    @fitting
    @defaults()
    def partial_fit(self, pairs: Array, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Learn from one more batch of pairs, together with those that are kept of earlier ones.

        It does what ``fit`` does with these pairs, in ``max_epochs`` epochs, from the networks of the last call on, and
        averages the networks over the calls.  It starts from new ones as long as ``replay_size`` pairs are all that
        came.  So the result is at first equal to that of ``fit`` on all pairs, and close to it afterwards.  The
        threshold is calibrated on the pairs that are kept.  As long as all pairs are of one kind, there is a warning,
        and the learner is not fitted.  See :ref:`replay`.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs, one or more.
        y : array-like of shape (n_pairs,)
            Their labels, as in ``fit``.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            How often each pair is drawn, as in ``fit``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the pairs, y or the weights do not suit the parameters or the batches before.  What was learned stays.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted, and the batch counts.
        """
        X, members = points_and_members(pairs, 2, self.preprocessor, self._for_points(y))
        if hasattr(self, "_point_shape"):
            self._check_shape(X)
        signs, classes = pair_signs(y, len(members), self._classes if self._memory else None)
        weights = check_weights(sample_weight, len(members), of="pairs")
        batch = of_positive_weight(X[members], signs, weights)
        self.n_features_in_, self._classes = X.shape[1], classes
        self._learn_batch(batch, lambda signs: (signs > 0).astype(int))
        if hasattr(self, "module_"):
            self._calibrate_on_kept()
        return self

    def _decoded(self, targets):
        return self._classes[(targets > 0).astype(int)]

    def _calibrate_on_kept(self):
        """Calibrate the threshold on the pairs that are kept, unless they are of one kind."""
        pairs, signs, weights = self._memory.kept.arrays
        if len(np.unique(signs)) == 2:
            X, members = points_and_members(pairs, 2)
            self._calibrate(X, members, pairs, signs, weights, np.arange(0), {})


def of_positive_weight(X: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """The rows of positive weight of points and targets, and their weights, 1 if ``weights`` is None."""
    X, y, weights = rows_counted(weights, X, y)
    return X, y, np.ones(len(X)) if weights is None else weights
