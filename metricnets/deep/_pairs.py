"""Base class of the deep metric learners that learn from pairs."""

from typing import Any, Self

import numpy as np
import torch

from metricnets import calibration
from metricnets._params import Array, Flag, MaybeArray, NonNegative, fitting
from metricnets._tables import Table
from metricnets._tuples import check_pair_labels
from metricnets._weights import rows_of
from metricnets.deep._training.data import CHUNK, Rows, Targets, tensor_of
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.samples import check_validation
from metricnets.deep._training.similarity import OfPairs
from metricnets.deep._training.tables import Points
from metricnets.deep._tuples import DeepTuplesLearner
from metricnets.tuple_learners import PairsMixin

N_DRAWS = 5  # of each pair, for calibration


class DeepPairsLearner(PairsMixin, DeepTuplesLearner):
    """Deep metric learned from similar and dissimilar pairs; a classifier of pairs.

    Hook: ``_pair_loss(d2, similar)``.

    Parameters
    ----------
    jitter : float >= 0, default=0.0
        Amount of data augmentation.  In each batch a point x becomes x ± ``jitter`` (a − b) / √2 for a
        random similar pair (a, b); 1 doubles the variance within similar pairs.
    early_stopping : bool, default=True
        Whether to hold back a part of the pairs, stop when the loss on it does not improve, keep
        the weights of the best epoch, and calibrate ``threshold_`` on that part.

    Attributes
    ----------
    threshold_ : float
        Largest distance at which a pair is predicted to be similar.
    probability_ : callable
        Function of distances, the probability that a pair is similar.
    classes_ : ndarray of shape (2,)
        The labels of dissimilar and of similar pairs, as in y.
    """

    jitter: NonNegative = 0.0
    early_stopping: Flag = True

    _kind = "pairs"

    @fitting
    @defaults()
    def fit(
        self,
        pairs: Array,
        y: Array,
        calibration_params: dict[str, Any] | None = None,
        *,
        sample_weight: MaybeArray = None,
        pairs_val: MaybeArray = None,
        y_val: MaybeArray = None,
    ) -> Self:
        """Learn the metric from pairs, then calibrate ``threshold_``.

        With early stopping the threshold is calibrated on the pairs held back, otherwise on all pairs, with jitter
        if there is any.  Without either it may be too small for new pairs, because networks overfit.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Training pairs.  With indicators each point is stored once, which saves memory.
        y : array-like of shape (n_pairs,)
            +1 or True for similar pairs, −1, 0 or False for dissimilar pairs.
        calibration_params : dict or None, default=None
            Keyword arguments of ``calibrate_threshold``.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            How often each pair is drawn, and how much it counts in the threshold, non-negative; see
            :ref:`weights_deep`.  Only ratios matter, and pairs of weight 0 are left out.
        pairs_val, y_val : array-like or None, default=None
            Validation data for ``early_stopping``, as ``pairs`` and y; None holds back a part of the pairs.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the pairs, y or the weights do not have this form, y has only one kind of pair, or the loss is no longer
            finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        start = self._last() if self.warm_start else None
        return self._fit_from(start, pairs, y, calibration_params, sample_weight, pairs_val, y_val)

    def _fit_from(self, start, pairs, y, calibration_params=None, sample_weight=None, pairs_val=None, y_val=None):
        """Learn the metric from new networks, or from those of a `Start`, and calibrate the threshold."""
        calibration_params = calibration.check_params(calibration_params, self._check_strategy)
        check_validation(pairs_val, y_val, self.early_stopping, "pairs_val")
        pairs, y, weights, n, X, members = self._validated_tuples(pairs, y, sample_weight, pairs_val, y_val)
        problem = self._prepare_tuples(X, members, y, weights, n, y, start)
        rows, kept = problem.rows, problem.kept
        generator = torch.Generator().manual_seed(problem.seed + 1)  # the seed itself is that of weights and dropout
        problem.rows = Pairs(rows.X, rows.targets, torch.as_tensor(members), kept, self.jitter, generator)
        if getattr(self, "_fit_task", None) is not None:
            self._fit_task.learned = pairs, y, weights, calibration_params
        trained = self._train(problem)
        self._finish(problem, trained)
        self._calibrate(X, members, pairs, y, weights, problem.held_back, calibration_params)
        if trained.interrupted:
            raise self._interruption(problem, trained)
        return self

    def _take(self, found, task):
        super()._take(found, task)
        held_back, (pairs, y, weights, params) = found[0].held_back, task.learned
        rows = held_back if len(np.unique(y[held_back])) == 2 else slice(None)
        self.calibrate_threshold(pairs[rows], y[rows], **params, sample_weight=rows_of(weights, rows))

    def _labels(self, y, n_tuples, n_train):
        y, self.classes_ = check_pair_labels(y, n_tuples)
        if len(np.unique(y[:n_train])) == 1:
            raise ValueError("y holds pairs of one kind; similar and dissimilar pairs are needed.")
        return y

    def _check_counted(self, labels):
        if len(np.unique(labels)) == 1:
            raise ValueError("sample_weight is 0 for all similar or for all dissimilar pairs; both kinds are needed.")

    def _calibrate(self, X, members, pairs, y, weights, held_back, params):
        """Calibrate the threshold on the pairs held back if they are of both kinds, otherwise on all pairs."""
        if len(np.unique(y[held_back])) == 2:
            pairs, y, weights = pairs[held_back], y[held_back], rows_of(weights, held_back)
        elif self.jitter:
            generator, targets = torch.Generator().manual_seed(self._seed()), Targets(tensor_of(y))
            everything = np.arange(len(y))
            points = Points(None, X) if isinstance(X, Table) else tensor_of(X)
            rows = Pairs(points, targets, torch.as_tensor(members), everything, self.jitter, generator)
            scores, order = self._jittered_scores(rows)
            options = params | {"sample_weight": rows_of(weights, order)}
            return self._calibrate_on(scores, y[order], options)
        return self.calibrate_threshold(pairs, y, **params, sample_weight=weights)

    def _jittered_scores(self, rows):
        """Scores of pairs with jitter, N_DRAWS times each, and the numbers of the pairs."""
        scores, order = [], torch.arange(len(rows)).repeat(N_DRAWS)
        for indices in order.split(CHUNK):
            pairs = torch.stack(rows[indices][0].chunk(2), dim=1)
            scores.append(self.pair_score(pairs.numpy()))
        return np.concatenate(scores), order.numpy()

    def _similarity(self, targets, kept):
        rows = targets.members[kept].ravel()  # points as often as they occur, however they are numbered
        members, similar = np.arange(len(rows)).reshape(-1, 2), targets.labels.numpy()[kept] > 0
        return rows, OfPairs(members, similar, rows_of(targets.weights, kept))

    def _pair_loss(self, d2, similar):
        """Hook: the loss of squared distances (n,) and the mask of similar pairs (n,); a scalar."""
        raise NotImplementedError

    def _criterion(self, network, part, generator):
        return self._loss_of_batch

    def _loss_of_batch(self, z, targets):
        left, right = z.chunk(2)
        return self._pair_loss(((left - right) ** 2).sum(1), targets.labels > 0)


class Pairs(Rows):
    """Pairs of rows of X: a batch holds their first points, then their second points.

    In each pass, each point x of the training pairs becomes x ± ``jitter`` (a − b) / √2, for a random similar
    pair (a, b) among them.  The difference of similar points is noise that does not depend on their place, so this
    is a data augmentation, which reduces overfitting.

    Parameters
    ----------
    X : tensor of shape (n, ...)
    targets : Targets
        +1 for similar, −1 for dissimilar pairs.
    members : tensor of int of shape (n_pairs, 2)
    kept : array of int
        The pairs to train on.
    jitter : float
    generator : torch.Generator
        Generator of the draws.
    """

    def __init__(self, X, targets, members, kept, jitter, generator):
        super().__init__(X, targets, torch.as_tensor(kept))
        self.in_windows = False  # the points of a pair may be anywhere
        self.members, self.jitter, self.generator = members, jitter, generator
        self.is_kept = torch.zeros(len(targets), dtype=torch.bool).index_fill_(0, self.kept, True)
        similar = members[self.kept[targets.labels[self.kept] > 0]]
        self.similar = torch.cat([similar, similar.flip(1)])

    def __getitem__(self, indices):
        x = self.X[self.members[indices].T.reshape(-1)]
        if self.jitter and len(self.similar):
            moves = self.is_kept[indices].repeat(2).reshape(-1, *[1] * (x.ndim - 1))
            x += moves * self.steps(len(x))
        return x, self.targets[indices]

    def steps(self, n):
        """Random steps (n, ...)."""
        a, b = self.X[self.similar[torch.randint(len(self.similar), (n,), generator=self.generator)].T]
        return (a - b) * (self.jitter / 2**0.5)

    def sample(self, n, generator):
        """Points (2 m, d) of at most n of the training pairs, and the differences of the similar ones among them."""
        some = self.kept[torch.randperm(len(self.kept), generator=generator)[:n]]
        a, b = self.X[self.members[some].T].double()
        return torch.cat([a, b]).numpy(), (a - b)[self.targets.labels[some] > 0].numpy()
