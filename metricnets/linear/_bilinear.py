"""The shell of learners of a bilinear similarity from a stream of points."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from metricnets._draws import random_triplets
from metricnets._linalg import components_from_metric
from metricnets._params import Flag, Parametrized, Seed, random_state_of
from metricnets._tuples import points_and_members
from metricnets.exceptions import warn
from metricnets.linear._base import check_spread
from metricnets.linear._solvers.passive_aggressive import BLOCK, Moments, bilinear_similarities

DRAWN = 512 * BLOCK  # triplets that are drawn at a time


class BilinearSimilarity(Parametrized):
    """Bilinear similarity s(x, x') = xᵀ W x', and the metric of its symmetric part.

    Parameters
    ----------
    center : bool, default=True
        Whether the origin of the similarity is the mean of the points.  False keeps the origin of the points, as is
        usual for word counts and other sparse non-negative features.
    random_state : int, RandomState or None, default=None
        Determines which triplets are taken, and their order.  Pass an int for reproducible results.

    Attributes
    ----------
    bilinear_ : ndarray of shape (n_features, n_features)
        The matrix W of the similarity, of points minus ``mean_`` divided by ``scale_``; neither symmetric nor
        positive semi-definite.
    mean_ : ndarray of shape (n_features,)
        The mean of the points seen so far, or 0 without ``center``.
    scale_ : float
        The root mean squared distance of the points from ``mean_``.
    n_iter_ : int
        Number of steps so far, those that changed nothing included.
    """

    center: Flag = True
    random_state: Seed = None

    def _start(self, X):
        """Begin a stream with points, from the identity."""
        self._moments, self._rng = Moments.near(X, self.center), random_state_of(self.random_state)
        self.bilinear_, self.n_iter_ = np.eye(X.shape[1]), 0

    def _near(self, X):
        """Points relative to the origin of the moments."""
        return check_spread(self._moments.shift(X))

    def _locate(self, means, scales, moments):
        """Keep mean and scale after groups of points, which join the moments."""
        self._moments, self.mean_, self.scale_ = moments, moments.origin + means[-1], float(scales[-1])

    def _project(self, W, dtype):
        """Keep W, and the projection of its symmetric part onto the positive semi-definite matrices as the metric."""
        L = components_from_metric((W + W.T) / 2, self.n_components)
        if not L.any():
            warn("the similarity is positive for no point and itself, so all distances are 0; see pair_similarity.")
        self.bilinear_ = W
        return self._keep(L, dtype)

    def _take(self, W, task):
        self.bilinear_ = W.copy()
        self._keep(components_from_metric((W + W.T) / 2, self.n_components), np.float64)

    def pair_similarity(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the bilinear similarity s(x, x') of each pair of points.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points, the anchor or query first.

        Returns
        -------
        similarities : ndarray of shape (n_pairs,)
            The larger, the more similar, of any sign.
        """
        check_is_fitted(self)
        X, members = points_and_members(pairs, 2, self.preprocessor)
        self._check_shape(X)
        Z = (X - self.mean_) / self.scale_
        return bilinear_similarities(self.bilinear_, Z, members)


def blocks_of_triplets(codes: np.ndarray, n_triplets: int, rng: np.random.RandomState) -> Iterator[np.ndarray]:
    """Draw triplets as `random_triplets` does, in blocks (n, 3) of at most ``BLOCK``."""
    while n_triplets > 0:
        triplets = random_triplets(codes, min(n_triplets, DRAWN), rng)
        n_triplets -= len(triplets)
        yield from np.split(triplets, range(BLOCK, len(triplets), BLOCK))
