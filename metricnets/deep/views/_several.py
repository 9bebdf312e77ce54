"""The shell of deep metric learners of several views: a network for each, and one embedding."""

from typing import Annotated, Literal

import numpy as np

from metricnets._params import Array, Count
from metricnets._views import columns_of, fused_units, present_views
from metricnets.deep._perceptron import RESIDUAL, NetworkMetric
from metricnets.deep._training.data import Rows
from metricnets.deep._training.embedding import checked_network
from metricnets.deep._training.scaling import standardization
from metricnets.deep._training.several_view_maps import map_of_view, weights_by_validation
from metricnets.deep._training.several_views import Fused, SideBySide
from metricnets.deep._training.wccn import principal_layer
from metricnets.networks import Ensemble


class ViewsMetric(NetworkMetric):
    """Deep metric with a network for each of several views, whose embeddings are side by side.

    Parameters
    ----------
    views : int >= 1 or list, default=2
        The columns of X that belong to each view.

        - A list with a group of columns for each view: a slice, or a list of numbers, or of names of columns of a data
          frame.  Groups may overlap, and columns in none are not used.
        - The number of views, whose columns follow each other, as many of each; the first ones have one more where
          they cannot be equal.
    view_weights : {'auto', 'equal'} or array-like of shape (n_views,), default='auto'
        Weights of the views, positive numbers, which are divided by their sum.  'auto' chooses them by
        cross-validation of the maps from which the networks start; with ``module``, they are equal.
    n_components : int >= 1, default=64
        Number of columns of the embedding of each view.
    skip : float, default=0.0
        Not available with several views, as points may be missing; leave it at 0.
    module : torch.nn.Module, class, callable or None, default=None
        Network to use for each view instead of the perceptron, from a batch of n points to a tensor (n, k) of
        embeddings.  An instance is copied; a class or function is called for each view, with the shape of its points,
        ``(n_columns,)``, if it has a required argument, and returns a new network.

    Attributes
    ----------
    view_weights_ : ndarray of shape (n_views,)
        The weights of the views, positive, with sum 1.
    """

    views: Count | Annotated[list | tuple, list, tuple] = 2
    view_weights: Literal["auto", "equal"] | Array = "auto"

    _finite = "allow-nan"
    _is_whitened = False  # each view is, by itself

    def _validated(self, X, *y):
        if self.skip:
            raise ValueError(f"skip={self.skip} is for one view, as points may be missing; set it to 0.")
        X, *y = super()._validated(X, *y)
        if X.ndim > 2:
            raise ValueError(f"X has shape {X.shape}; views are columns of an array of shape (n_samples, n_features).")
        self._columns = columns_of(self.views, X.shape[1], getattr(self, "feature_names_in_", None))
        for v, has in enumerate(present_views(np.isnan(X), self._columns).T):
            if not has.any():
                raise ValueError(f"view {v} is missing in all rows of X; leave it out of views.")
        self._weights = self._weights_before(len(self._columns))
        return X, *y

    def _weights_before(self, n_views):
        """Weights that do not depend on the data."""
        if isinstance(self.view_weights, str):
            return np.full(n_views, 1 / n_views)
        weights = np.asarray(self.view_weights, dtype=float)
        if weights.shape != (n_views,) or not (weights > 0).all() or not np.isfinite(weights).all():
            raise ValueError(
                f"view_weights={self.view_weights!r} should have a positive number for each of {n_views} views."
            )
        return weights / weights.sum()

    def _why_not_in_batches(self):
        if np.iterable(self.views) and any(isinstance(c, str) for view in self.views for c in np.ravel(view)):
            return "views has names of columns, which samples that are kept have not; give their numbers."
        return super()._why_not_in_batches()

    # ---- layers before the networks

    def _standardization(self, X, weights):
        present, parts = present_views(np.isnan(X), self._columns), []
        for v, (columns, has) in enumerate(zip(self._columns, present.T)):
            if not has.any():
                raise ValueError(f"view {v} is missing in all rows of X to learn from; leave it out of views.")
            parts.append(standardization(X[has][:, columns], None if weights is None else weights[has]))
        return SideBySide(parts, self._columns)

    def _first_layers(self, X, standardize, targets, kept, seed):
        self._check_start()
        present = present_views(np.isnan(X), self._columns)
        layers, choices = zip(
            *(
                self._first_of_view(X[:, columns], each, targets, kept[has[kept]], seed)
                for columns, each, has in zip(self._columns, standardize.networks, present.T)
            )
        )
        inner = blocks([len(columns) for columns in self._columns])
        if self._chooses_weights:
            similar = self._similarity(targets, kept)
            options = choices, *similar, self.n_components, self.normalize, seed
            self._weights = weights_by_validation(X, standardize, inner, *options)
        return [SideBySide(layers, inner)] if self.init in RESIDUAL else []

    @property
    def _chooses_weights(self):
        return isinstance(self.view_weights, str) and self.view_weights == "auto" and len(self._columns) > 1

    def _first_of_view(self, X, standardize, targets, rows, seed):
        """The layer before the network of a view, and what was chosen for a map by `wccn`."""
        layer = choice = None
        if self.init == "wccn" or self._chooses_weights:
            similar = self._similarity(targets, rows)
            layer, choice = map_of_view(X, standardize, *similar, self.n_components, self.normalize, seed)
        if self.init == "identity":
            layer = principal_layer(X[rows], standardize, self.n_components, seed)
        return layer, choice

    # ---- the networks

    def _network(self, rows, generator, member):
        columns, networks = self._columns_inside(), []
        for each, has in zip(columns, present_views(rows.X.isnan().numpy(), columns).T):
            points = rows.X[has][:, each]
            network = super()._network(Rows(points, rows.targets, rows.kept), generator, member)
            networks.append(network if self.module is None else checked_network(network, points))
        return Fused(networks, columns, self._weights)

    def _columns_inside(self):
        """The columns of each view that the networks take."""
        if self.module is not None:
            return self._columns
        return blocks([self.n_components if self.init in RESIDUAL else len(each) for each in self._columns])

    def _ensemble(self, networks):
        if self.module is not None or self.init not in RESIDUAL:
            return Ensemble(networks)
        of_views = zip(*(network.networks for network in networks))
        parts = [super(ViewsMetric, self)._ensemble(list(each)) for each in of_views]
        return Fused(parts, networks[0].columns, networks[0].weights)

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        self.view_weights_ = trained.networks[0].weights.numpy().copy()

    # ---- before training

    def _components(self, X):
        columns = self._columns
        present = present_views(np.isnan(X), columns)
        parts = []
        for each, has in zip(columns, present.T):
            z = super()._components(X[has][:, each])
            parts.append(np.zeros((len(X), z.shape[1])))
            parts[-1][has] = z
        return fused_units(parts, present, self._weights, False)

    def _before_training(self, X):
        X, columns = super()._before_training(X), self._columns_inside()
        present = present_views(np.isnan(X), columns)
        return fused_units([X[:, each] for each in columns], present, self._weights, self.normalize)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = (len(self.views) if np.iterable(self.views) else self.views) > 1
        return tags


def blocks(sizes):
    """Numbers of consecutive columns, in blocks of these sizes."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
