"""SourceOnly: a predictor that ignores unlabelled samples, for pipelines with domain adaptation."""

from dataclasses import field
from typing import Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone, is_regressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, has_fit_parameter

from metricnets._arrays import checked_array, count_rows, rows_at
from metricnets._labels import plain, read
from metricnets._params import Array, MaybeArray, MaybeObject, Parametrized, Points, check_instance, fitting
from metricnets._weights import check_weights, rows_counted, rows_of


def _inner_has(name):
    return available_if(lambda self: hasattr(self._inner(), name))


class SourceOnly(MetaEstimatorMixin, Parametrized):
    """Meta-estimator that fits and scores a predictor on the labelled samples alone.

    It is the last step of a pipeline after :class:`DTML`, which also learns from unlabelled target samples: the
    predictor does not see their masked labels, which it would take for a class.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Fitted on the labelled samples.  None means a 1-nearest-neighbour classifier.

    Attributes
    ----------
    estimator_ : estimator
        The fitted predictor.
    classes_ : ndarray of shape (n_classes,)
        Classes of the predictor, if it is a classifier.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names. Defined only when X had feature names, as in a data frame.

    See Also
    --------
    DTML : Deep transfer metric learning, from a labelled source and an unlabelled target domain.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import SourceOnly
    >>> X, y = np.array([[0.0], [1.0], [0.9]]), np.array([3, 5, -1])  # -1: not known
    >>> SourceOnly().fit(X, y).predict(X)
    array([3, 5, 5])
    """

    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__score = {"sample_domain": True}

    estimator: MaybeObject = field(default=None, kw_only=False)

    @fitting
    def fit(self, X: Points, y: Array, sample_domain: MaybeArray = None, *, sample_weight: MaybeArray = None) -> Self:
        """Fit the predictor on the labelled samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Labelled and unlabelled samples.
        y : array-like of shape (n_samples,)
            Labels; None, NaN or a negative number means that the label is not known.  Negative numbers are classes
            if only one other label occurs, as in {−1, 1}, and are known targets for a regressor.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            Samples with a negative value are target samples, and are left out even if y has a label for them.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples, non-negative, for the ``fit`` of the predictor.  Samples of weight 0 are left out; a
            nearest neighbour, the predictor if ``estimator`` is None, has no other weights.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If no sample has a label and a positive weight, or ``estimator`` takes no ``sample_weight``.
        """
        check_instance(self.estimator, "estimator")
        if not hasattr(self._inner(), "fit"):
            raise ValueError(f"estimator={self.estimator!r} should be an estimator, with fit and predict, or None.")
        weights = check_weights(sample_weight, count_rows(X, "X"))
        X, y, rows = _labelled(X, y, sample_domain, all_numbers=is_regressor(self._inner()))
        weights = rows_of(weights, rows)
        if weights is not None and not weights.any():
            raise ValueError("sample_weight is 0 for all samples that have a label.")
        X, y, weights = rows_counted(weights, X, y)
        self.estimator_ = clone(self._inner()).fit(X, y, **self._given(weights))
        return self

    def _given(self, weights):
        """The keyword argument of the predictor's ``fit`` that holds the weights, if it takes them."""
        takes = has_fit_parameter(self._inner(), "sample_weight")
        if weights is not None and self.estimator is not None and not takes:
            raise ValueError(f"estimator={self.estimator!r} takes no sample_weight in fit; do not give it.")
        return {"sample_weight": weights} if takes and weights is not None else {}

    @_inner_has("predict")
    def predict(self, X: Points) -> np.ndarray:
        """Predict with the fitted predictor."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @_inner_has("predict_proba")
    def predict_proba(self, X: Points) -> np.ndarray:
        """Predict class probabilities with the fitted predictor."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_inner_has("decision_function")
    def decision_function(self, X: Points) -> np.ndarray:
        """Compute the decision function of the fitted predictor."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @_inner_has("score")
    def score(self, X: Points, y: Array, sample_domain: MaybeArray = None, sample_weight: MaybeArray = None) -> float:
        """Score the fitted predictor on the labelled samples, by its own ``score``.

        Parameters
        ----------
        X, y, sample_domain
            As in `fit`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        X, y, rows = _labelled(X, y, sample_domain, classes=self.classes_, all_numbers=is_regressor(self._inner()))
        weights = {} if sample_weight is None else {"sample_weight": np.asarray(sample_weight)[rows]}
        return self.estimator_.score(X, y, **weights)

    @property
    def classes_(self) -> np.ndarray | tuple:
        """Classes of the fitted predictor; empty for a regressor."""
        return getattr(self.estimator_, "classes_", ())

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during ``fit``."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during ``fit``, if X had them."""
        return self.estimator_.feature_names_in_

    def _inner(self):
        return KNeighborsClassifier(n_neighbors=1) if self.estimator is None else self.estimator

    def __sklearn_tags__(self):
        inner = get_tags(self._inner())
        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = inner.estimator_type, inner.classifier_tags
        tags.regressor_tags, tags.target_tags = inner.regressor_tags, inner.target_tags
        tags.input_tags, tags.target_tags.multi_output = inner.input_tags, False
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        return tags


def _labelled(X, y, sample_domain, classes=(), all_numbers=False):
    """X and y of the rows that have a label, and the numbers of these rows."""
    count_rows(X, "X")
    labels, missing, negative = read(y)
    check_consistent_length(X, labels, sample_domain)
    if sample_domain is None:
        others = set(labels[~missing & ~negative].tolist())
        is_label = all_numbers or len(others) < 2 or any(label in classes for label in set(labels[negative].tolist()))
        rows = np.flatnonzero(~missing & (is_label | ~negative))
    else:
        rows = np.flatnonzero(checked_array(sample_domain, "sample_domain", ensure_2d=False) >= 0)
    if not len(rows) and len(labels):
        raise ValueError(
            "no row has a label: every y is unknown, or every sample_domain negative; give labels of the source domain."
        )
    return rows_at(X, rows, "X"), plain(labels[rows]), rows
