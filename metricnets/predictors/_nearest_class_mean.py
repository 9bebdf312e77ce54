"""NearestClassMean: the class whose mean is nearest."""

from typing import Any, Literal, Self

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import dense
from metricnets._params import Array, MaybeArray, Points, Positive, fitting
from metricnets.predictors._classes.class_means import likely_scale, with_samples
from metricnets.predictors._on_metric import Measured, OnMetric, check_classes

CHUNK = 4096  # points whose distances are in memory at a time


class NearestClassMean(ClassifierMixin, OnMetric):
    """Nearest class mean classifier.

    It predicts the class whose mean embedding is nearest.  It stores one mean for each class, so `partial_fit` adds
    samples and classes without a new fit of the metric.

    Parameters
    ----------
    metric : metric learner, callable or None, default=None
        Distance to the means of the embedded points; for a function it is that to the means of the points.  See
        :class:`MLKNN` for what is fitted, and when.
    scale : float > 0 or 'auto', default='auto'
        Factor α of the squared distances in `predict_proba`, the softmax of −α d².  'auto' maximises the likelihood of
        the training samples, each compared with the mean of its class without itself.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    means_ : ndarray of shape (n_classes, n_components)
        The mean embedding of each class; linear metrics embed differences from a training point.
    class_count_ : ndarray of shape (n_classes,)
        Number of samples of each class, or their total weight.
    scale_ : float
        The factor α; None before there are two classes, if ``scale`` is 'auto'.

    See Also
    --------
    OpenSetKNN : Nearest neighbours with a label for samples of no known class.

    Notes
    -----
    With ``metric=None`` the predictions are those of scikit-learn's ``NearestCentroid``.  If the metric is learned from
    the same samples, they are nearer to their means than new ones, and 'auto' gives too extreme probabilities.  The
    classes count as equally probable.

    References
    ----------
    T. Mensink, J. Verbeek, F. Perronnin, G. Csurka, "Distance-based image classification: generalizing to new classes
    at near-zero cost", IEEE Transactions on Pattern Analysis and Machine Intelligence 35, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import NearestClassMean
    >>> X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
    >>> model = NearestClassMean().fit(X, y).partial_fit([[9.0], [9.5]], [2, 2])
    >>> model.predict([[0.4], [5.5], [8.0]])
    array([0, 1, 2])
    """

    scale: Positive | Literal["auto"] = "auto"

    @fitting
    def fit(self, X: Points, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Compute the means of the classes; fit a clone of ``metric`` first, unless it is fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training points.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples in the means, non-negative; samples of weight 0 are left out.  A ``metric`` that is
            yet to be fitted gets them, if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y does not hold classes.
        """
        X, y, weights = self._validated(X, y, sample_weight)
        y = check_classes(y)
        z = self._fit_metric(X, y, weights)
        self.classes_, self.means_, self.class_count_ = y[:0], np.empty((0, z.shape[1])), np.empty(0)
        self.scale_ = None
        return self._add(z, y, weights)

    @fitting
    def partial_fit(self, X: Points, y: Array, classes: Any = None, *, sample_weight: MaybeArray = None) -> Self:
        """Add samples, of known or of new classes; the metric and ``scale_`` stay as they are.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.
        y : array-like of shape (n_samples,)
            Classes.
        classes : Ignored
            Not used, present for API consistency by convention: new classes may come at any time.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples, as in `fit`.

        Returns
        -------
        self : object
        """
        if not hasattr(self, "means_"):
            return self.fit(X, y, sample_weight=sample_weight)
        X, y, weights = self._validated(X, y, sample_weight, reset=False)
        y = check_classes(y)
        if (y.dtype.kind in "US") != (self.classes_.dtype.kind in "US"):
            raise ValueError(
                f"y holds {y.tolist()[0]!r} and the known classes are {self.classes_[:3]}; use labels of one type."
            )
        return self._add(self._embedded(X), y, weights)

    def _add(self, z, y, weights):
        weights = np.ones(len(y)) if weights is None else weights
        known = self.classes_, self.means_, self.class_count_
        self.classes_, self.means_, self.class_count_, codes = with_samples(*known, z, y, weights)
        if self.scale_ is None:
            self.scale_ = None if self.scale == "auto" else float(self.scale)
            if self.scale == "auto" and len(self.classes_) > 1:
                self.scale_ = likely_scale(self._squared(z), codes, self.class_count_, weights)
        return self

    def _squared(self, z):
        """Squared distances of embeddings to the means, (n, n_classes)."""
        metric, power = ("sqeuclidean", 1) if self._embeds() else (Measured(self.metric_), 2)
        parts = (dense(z[start : start + CHUNK]) for start in range(0, z.shape[0], CHUNK))
        return np.concatenate([cdist(part, self.means_, metric) ** power for part in parts])

    def predict(self, X: Points) -> np.ndarray:
        """Predict the class with the nearest mean.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.classes_[self._squared(self._embedded(X)).argmin(axis=1)]

    def predict_proba(self, X: Points) -> np.ndarray:
        """Predict the probabilities of the classes, the softmax of −α d² with α = ``scale_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Each row sums to 1.
        """
        check_is_fitted(self)
        return softmax(-(self.scale_ or 1.0) * self._squared(self._embedded(X)), axis=1)
