"""The shell of the learners of two views: a network for each, whose embeddings are in one space."""

from typing import Self

import numpy as np
import torch
from sklearn.utils.validation import validate_data

from metricnets._labels import UNKNOWN, known_classes
from metricnets._params import Array, MaybeArray, NonNegative, fitting
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights
from metricnets.deep._training.data import CHUNK, Problem, Targets, tensor_of
from metricnets.deep._training.identification import WithClassLogits, WithCrossEntropy
from metricnets.deep._training.precision import check_precision
from metricnets.deep._training.runtime import defaults, device_for
from metricnets.deep._training.samples import check_views, followed_by, sampler_of, used, with_validation
from metricnets.deep._training.scaling import applied, in_single_precision, standardization
from metricnets.deep._training.starting_features import starting_layers
from metricnets.deep._training.two_views import ViewRows
from metricnets.deep.views._embedding import checked_view
from metricnets.deep.views._networks import RANDOM, TwoViewNetworks
from metricnets.samplers import Shuffled


class TwoViewMetric(TwoViewNetworks):
    """Deep metric of two views, d(x, y) = ‖f(x) − g(y)‖₂, with a network for each view.

    Rows of X and Y match: they are two views, such as image and text, of the same thing.  Classes are optional.
    ``transform``, ``pair_distance(pairs)`` and ``get_metric()`` are of the first view, as in other learners; with Y
    they are of both.  Each view is centred and divided by one scale, so it needs no scaling.

    Where the networks start from class probabilities, see ``init``, these are also trained with a cross-entropy, in
    which each view learns from the classes and from the probabilities of the other view.

    Parameters
    ----------
    identification : float >= 0, default=1.0
        Weight of the cross-entropy of the class probabilities.  It has no effect without classes, and if the networks
        do not start from class probabilities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or None
        The known classes, if y was given.
    """

    identification: NonNegative = 1.0

    _exposed = WithClassLogits

    @fitting
    @defaults()
    def fit(
        self,
        X: Array,
        Y: MaybeArray = None,
        y: MaybeArray = None,
        *,
        sample_weight: MaybeArray = None,
        X_val: MaybeArray = None,
        Y_val: MaybeArray = None,
        y_val: MaybeArray = None,
    ) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            First view.
        Y : array-like of shape (n_samples, n_features_y) or (n_samples,), or (n_samples, ...) with ``module_y``
            Second view: row i matches row i of X.
        y : array-like of shape (n_samples,) or None, default=None
            Classes; None, NaN or a negative number where the class is unknown.  Without classes only matched rows are
            similar.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each matched pair of rows is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter,
            and rows of weight 0 are left out.
        X_val, Y_val, y_val : array-like or None, default=None
            Validation data for ``early_stopping``, as X, Y and y; None holds back a part of the rows.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the views do not have the same number of rows or are not finite, y has one class only, the weights do
            not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        is_given = self._check_given((X, Y, y), (X_val, Y_val, y_val))
        X, Y, codes, n = self._validated_views(X, Y, y, (X_val, Y_val, y_val) if is_given else None)
        weights = with_validation(check_weights(sample_weight, n), len(X))
        is_train = np.arange(len(X)) < n
        X, Y, codes, is_train, weights = used(weights, X, Y, codes, is_train)
        self._check_rows(codes[is_train], len(codes))
        targets = Targets(tensor_of(codes), torch.arange(len(X)), classes=self.classes_, weights=weights)
        problem = self._prepare_views((X, Y), targets, np.count_nonzero(is_train) if is_given else None)
        return self._learn(problem)

    def _check_given(self, views, validation):
        """Whether there are validation data; ValueError if the data, X, Y and y, are incomplete."""
        return check_views(views, validation, self.early_stopping, type(self).__name__)

    def _validated_views(self, X, Y, y, validation):
        """X, Y and class codes, followed by those of the validation data, and the number of the rows before them."""
        first, second = (FLOATS if module is None else FLOATS[::-1] for module in (self.module, self.module_y))
        X = validate_data(self, X, dtype=first, allow_nd=True, ensure_min_samples=2)
        Y, self._columns_y = checked_view(Y, "Y", dtype=second, ensure_min_samples=2), getattr(Y, "columns", None)
        self._check_shapes(X, Y)
        n = len(X)
        if validation is not None:
            X_val, Y_val, y_val = validation
            X = followed_by(X, validate_data(self, X_val, reset=False, dtype=X.dtype, allow_nd=True), "X_val")
            Y = followed_by(Y, checked_view(Y_val, "Y_val", dtype=Y.dtype), "Y_val")
            y = y if y is None else np.concatenate([np.asarray(y, object), np.asarray(y_val, object)])
        if y is None:
            self.classes_ = None
            return X, Y, np.arange(len(X)), n
        self.classes_, codes = known_classes(y)
        return X, Y, codes, n

    def _check_rows(self, codes, n_rows):
        """Raise ValueError unless there are two rows, and two classes of them if there are classes."""
        present = np.unique(codes[codes != UNKNOWN])
        if self.classes_ is not None and len(present) < 2:
            found = f"one class only, {self.classes_[present[0]]!s}" if len(present) else "no known classes"
            raise ValueError(f"y has {found}; give two classes or more, or leave y out to learn from matched rows.")
        if len(codes) < 2:
            raise ValueError(f"there is {len(codes)} row of positive weight; at least two are needed.")

    def _prepare_views(self, views, targets, n_train):
        """As `_prepare`: a `Problem` whose layers are those of either view, and whose rows have the columns of both."""
        plan, seed, n = self._plan(), self._seed(), len(targets)
        if self.precision != "float32":
            check_precision(self.precision, device_for(self.device))
        strata = None if targets.classes is None else targets.labels.numpy()
        kept, held_back = np.split(np.arange(n), [n_train]) if n_train else self._split(n, strata, seed)
        size = min(self.batch_size, self.chunk_size or self.batch_size)
        self._rows_at_once = int(size) if self._has_modules else CHUNK
        self._point_shape, self._shape_y = (view.shape[1:] for view in views)
        weights = None if targets.weights is None else targets.weights[:n_train]
        modules = self.module, self.module_y
        layers = [[] if m else [standardization(v[:n_train], weights)] for v, m in zip(views, modules)]
        starts = None
        if self.init not in RANDOM and not self._has_modules:
            options = {"kind": self.init, "normalize": self.normalize, "seed": seed}
            features, starts = starting_layers(views, layers, targets, kept, self.n_components, **options)
            layers = [[*standardize, *after] for standardize, after in zip(layers, features)]
        points = [applied(each, v) if each else in_single_precision(v) for each, v in zip(layers, views)]
        return Problem(plan, ViewRows(points, targets, starts), layers, kept, held_back, seed)

    def _criterion(self, network, part, generator):
        classes = None if part.rows.starts is None else part.rows.starts[0].classes
        return WithCrossEntropy(self._loss_of_views, classes, self.identification)

    def _loss_of_views(self, z, targets):
        """Hook: the loss of embeddings (2n, n_components), those of the first view first, and targets; a scalar."""
        raise NotImplementedError

    def _make_batches(self, part, rng):
        return sampler_of(lambda rows: Shuffled(len(rows), self.batch_size, rng), part, rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
