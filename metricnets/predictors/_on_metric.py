"""Base class of estimators on top of a metric, which is fitted, or is fitted with them."""

from collections.abc import Callable, Set
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from metricnets._arrays import checked_array, count_rows, embeddings, one_each
from metricnets._callbacks import is_fitted
from metricnets._labels import check_known
from metricnets._linalg import middle, shifted
from metricnets._params import LearnerOrDistance, Parametrized, check_instance, clone_with_shared
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights, rows_counted
from metricnets.base import Distance, MetricMixin
from metricnets.predictors._classes.held_out_pairs import fitted_metric


class OnMetric(MetaEstimatorMixin, Parametrized):
    """Base class of estimators on top of a metric.

    The ``fit`` of a subclass calls ``_validated`` and then ``_fit_metric``; ``_embed`` returns embeddings.

    Parameters
    ----------
    metric : metric learner, callable or None, default=None
        Distance between points.

        - None is the Euclidean distance.
        - A metric learner is any estimator with ``transform``, such as a pipeline that ends with one.  If it is
          not fitted, a clone is fitted on the same X and y, and its parameters can be searched as
          ``metric__margin``.  If it is fitted, it is used unchanged, in copies made by ``clone`` and by searches
          too; among the values of a search, wrap it in scikit-learn's ``FrozenEstimator``.
        - A callable ``(u, v) -> distance`` is called for each pair of samples, which is slow.  A callable that
          ``get_metric()`` returned is fast: it embeds all samples at once.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during ``fit``. Defined only when the points were given with feature names, as in
        a data frame.
    """

    metric: LearnerOrDistance = None

    def _validated(self, X, y, sample_weight, reset=True):
        """X, y and weights of the rows that count, y dense or None; a metric learner has not validated them yet."""
        check_instance(self.metric, "metric")
        n_rows = count_rows(X, "X")
        validate_data(self, X, y, skip_check_array=True, reset=reset)
        X = self._checked(X)
        if y is None:
            X, weights = rows_counted(check_weights(sample_weight, n_rows), X)
            return X, None, weights
        if isinstance(y, list) and (any(isinstance(row, Set) for row in y) or len({np.size(row) for row in y}) > 1):
            raise ValueError("y holds lists or sets of labels; convert them with MultiLabelBinarizer of scikit-learn.")
        y = checked_array(y, "y", accept_sparse=True, ensure_2d=False, dtype=None)
        check_consistent_length(X, y)
        if self._is_to_be_fitted():
            check_learns_from(self.metric, y)
        y = y.toarray() if issparse(y) else y
        return rows_counted(check_weights(sample_weight, len(y)), X, y)

    def _checked(self, X):
        if is_learner(self.metric):
            return X  # the learner validates it: it may take data frames, images, indices
        sparse = "csr" if self.metric is None else False
        return validate_data(self, X, reset=False, accept_sparse=sparse, dtype=FLOATS)

    def _fit_metric(self, X, y, weights):
        """Fit the metric unless it is fitted; return the embeddings of X."""
        self.metric_ = fitted_metric(self.metric, X, y, weights) if self._is_to_be_fitted() else self.metric
        self._origin = None
        z = self._embed(X)
        self._dense = not issparse(z)
        return z

    def _embedded(self, X):
        """Embeddings of new points, dense if those of the training points were."""
        z = self._embed(self._checked(X))
        return z.toarray() if issparse(z) and self._dense else z

    def _embed(self, X):
        """Embeddings; linear ones of the points minus a training point in the middle, so that no digits are lost."""
        if getattr(self.metric_, "_linear", False) and hasattr(self.metric_, "_checked"):  # not a network
            return self.metric_._points(self._shifted(self.metric_._checked(X)))
        if is_learner(self.metric_):
            name = f"metric={type(self.metric_).__name__}().transform"
            return embeddings(self.metric_.transform(X), count_rows(X, "X"), name, sparse=True)
        if not isinstance(self.metric_, Distance):
            return X
        if X.shape[1] != self.metric_.size:
            raise ValueError(f"X has {X.shape[1]} features, but metric is for points of shape {self.metric_.shape}.")
        X = self._shifted(X) if self.metric_.linear else X.astype(float)
        return self.metric_.embed(X.reshape(-1, *self.metric_.shape))

    def _shifted(self, X):
        self._origin = middle(X) if self._origin is None else self._origin
        return shifted(X, self._origin)

    def _is_to_be_fitted(self):
        return is_learner(self.metric) and not is_fitted(self.metric)

    def _embeds(self):
        return self.metric_ is None or is_learner(self.metric_) or isinstance(self.metric_, Distance)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; those of the metric, as ``metric__margin``, only if it is not fitted."""
        check_settable(params, params.get("metric", self.metric))
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        frozen = is_learner(self.metric) and is_fitted(self.metric)
        return clone_with_shared(self, "metric") if frozen else super().__sklearn_clone__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = self.metric is None
        if is_learner(self.metric):
            tags.input_tags = get_tags(self.metric).input_tags
        return tags


class Measured:
    """A distance of two rows by a user's function; an error names the function if it is not a finite number."""

    def __init__(self, metric: Callable):
        self.metric = metric

    def __call__(self, u: np.ndarray, v: np.ndarray) -> float:
        return one_each([self.metric(u, v)], 1, f"metric={self.metric!r}")[0]


def check_settable(params: dict[str, Any], metric: object) -> None:
    """Raise ValueError if parameters of a fitted metric would be set: copies share it, and it is not fitted again."""
    nested = [name for name in params if name.startswith("metric__")]
    if nested and is_learner(metric) and is_fitted(metric):
        raise ValueError(
            f"{nested[0]} cannot be set: metric is fitted, and is used unchanged; give a metric that is not fitted."
        )


def check_learns_from(metric: object, y: np.ndarray) -> None:
    """Raise ValueError if a metric learner of this package cannot be fitted to points with targets y."""
    if not isinstance(metric, MetricMixin):
        return
    name = type(metric).__name__
    if hasattr(metric, "_tuple_size"):
        raise ValueError(
            f"metric={name}() learns from tuples of {metric._tuple_size} points, and not from y; fit it to tuples "
            "first, or give a learner from labels."
        )
    takes = get_tags(metric).target_tags
    if takes.required and not takes.multi_output and y.shape[1:] > (1,):
        raise ValueError(
            f"metric={name}() learns from one target of each point, such as its class, but y has shape {y.shape}; "
            "RAML and HRAML, for instance, learn from label sets and distributions."
        )


def check_classes(y: np.ndarray) -> np.ndarray:
    """Return y as a 1-D array of classes, all of them known; raise ValueError otherwise."""
    y = column_or_1d(y, warn=True)
    with np.errstate(invalid="ignore"):  # huge numbers are not integers
        y = check_known(y)
    check_classification_targets(y)
    return y


def is_learner(metric: object) -> bool:
    """Whether a metric transforms points, rather than computing distances of pairs."""
    return hasattr(metric, "transform") and not isinstance(metric, type)
