"""What every learned metric can do, whatever learned it: the mixins of the estimators."""

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import check_is_fitted

from metricnets import calibration
from metricnets.tuples import check_tuples

CHUNK = 4096  # pairs whose points are in memory at a time


class Distance:
    """A learned distance, ``(u, v, squared=False) -> float``: small, picklable, NumPy only.

    It does not change when the estimator it came from is fitted again.

    Parameters
    ----------
    embed : callable
        Takes a batch of points, returns their embeddings (n, k).
    shape : tuple
        Shape of one point.
    """

    def __init__(self, embed, shape):
        self.embed, self.shape = embed, shape

    def __call__(self, u, v, squared=False):
        """Distance of two points; ValueError if one of them has not the right size."""
        u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
        try:
            z = self.embed(np.array([u.ravel(), v.ravel()]).reshape(2, *self.shape))
        except ValueError:
            raise ValueError(
                f"two points of shape {self.shape} are needed; got u of shape {u.shape} and v of shape {v.shape}."
            ) from None
        difference = z[0] - z[1]
        total = float(difference @ difference)
        return total if squared else total**0.5


class MetricMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Distances between embedded points: d(x, x') = ‖f(x) − f(x')‖₂.

    A shell has ``transform``, ``_shape()``, the shape of one point, and ``_frozen()``, a NumPy
    function equal to ``transform`` that does not know the estimator.
    """

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
        pairs = np.asarray(pairs)
        starts = range(0, max(1, len(pairs) if pairs.ndim else 1), CHUNK)
        return np.concatenate([self._distances(pairs[start : start + CHUNK]) for start in starts])

    def _distances(self, pairs):
        pairs = check_tuples(pairs, 2, getattr(self, "preprocessor", None))
        left, right = self._points(pairs[:, 0]), self._points(pairs[:, 1])
        return np.sqrt(((left - right) ** 2).sum(axis=1))

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
        return Distance(self._frozen(), self._shape())

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


class PairsMixin(ClassifierMixin):
    """Say of pairs whether they are similar, +1, or not, −1.

    ``threshold_`` is the greatest distance that counts as similar.
    """

    def decision_function(self, pairs):
        """Similarities of pairs, the greater the more similar; the same as ``pair_score``."""
        return self.pair_score(pairs)

    def predict(self, pairs):
        """Return +1 for pairs no further apart than ``threshold_`` and −1 for others.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators

        Returns
        -------
        y : ndarray of int of shape (n_pairs,)

        Raises
        ------
        AttributeError
            If no threshold has been set.
        """
        check_is_fitted(self)
        if not hasattr(self, "threshold_"):
            raise AttributeError("no threshold has been set; call set_threshold or calibrate_threshold.")
        return np.where(self.pair_distance(pairs) <= self.threshold_, 1, -1)

    def score(self, pairs, y, sample_weight=None):
        """Area under the ROC curve of ``decision_function``, for y in {−1, +1}."""
        return roc_auc_score(y, self.decision_function(pairs), sample_weight=sample_weight)

    def set_threshold(self, threshold):
        """Let pairs at a distance of at most ``threshold`` count as similar; returns self."""
        check_is_fitted(self)
        try:
            self.threshold_ = float(threshold)
        except (TypeError, ValueError):
            raise ValueError(f"threshold={threshold!r} is not a number.") from None
        return self

    def calibrate_threshold(self, pairs_valid, y_valid, strategy="accuracy", min_rate=None, beta=1.0):
        """Choose ``threshold_`` on pairs held back for it; returns self.

        Parameters
        ----------
        pairs_valid : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
        y_valid : array-like of shape (n_pairs,)
            In {−1, +1}.
        strategy, min_rate, beta
            See :func:`metricnets.calibration.threshold`.
        """
        check_is_fitted(self)
        calibration.check_strategy(strategy, min_rate, beta)
        scores = self.decision_function(pairs_valid)
        self.threshold_ = -calibration.threshold(scores, y_valid, strategy=strategy, min_rate=min_rate, beta=beta)
        return self
