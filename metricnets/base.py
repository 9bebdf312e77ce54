"""What every learned metric can do, whatever learned it: the mixins of the estimators."""

from numbers import Real

import numpy as np
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

    It does not change when the estimator it came from is fitted again.

    Parameters
    ----------
    embed : callable
        Takes a batch of points, returns their embeddings (n, k).
    shape : tuple
        Shape of one point.
    linear : bool
        Whether the difference of embeddings is the embedding of the difference.
    """

    def __init__(self, embed, shape, linear):
        self.embed, self.shape, self.linear = embed, shape, linear
        self.size = int(np.prod(shape))

    def __call__(self, u, v, squared=False):
        """Distance of two points; ValueError if one of them has not the right size."""
        u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
        several = len(self.shape) == 1 and max(u.squeeze().ndim, v.squeeze().ndim) > 1
        if several or not u.size == v.size == self.size:
            raise ValueError(
                f"two points of shape {self.shape} are needed; got u of shape {u.shape} and v of shape {v.shape}."
            )
        if self.linear:
            difference = self.embed(u.ravel() - v.ravel())
        else:
            z = self.embed(np.array([u.ravel(), v.ravel()]).reshape(2, *self.shape))
            difference = z[0] - z[1]
        total = float(difference @ difference)
        return total if squared else total**0.5


class MetricMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Distances between embedded points: d(x, x') = ‖f(x) − f(x')‖₂.

    A shell has ``transform``, ``_shape()``, the shape of one point, and ``_frozen()``, a NumPy
    function equal to ``transform`` that does not know the estimator.

    Attributes
    ----------
    n_features_in_ : int
        Features of a point.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if ``fit`` was given points with names, as in a data frame.
    """

    _linear = False  # whether the difference of embeddings is the embedding of the difference

    def pair_distance(self, pairs):
        """Distances of pairs of points.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features) or (n_pairs, 2, ...)
            Or indicators of shape (n_pairs, 2), for learners with a ``preprocessor``.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
            At least 0.
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

    def pair_score(self, pairs):
        """Similarities of pairs of points, the negative distances; arguments as `pair_distance`."""
        return -1 * self.pair_distance(pairs)

    def get_metric(self):
        """Return the learned distance as a function ``(u, v, squared=False) -> float``.

        ``KNeighborsClassifier(metric=...)`` accepts it, at the price of a Python call a pair:
        it is much faster to ``transform`` first and use the Euclidean distance.

        Returns
        -------
        metric : Distance
            Picklable, and independent of the estimator from here on.
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
    """A metric learner whose ``fit`` takes tuples: ``fit_transform`` of them makes no sense.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        −1 and +1.
    """

    @available_if(lambda self: False)
    def fit_transform(self, X, y=None):
        """Not there: learn from tuples with ``fit``, and then ``transform`` points."""


class PairsMixin(TuplesMixin):
    """Say of pairs whether they are similar: the larger of two labels, or not: the smaller.

    ``threshold_`` is the largest distance that counts as similar.
    """

    _tuple_size = 2

    def decision_function(self, pairs):
        """Similarities of pairs, the larger the more similar; the same as ``pair_score``."""
        return self.pair_score(pairs)

    def predict(self, pairs):
        """Label pairs as similar if they are at most ``threshold_`` apart, with the labels of ``classes_``.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators

        Returns
        -------
        y : ndarray of shape (n_pairs,)

        Raises
        ------
        AttributeError
            If no threshold has been set.
        """
        check_is_fitted(self)
        if not hasattr(self, "threshold_"):
            raise AttributeError("no threshold has been set; call set_threshold or calibrate_threshold.")
        return self.classes_[(self.pair_distance(pairs) <= self.threshold_).astype(int)]

    def score(self, pairs, y, sample_weight=None):
        """Area under the ROC curve of ``decision_function``, for y in {−1, +1} or {0, 1}."""
        scores = self.decision_function(pairs)
        return roc_auc_score(check_pair_labels(y, len(scores))[0], scores, sample_weight=sample_weight)

    def set_threshold(self, threshold):
        """Let pairs at a distance of at most ``threshold`` count as similar; returns self."""
        check_is_fitted(self)
        if not isinstance(threshold, Real) or np.isnan(threshold):
            raise ValueError(f"threshold={threshold!r} is not a number.")
        self.threshold_ = float(threshold)
        return self

    def calibrate_threshold(self, pairs_valid, y_valid, strategy="accuracy", min_rate=None, beta=1.0):
        """Choose ``threshold_`` on pairs held back for it; returns self.

        Parameters
        ----------
        pairs_valid : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
        y_valid : array-like of shape (n_pairs,)
            In {−1, +1} or {0, 1}.
        strategy, min_rate, beta
            See :func:`metricnets.calibration.threshold`.
        """
        check_is_fitted(self)
        calibration.check_strategy(strategy, min_rate, beta)
        scores = self.decision_function(pairs_valid)
        signs, _ = check_pair_labels(y_valid, len(scores))
        self.threshold_ = -calibration.threshold(scores, signs, strategy=strategy, min_rate=min_rate, beta=beta)
        return self


class TripletsMixin(TuplesMixin):
    """Say of triplets (a, b, c) whether a is nearer to b than to c, +1, or not, −1."""

    _tuple_size = 3

    def decision_function(self, triplets):
        """Distance of a and c less that of a and b, for triplets (n, 3, n_features) or (n, 3) indicators."""
        check_is_fitted(self)
        triplets = as_tuples(triplets, 3, getattr(self, "preprocessor", None))
        return self.pair_score(triplets[:, :2]) - self.pair_score(triplets[:, ::2])

    def predict(self, triplets):
        """Return +1 where a is nearer to b than to c, otherwise −1; int of shape (n_triplets,)."""
        return np.where(self.decision_function(triplets) > 0, 1, -1)

    def score(self, triplets, y=None, sample_weight=None):
        """Share of the triplets, by weight, whose a is nearer to b than to c; ``y`` is not used."""
        return float(np.average(self.predict(triplets) == 1, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


class QuadrupletsMixin(TuplesMixin):
    """Say of quadruplets (a, b, c, d) whether a and b are nearer than c and d, +1, or not, −1."""

    _tuple_size = 4

    def decision_function(self, quadruplets):
        """Distance of c and d less that of a and b, for quadruplets (n, 4, n_features) or (n, 4) indicators."""
        check_is_fitted(self)
        quadruplets = as_tuples(quadruplets, 4, getattr(self, "preprocessor", None))
        return self.pair_score(quadruplets[:, :2]) - self.pair_score(quadruplets[:, 2:])

    def predict(self, quadruplets):
        """Return +1 where a and b are nearer than c and d, −1 where further, 0 for ties; float of shape (n,)."""
        return np.sign(self.decision_function(quadruplets))

    def score(self, quadruplets, y=None, sample_weight=None):
        """Share of the quadruplets, by weight, that are ordered right, ties for a half; ``y`` is not used."""
        return float(np.average(self.predict(quadruplets), weights=sample_weight) / 2 + 0.5)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags
