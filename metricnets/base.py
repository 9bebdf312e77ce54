"""Mixins of the metric learners: distances and scores of pairs, predictions for tuples."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import roc_auc_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from metricnets import calibration
from metricnets._arrays import lengths
from metricnets._pickles import Versioned
from metricnets._tuples import as_tuples, check_pair_labels, check_tuples, points_and_members

CHUNK = 4096  # pairs whose points are in memory at a time


class Distance(Versioned):
    """A learned distance, ``(u, v, squared=False) -> float``: small, picklable, NumPy only.

    It does not change when the estimator that returned it is fitted again.

    Parameters
    ----------
    embed : callable
        Takes a batch of n points and returns their embeddings, of shape (n, n_components).
    shape : tuple
        Shape of one point.
    linear : bool
        Whether the embedding is linear: the difference of two embeddings is the embedding of the difference.
    """

    def __init__(self, embed: Callable, shape: tuple[int, ...], linear: bool):
        self.embed, self.shape, self.linear = embed, shape, linear
        self.size = int(np.prod(shape))

    def __call__(self, u: ArrayLike, v: ArrayLike, squared: bool = False) -> float:
        """Compute the distance between two points.

        Parameters
        ----------
        u, v : array-like of shape ``shape``
            The points.
        squared : bool, default=False
            Whether to return the squared distance.

        Returns
        -------
        distance : float
            At least 0.

        Raises
        ------
        ValueError
            If a point does not have the right number of features.
        """
        u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
        several = len(self.shape) == 1 and max(u.squeeze().ndim, v.squeeze().ndim) > 1
        if several or not u.size == v.size == self.size:
            raise ValueError(
                f"u and v should be points of shape {self.shape}; got u of shape {u.shape} and v of shape {v.shape}."
            )
        if self.linear:
            difference = self.embed(u.ravel() - v.ravel())
        else:
            z = self.embed(np.array([u.ravel(), v.ravel()]).reshape(2, *self.shape))
            difference = z[0] - z[1]
        total = float(difference @ difference)
        return total if squared else total**0.5


class MetricMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin of metric learners: Euclidean distances of embedded points, d(x, x') = ‖f(x) − f(x')‖₂.

    A subclass defines ``transform``; ``_shape()``, the shape of one point; and ``_frozen()``, a NumPy
    function equal to ``transform`` that holds no reference to the estimator.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during ``fit``. Defined only when the points were given with feature names, as in
        a data frame.
    """

    _linear = False  # whether the embedding is a linear map

    def pair_distance(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the learned distance of each pair of points.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features) or (n_pairs, 2, ...)
            Pairs of points; or pairs of indicators, of shape (n_pairs, 2), for learners with a ``preprocessor``.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
            At least 0.

        Raises
        ------
        ValueError
            If ``pairs`` does not have this shape, or does not hold finite numbers.
        """
        check_is_fitted(self)
        preprocessor = getattr(self, "preprocessor", None)
        pairs, points = as_tuples(pairs, 2, preprocessor), None
        if pairs.ndim == 2:  # every point is looked up once
            points, pairs = points_and_members(pairs, 2, preprocessor)
        chunks = (pairs[start : start + CHUNK] for start in range(0, max(1, len(pairs)), CHUNK))
        return np.concatenate([self._distances(chunk if points is None else points[chunk]) for chunk in chunks])

    def _distances(self, pairs):
        pairs = check_tuples(pairs, 2)
        left, right = pairs[:, 0], pairs[:, 1]
        difference = self._points(left - right) if self._linear else self._points(left) - self._points(right)
        return lengths(difference).astype(difference.dtype, copy=False)

    def pair_score(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the similarity of each pair of points, the negative distance.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features) or (n_pairs, 2, ...)
            As for `pair_distance`.

        Returns
        -------
        scores : ndarray of shape (n_pairs,)
            At most 0.
        """
        return -1 * self.pair_distance(pairs)

    def get_metric(self) -> Distance:
        """Return the learned distance as a function ``(u, v, squared=False) -> float``.

        ``KNeighborsClassifier(metric=...)`` accepts it, but makes a Python call for each pair:
        it is much faster to ``transform`` the points first and use the Euclidean distance.

        Returns
        -------
        metric : Distance
            Picklable, and not changed by later calls of ``fit``.
        """
        check_is_fitted(self)
        return Distance(self._frozen(), self._shape(), self._linear)

    def _points(self, X):
        """Embed validated points; ValueError if their shape is not that of the fitted ones."""
        if X.shape[1:] != self._shape():
            raise ValueError(
                f"points have shape {X.shape[1:]}, but {type(self).__name__} was fitted with {self._shape()}."
            )
        return self._embed(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class TuplesMixin(ClassifierMixin):
    """Mixin of metric learners that are fitted to tuples of points, and so have no ``fit_transform``.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        −1 and +1.
    """

    @available_if(lambda self: False)
    def fit_transform(self, X: ArrayLike, y: None = None) -> np.ndarray:
        """Not available: call ``fit`` with tuples, then ``transform`` with points."""


class PairsMixin(TuplesMixin):
    """Mixin of metric learners from pairs: predict whether two points are similar.

    Similar pairs have the larger of the two labels, dissimilar pairs the smaller one.
    ``threshold_`` is the largest distance at which a pair is predicted to be similar.
    """

    _tuple_size = 2

    def decision_function(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the similarity of each pair, the negative distance; the same as ``pair_score``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        scores : ndarray of shape (n_pairs,)
            The larger, the more similar.
        """
        return self.pair_score(pairs)

    def predict(self, pairs: ArrayLike) -> np.ndarray:
        """Predict whether each pair is similar: whether its distance is at most ``threshold_``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        y : ndarray of shape (n_pairs,)
            ``classes_[1]`` for similar pairs, ``classes_[0]`` for dissimilar pairs.

        Raises
        ------
        AttributeError
            If no threshold has been set.
        """
        check_is_fitted(self)
        if not hasattr(self, "threshold_"):
            raise AttributeError("no threshold has been set; call set_threshold or calibrate_threshold.")
        return self.classes_[(self.pair_distance(pairs) <= self.threshold_).astype(int)]

    def score(self, pairs: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the area under the ROC curve of ``decision_function``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.
        y : array-like of shape (n_pairs,)
            In {−1, +1} or {0, 1}.
        sample_weight : array-like of shape (n_pairs,) or None, default=None
            Weights of the pairs.

        Returns
        -------
        score : float in [0, 1]
        """
        scores = self.decision_function(pairs)
        return roc_auc_score(check_pair_labels(y, len(scores))[0], scores, sample_weight=sample_weight)

    def set_threshold(self, threshold: float) -> Self:
        """Set ``threshold_``, the largest distance at which a pair is predicted to be similar.

        Parameters
        ----------
        threshold : float
            A distance.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If ``threshold`` is not a number.
        """
        check_is_fitted(self)
        if not isinstance(threshold, Real) or np.isnan(threshold):
            raise ValueError(f"threshold={threshold!r} is not a number; give a distance.")
        self.threshold_ = float(threshold)
        return self

    def calibrate_threshold(
        self,
        pairs_valid: ArrayLike,
        y_valid: ArrayLike,
        strategy: str = "accuracy",
        min_rate: float | None = None,
        beta: float = 1.0,
    ) -> Self:
        """Choose ``threshold_`` on validation pairs.

        Parameters
        ----------
        pairs_valid : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs that were not used in ``fit``.
        y_valid : array-like of shape (n_pairs,)
            Their labels, in {−1, +1} or {0, 1}.
        strategy, min_rate, beta
            What the threshold maximises, see :func:`metricnets.calibration.threshold`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the arguments do not fit together, or ``y_valid`` does not hold both labels.
        """
        check_is_fitted(self)
        calibration.check_strategy(strategy, min_rate, beta)
        scores = self.decision_function(pairs_valid)
        signs, _ = check_pair_labels(y_valid, len(scores))
        self.threshold_ = -calibration.threshold(scores, signs, strategy=strategy, min_rate=min_rate, beta=beta)
        return self


class TripletsMixin(TuplesMixin):
    """Mixin of metric learners from triplets (a, b, c): predict whether a is nearer to b than to c."""

    _tuple_size = 3

    def decision_function(self, triplets: ArrayLike) -> np.ndarray:
        """Compute d(a, c) − d(a, b) for each triplet (a, b, c).

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.

        Returns
        -------
        scores : ndarray of shape (n_triplets,)
            Positive where a is nearer to b than to c.
        """
        check_is_fitted(self)
        triplets = as_tuples(triplets, 3, getattr(self, "preprocessor", None))
        return self.pair_score(triplets[:, :2]) - self.pair_score(triplets[:, ::2])

    def predict(self, triplets: ArrayLike) -> np.ndarray:
        """Predict whether a is nearer to b than to c for each triplet (a, b, c).

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.

        Returns
        -------
        y : ndarray of int of shape (n_triplets,)
            +1 where a is nearer to b, otherwise −1.
        """
        return np.where(self.decision_function(triplets) > 0, 1, -1)

    def score(self, triplets: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy: the share of triplets (a, b, c) in which a is nearer to b than to c.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Triplets of points.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_triplets,) or None, default=None
            Weights of the triplets.

        Returns
        -------
        score : float in [0, 1]
        """
        return float(np.average(self.predict(triplets) == 1, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


class QuadrupletsMixin(TuplesMixin):
    """Mixin of metric learners from quadruplets (a, b, c, d): predict whether d(a, b) < d(c, d)."""

    _tuple_size = 4

    def decision_function(self, quadruplets: ArrayLike) -> np.ndarray:
        """Compute d(c, d) − d(a, b) for each quadruplet (a, b, c, d).

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.

        Returns
        -------
        scores : ndarray of shape (n_quadruplets,)
            Positive where a and b are nearer to each other than c and d.
        """
        check_is_fitted(self)
        quadruplets = as_tuples(quadruplets, 4, getattr(self, "preprocessor", None))
        return self.pair_score(quadruplets[:, :2]) - self.pair_score(quadruplets[:, 2:])

    def predict(self, quadruplets: ArrayLike) -> np.ndarray:
        """Predict whether d(a, b) < d(c, d) for each quadruplet (a, b, c, d).

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.

        Returns
        -------
        y : ndarray of float of shape (n_quadruplets,)
            +1 where d(a, b) < d(c, d), −1 where d(a, b) > d(c, d), 0 for ties.
        """
        return np.sign(self.decision_function(quadruplets))

    def score(self, quadruplets: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy: the share of quadruplets (a, b, c, d) with d(a, b) < d(c, d).

        A tie counts one half.

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Quadruplets of points.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_quadruplets,) or None, default=None
            Weights of the quadruplets.

        Returns
        -------
        score : float in [0, 1]
        """
        return float(np.average(self.predict(quadruplets), weights=sample_weight) / 2 + 0.5)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags
