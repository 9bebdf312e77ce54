"""The shell of the learners of two views: a network for each, whose embeddings are in one space."""

from typing import Annotated, Literal, Self

import numpy as np
import torch
from sklearn.utils.validation import validate_data

from metricnets._arrays import count_rows
from metricnets._labels import UNKNOWN, known_classes
from metricnets._params import Array, Count, Flag, MaybeArray, RateBelowOne, Sizes, StrOptions, fitting
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights
from metricnets.deep._training.data import CHUNK, Problem, Targets, tensor_of
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.scaling import applied, standardization
from metricnets.deep._training.two_views import TwoNetworks, ViewRows, perceptron_beside, starting_layers
from metricnets.deep._training.validation import followed_by
from metricnets.deep._training.weights import sampler_of, used, with_validation
from metricnets.deep.views._embedding import TwoViewEmbedding, checked_view
from metricnets.networks import ACTIVATIONS, mlp
from metricnets.samplers import Shuffled


class TwoViewMetric(TwoViewEmbedding):
    """Deep metric of two views, d(x, y) = ‖f(x) − g(y)‖₂, with a network for each view.

    Rows of X and Y match: they are two views, such as image and text, of the same thing.  Classes are optional.
    ``transform``, ``pair_distance(pairs)`` and ``get_metric()`` are of the first view, as in other learners; with Y
    they are of both.  Each view is centred and divided by one scale, so it needs no scaling.

    Parameters
    ----------
    n_components : int >= 1, default=64
        Number of columns of the embeddings.
    hidden : tuple of int, default=(128,)
        Widths of the hidden layers of either network; () for linear maps.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='gelu'
        Activation function of the hidden layers.
    dropout : float in [0, 1), default=0.5
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.3
        Share of the inputs of the networks that are set to 0 in training.
    normalize : bool, default=True
        Whether embeddings are scaled to unit norm, so that distances are at most 2.
    init : {'auto', 'semantic', 'cca', 'glorot', 'uniform'}, default='auto'
        What the networks start from.

        - 'semantic': class probabilities by linear discriminant analysis in each view, to which the perceptrons are
          added, starting at 0.
        - 'cca': canonical correlation analysis with a ridge, to which the perceptrons are added, starting at 0.
        - 'auto': the better of them by the mean average precision of retrieval in both directions, in cross-validation
          on the training rows; without classes it is 'cca'.
        - 'glorot': perceptrons with random weights, from the uniform distribution of Glorot and Bengio (of He et al.
          for 'relu' and 'gelu').
        - 'uniform': the same with weights from U[−0.2, 0.2].

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or None
        The known classes, if y was given.
    """

    n_components: Count = 64
    hidden: Sizes = (128,)
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "gelu"
    dropout: RateBelowOne = 0.5
    input_dropout: RateBelowOne = 0.3
    normalize: Flag = True
    init: Literal["auto", "semantic", "cca", "glorot", "uniform"] = "auto"

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
        X : array-like of shape (n_samples, n_features)
            First view.
        Y : array-like of shape (n_samples, n_features_y) or (n_samples,)
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
        is_given = self._check_given(X, Y, y, X_val, Y_val, y_val)
        X, Y, codes, n = self._validated_views(X, Y, y, (X_val, Y_val, y_val) if is_given else None)
        weights = with_validation(check_weights(sample_weight, n), len(X))
        is_train = np.arange(len(X)) < n
        X, Y, codes, is_train, weights = used(weights, X, Y, codes, is_train)
        self._check_rows(codes[is_train], len(codes))
        targets = Targets(tensor_of(codes), torch.arange(len(X)), classes=self.classes_, weights=weights)
        problem = self._prepare_views((X, Y), targets, np.count_nonzero(is_train) if is_given else None)
        return self._learn(problem)

    def _check_given(self, X, Y, y, X_val, Y_val, y_val):
        """Whether there are validation data; ValueError if the data are incomplete."""
        if Y is None:
            raise ValueError(
                f"{type(self).__name__} learns from two views: give Y, with a row for each row of X. Expected "
                "array-like (array or non-string sequence), got None."
            )
        n, n_other = count_rows(X, "X"), count_rows(Y, "Y")
        if n != n_other:
            raise ValueError(f"X has {n} rows and Y has {n_other}; row i of Y should match row i of X.")
        check_labels(y, n, "y")
        if X_val is None and Y_val is None and y_val is None:
            return False
        if X_val is None or Y_val is None or (y_val is None) != (y is None):
            raise ValueError("validation data are incomplete: give X_val and Y_val, and y_val if there is y, or none.")
        if not self.early_stopping:
            raise ValueError(
                "X_val is for early stopping, and early_stopping=False; set it to True, or leave X_val out."
            )
        if count_rows(X_val, "X_val") != count_rows(Y_val, "Y_val") or not count_rows(X_val, "X_val"):
            raise ValueError("X_val and Y_val should have the same number of rows, at least one.")
        check_labels(y_val, count_rows(X_val, "X_val"), "y_val")
        return True

    def _validated_views(self, X, Y, y, validation):
        """X, Y and class codes, followed by those of the validation data, and the number of the rows before them."""
        checks = {"dtype": FLOATS, "ensure_min_samples": 2}
        X = validate_data(self, X, **checks)
        Y, self._columns_y = checked_view(Y, "Y", **checks), getattr(Y, "columns", None)
        n = len(X)
        if validation is not None:
            X_val, Y_val, y_val = validation
            X = followed_by(X, validate_data(self, X_val, reset=False, dtype=X.dtype), "X_val")
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
        strata = None if targets.classes is None else targets.labels.numpy()
        kept, held_back = np.split(np.arange(n), [n_train]) if n_train else self._split(n, strata, seed)
        self._rows_at_once = CHUNK
        self._point_shape, self._shape_y = (view.shape[1:] for view in views)
        weights = None if targets.weights is None else targets.weights[:n_train]
        layers, starts = [[standardization(view[:n_train], weights)] for view in views], None
        if self.init not in ("glorot", "uniform"):
            bases, starts = starting_layers(views, layers, targets, kept, self.n_components, self.init, self.normalize, seed)
            layers = [[*standardize, basis] for standardize, basis in zip(layers, bases)]
        columns = [applied(each, view) for each, view in zip(layers, views)]
        return Problem(plan, ViewRows(columns, targets, starts), layers, kept, held_back, seed)

    def _network(self, rows, generator, member):
        n_columns = [rows.width, rows.X.shape[1] - rows.width]
        if rows.starts is None:
            parts = [self._perceptron(n, self.n_components, generator, self.normalize) for n in n_columns]
        else:
            parts = [self._perceptron(n, len(s.weight), generator, False) for n, s in zip(n_columns, rows.starts)]
            parts = [perceptron_beside(*both, self.normalize) for both in zip(rows.starts, parts)]
        return TwoNetworks(*parts, rows.width)

    def _perceptron(self, n_features, n_outputs, generator, normalize):
        return mlp(
            n_features,
            n_outputs,
            hidden=self.hidden,
            activation=self.activation,
            dropout=self.dropout,
            normalize=normalize,
            init="uniform" if self.init == "uniform" else "glorot",
            input_dropout=self.input_dropout,
            generator=generator,
        )

    def _make_batches(self, part, rng):
        return sampler_of(lambda rows: Shuffled(len(rows), self.batch_size, rng), part, rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def check_labels(y, n, name):
    """Raise ValueError unless there is a label for each of n rows, or there are none."""
    if y is not None and count_rows(y, name) != n:
        raise ValueError(f"{name} has {count_rows(y, name)} labels, and there are {n} rows; give one for each.")
