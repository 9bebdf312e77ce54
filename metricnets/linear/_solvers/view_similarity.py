"""The similarity of OASIS of one of several views, which some points do not have."""

import copy

import numpy as np

from metricnets._linalg import components_from_metric
from metricnets._numpy_networks import Affine, Chain, Standardized
from metricnets.linear._solvers.passive_aggressive import Moments, bilinear_similarities


class View:
    """The bilinear similarity of a view along a stream, and the mean and scale of its points.

    Parameters
    ----------
    columns : ndarray of int
        Those of the view.
    X : ndarray of shape (n, n_features)
        Points that have the view, one or more.
    center : bool
        Whether the mean of the points is the origin of the similarity.
    """

    def __init__(self, columns, X, center):
        self.columns, self.moments = columns, Moments.near(X[:, columns], center)
        self.bilinear, self.mean, self.scale = np.eye(len(columns)), np.zeros(len(columns)), 1.0

    def near(self, X, has):
        """Points relative to the origin of the moments; 0 for those that do not have the view."""
        Z = np.zeros((len(X), len(self.columns)))
        if has.any():
            Z[has] = self.moments.shift(X[has][:, self.columns])
        return Z

    def locate(self, means, scales, moments):
        """Keep mean, relative to the origin, and scale after groups of points."""
        self.moments, self.mean, self.scale = moments, means[-1], float(scales[-1])

    def steps(self, Z, triplets, has):
        """A mask of the triplets that have the view, their anchors and differences, by mean and scale after each."""
        rows = has[triplets].all(axis=1)
        if not rows.any():
            return rows, Z[:0], Z[:0]
        P, D, *place = self.moments.along(Z[triplets[rows]])
        self.locate(*place)
        return rows, P, D

    def located(self, Z, has):
        """Points near the origin relative to the mean, in units of the scale, which they join."""
        if has.any():
            totals, squares = Z.sum(axis=0, keepdims=True), (Z**2).sum()
            self.locate(*self.moments.after(np.count_nonzero(has), totals, squares))
        return (Z - self.mean) / self.scale

    def similarities(self, X, members):
        """The similarity of pairs of rows of X."""
        Z = Standardized(self.moments.origin, self.mean, self.scale)(X[:, self.columns])
        return bilinear_similarities(self.bilinear, Z, members)

    def project(self, n_components):
        """Factor the projection of the symmetric part onto the positive semi-definite matrices."""
        size = n_components and min(n_components, len(self.columns))
        self.components = components_from_metric((self.bilinear + self.bilinear.T) / 2, size)

    def map(self):
        """The map of the columns of the view to its embedding."""
        return Chain([Standardized(self.moments.origin, self.mean, self.scale), Affine(self.components)])

    def copy(self):
        """A copy that learns by itself."""
        other = copy.copy(self)
        other.bilinear = self.bilinear.copy()
        return other
