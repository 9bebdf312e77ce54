"""SourceOnly: a predictor beside a metric that was adapted to unlabelled rows."""

from dataclasses import field

import numpy as np
from scipy.sparse import issparse
from sklearn.base import MetaEstimatorMixin, clone, is_regressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from metricnets._arrays import checked_array, count_rows
from metricnets._labels import plain, read
from metricnets._params import MaybeObject, Parametrized, check_instance, fitting


def _inner_has(name):
    return available_if(lambda self: hasattr(self._inner(), name))


class SourceOnly(MetaEstimatorMixin, Parametrized):
    """Fit a predictor on the labelled rows alone, and score it on labelled rows alone.

    In a pipeline behind :class:`DTML`, which learns from target rows without labels too, the last
    step must not take the mask of those rows for a class.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Fitted on the labelled rows; None takes 1-nearest-neighbour.

    Attributes
    ----------
    estimator_ : estimator
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        Classes that it tells apart, if it is a classifier.
    n_features_in_ : int
        Features that it was fitted with.

    See Also
    --------
    DTML : Network for a labelled source and an unlabelled target domain.

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
    def fit(self, X, y, sample_domain=None):
        """Fit the predictor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            None, NaN or a negative number where the label is not known.  Negative numbers are classes where only
            one other label occurs, as in {−1, 1}, and targets like others for a regressor.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            Rows with a negative value are target rows, whatever their y.

        Returns
        -------
        self : object
        """
        check_instance(self.estimator, "estimator")
        if not hasattr(self._inner(), "fit"):
            raise ValueError(f"estimator={self.estimator!r} should be an estimator, with fit and predict, or None.")
        X, y, _ = _labelled(X, y, sample_domain, all_numbers=is_regressor(self._inner()))
        self.estimator_ = clone(self._inner()).fit(X, y)
        return self

    def predict(self, X):
        """Predict with the fitted estimator."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @_inner_has("predict_proba")
    def predict_proba(self, X):
        """Class probabilities of the fitted estimator."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_inner_has("decision_function")
    def decision_function(self, X):
        """Decision values of the fitted estimator."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def score(self, X, y, sample_domain=None, sample_weight=None):
        """Score of the fitted estimator on the labelled rows; arguments as in `fit`."""
        check_is_fitted(self)
        X, y, rows = _labelled(X, y, sample_domain, classes=self.classes_, all_numbers=is_regressor(self._inner()))
        weights = {} if sample_weight is None else {"sample_weight": np.asarray(sample_weight)[rows]}
        return self.estimator_.score(X, y, **weights)

    @property
    def classes_(self):
        """Classes of the fitted estimator; none for a regressor."""
        return getattr(self.estimator_, "classes_", ())

    @property
    def n_features_in_(self):
        """Number of features of the fitted estimator."""
        return self.estimator_.n_features_in_

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


AS_IT_IS = {"dtype": None, "ensure_2d": False, "allow_nd": True, "ensure_all_finite": False, "ensure_min_samples": 0}


def _labelled(X, y, sample_domain, classes=(), all_numbers=False):
    """X and y of the rows that have a label, and which these are."""
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
        raise ValueError("no row has a label: every y is masked, or every sample_domain is negative.")
    table = X.iloc if hasattr(X, "iloc") else X.tocsr() if issparse(X) else checked_array(X, "X", **AS_IT_IS)
    return table[rows], plain(labels[rows]), rows
