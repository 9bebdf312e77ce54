"""The embeddings of learners of two views, and their distances in either view and across."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._arrays import checked_array, lengths
from metricnets._params import Array, MaybeArray
from metricnets._tuples import FLOATS
from metricnets.base import Distance
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.embedding import embed, takes_double
from metricnets.deep._training.numpy_networks import as_numpy
from metricnets.deep._training.two_networks import joined
from metricnets.deep._training.two_views import CrossDistance
from metricnets.networks import without_generators

VIEWS = ("xx", "xy", "yy")


class TwoViewEmbedding(DeepMetric):
    """Deep metric with a network for each of two views.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network of the first view, on the CPU.
    module_y_ : torch.nn.Module
        The trained network of the second view.
    """

    _takes_sparse = False

    @torch.no_grad()
    def _keep(self, problem, trained):
        rows, layers, self.history_ = problem.rows, problem.layers, trained.history
        members = zip(*((network.first, network.second) for network in trained.networks))
        parts = [joined(networks, rows.starts is not None) for networks in members]
        points = [view[:2] for view in rows.points()]
        self._n_features_out = parts[0].eval()(points[0]).shape[1]
        modules = [nn.Sequential(*before, part) if before else part for before, part in zip(layers, parts)]
        self.module_, self.module_y_ = (without_generators(module.eval()) for module in modules)
        self._in_double, self._in_double_y = (
            bool(before) or takes_double(module, x) for before, module, x in zip(layers, modules, points)
        )

    def _final(self, problem):
        modules = zip((self.module_, self.module_y_), problem.layers)
        networks = [module[-1] if before else module for module, before in modules]
        views = list(zip(networks, problem.rows.points()))
        constant = [(network, view) for network, view in views if (view == view[:1]).all()]
        return constant or views  # nothing is learned from a constant view, and it is no fault of the training

    def transform(self, X: Array, Y: MaybeArray = None) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Embed points of the first view, or of both.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points of the first view.
        Y : array-like of shape (n_samples_y, n_features_y), (n_samples_y, ...) with ``module_y``, or None, default=None
            Points of the second view, which need not match those of X.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), or a tuple of two such arrays if Y is given
            Embeddings, in the precision of the points.
        """
        z = super().transform(X)
        return z if Y is None else (z, self.transform_y(Y))

    def transform_y(self, Y: ArrayLike) -> np.ndarray:
        """Embed points of the second view.

        Parameters
        ----------
        Y : array-like of shape (n_samples, n_features_y)
            Points of the second view.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Embeddings, in the precision of Y.
        """
        check_is_fitted(self)
        self._check_columns(Y)
        Y = checked_view(Y, "Y", ensure_2d=self._shape_y != (1,), dtype=FLOATS)
        if Y.shape[1:] != self._shape_y:
            found, expected = (s[0] if len(s) == 1 else s for s in (Y.shape[1:], self._shape_y))
            raise ValueError(
                f"Y has {found} features, but {type(self).__name__} was fitted with {expected} in the second view."
            )
        options = {"n_rows": self._rows_at_once, "in_double": self._in_double_y, "device": self._device_here()}
        return embed(self.module_y_, Y, **options)

    def _check_columns(self, Y):
        expected, found = self._columns_y, getattr(Y, "columns", None)
        if expected is not None and found is not None and list(found) != list(expected):
            raise ValueError(
                f"the columns of Y should be those of fit, in the same order; got {list(found)[:5]!s:.80}, expected "
                f"{list(expected)[:5]!s:.80}."
            )

    def pair_distance(self, pairs: ArrayLike, Y: MaybeArray = None) -> np.ndarray:
        """Compute the learned distance of each pair of points, of the first view or of both.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, n_features) with Y
            Pairs of points of the first view; with Y the first point of each pair.
        Y : array-like of shape (n_pairs, n_features_y) or None, default=None
            The second point of each pair, of the second view.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
            At least 0.

        Raises
        ------
        ValueError
            If the points do not have these shapes, or are not finite numbers.
        """
        if Y is None:
            return super().pair_distance(pairs)
        z, z_y = self.transform(pairs, Y)
        if len(z) != len(z_y):
            raise ValueError(f"there are {len(z)} points of the first view and {len(z_y)} of the second; give pairs.")
        return lengths(z - z_y).astype(np.result_type(z, z_y), copy=False)

    def pair_score(self, pairs: ArrayLike, Y: MaybeArray = None) -> np.ndarray:
        """Compute the similarity of each pair of points, the negative distance.

        Parameters
        ----------
        pairs, Y : array-like
            As for `pair_distance`.

        Returns
        -------
        scores : ndarray of shape (n_pairs,)
            At most 0.
        """
        return -1 * self.pair_distance(pairs, Y)

    def get_metric(self, views: Literal["xx", "xy", "yy"] = "xx") -> Distance:
        """Return a learned distance as a function ``(u, v, squared=False) -> float``.

        Parameters
        ----------
        views : {'xx', 'xy', 'yy'}, default='xx'
            The views of u and of v: the first view is x, the second y.

        Returns
        -------
        metric : Distance
            Picklable, and not changed by later calls of ``fit``.
        """
        if views not in VIEWS:
            raise ValueError(f"views={views!r} is unknown; use one of {VIEWS}.")
        metric = super().get_metric()
        if views == "xx":
            return metric
        other = Distance(as_numpy(self.module_y_, self._in_double_y), self._shape_y, linear=False)
        return other if views == "yy" else CrossDistance(metric, other)


def checked_view(Y, name, *, ensure_2d=False, **options):
    """The second view as an array, a single feature as a column; TypeError if it is sparse, as for the first view."""
    if issparse(Y):
        raise TypeError(f"{name} is sparse, and dense data are required; use {name}.toarray().")
    Y = checked_array(Y, name, ensure_2d=ensure_2d, allow_nd=True, **options)
    return Y[:, None] if Y.ndim == 1 else Y
