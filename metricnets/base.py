"""Mixins of the metric learners: distances and scores of pairs, predictions for tuples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import lengths
from metricnets._params import clone_with_shared
from metricnets._pickles import Versioned
from metricnets._tuples import as_tuples, check_tuples, fetch, points_and_members

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

    def __repr__(self):
        return f"Distance(shape={self.shape}, linear={self.linear})"

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
    _finite = True  # or "allow-nan", what points may be
    _takes_sparse = False  # whether points may be a sparse matrix

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
            points, pairs = points_and_members(pairs, 2, preprocessor, finite=self._finite, in_parts=True)
        found = []
        for start in range(0, max(1, len(pairs)), CHUNK):
            chunk = pairs[start : start + CHUNK]
            found.append(self._distances(chunk if points is None else points[chunk]))
        return np.concatenate(found)

    def _distances(self, pairs):
        pairs = check_tuples(pairs, 2, finite=self._finite)
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

    def _looked_up(self, X):
        """Points that are given as a 1-D array of indicators; anything else unchanged."""
        preprocessor = getattr(self, "preprocessor", None)
        return X if preprocessor is None or np.ndim(X) != 1 else fetch(np.asarray(X), preprocessor)

    def _points(self, X):
        """Embed validated points."""
        self._check_shape(X)
        return self._embed(X)

    def _check_shape(self, X):
        """Raise ValueError if the shape of points is not that of the fitted ones."""
        given, fitted = tuple(np.shape(X)[1:]), self._shape()
        if given != fitted:
            raise ValueError(
                f"points have shape {given}, but {type(self).__name__} was fitted with {fitted}; "
                f"an array of points has shape (n_samples, {', '.join(map(str, fitted))})."
            )

    def __sklearn_clone__(self):
        """A clone that looks up points in the same table, of which scikit-learn would make a copy."""
        is_table = hasattr(getattr(self, "preprocessor", None), "shape")
        return clone_with_shared(self, "preprocessor") if is_table else super().__sklearn_clone__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self._takes_sparse
        return tags
