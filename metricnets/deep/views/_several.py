"""The shell of deep metric learners of several views: a network for each, and one embedding."""

import dataclasses
from typing import Annotated, Literal

import numpy as np
from torch import nn

from metricnets._fused_views import fused_parts, fused_units
from metricnets._params import Array, Count, MaybeFunction, RateBelowOne
from metricnets._views import are_several, blocks, columns_of, modules_of, present_views, seen_views, weights_of
from metricnets.deep._perceptron import RESIDUAL, NetworkMetric
from metricnets.deep._training.data import Rows
from metricnets.deep._training.embedding import checked_network
from metricnets.deep._training.several_view_maps import map_of_view, standardizations, weights_by_validation
from metricnets.deep._training.several_views import Checked, Fused, ViewNetworks, expect_missing, of_view
from metricnets.deep._training.wccn import principal_layer
from metricnets.networks import Ensemble, Standardize


class ViewsMetric(NetworkMetric):
    """Deep metric with a network for each of several views, whose embeddings are side by side.

    Parameters
    ----------
    views : int >= 1, list or dict, default=2
        The columns of X that belong to each view.

        - A list with a group of columns for each view: a slice, a mask, or a list of numbers, or of names of columns of
          a data frame.  Groups may overlap, and columns in none are not used.
        - A dict of such groups, whose keys are names of the views.
        - The number of views, whose columns follow each other, as many of each; the first ones have one more where
          they cannot be equal.
    view_weights : {'auto', 'equal'}, array-like of shape (n_views,) or dict, default='auto'
        Weights of the views, positive numbers, which are divided by their sum.  'auto' chooses them by
        cross-validation of the maps from which the networks start; with ``module``, they are equal.
    joint_weight : float in [0, 1), default=0.5
        Weight of one more network, of the columns of all views times the weights of these, relative to 1 for all
        networks together.  It is multiplied by the share of the rows that have all views; 0 leaves this network out.
        There is none with ``module``, or with random initial weights, ``init='glorot'`` or 'uniform'.
    n_components : int >= 1, default=64
        Number of columns of the embedding of each network.
    skip : float, default=0.0
        Not available with several views, as points may be missing; leave it at 0.
    module : torch.nn.Module, class, callable, list, dict or None, default=None
        Network to use for each view instead of the perceptron, from a batch of n points to a tensor (n, k) of
        embeddings.  An instance is copied; a class or function is called for each view, with the shape of its points,
        ``(n_columns,)``, if it has a required argument, and returns a new network.  A list, or a dict if ``views`` is
        one, has a module, class or function for each view.

    Attributes
    ----------
    view_weights_ : ndarray of shape (n_views,)
        The weights of the views, positive, with sum 1.
    """

    views: Count | Annotated[list | tuple | dict, list, tuple, dict] = 2
    view_weights: Literal["auto", "equal"] | Array | Annotated[dict, dict] = "auto"
    joint_weight: RateBelowOne = 0.5
    module: MaybeFunction | Annotated[list | tuple | dict, list, tuple, dict] = None

    _finite = "allow-nan"
    _in_parts = False
    _is_whitened = False  # each view is, by itself

    def _plan(self):
        plan = super()._plan()
        return dataclasses.replace(plan, of_others=plan.of_others or self.module is not None)

    def _validated(self, X, *y):
        if self.skip:
            raise ValueError(f"skip={self.skip} is for one view, as points may be missing; set it to 0.")
        if isinstance(X, list | tuple) and len(X) and all(np.ndim(each) == 2 for each in X):
            raise ValueError("X is a list of tables; give one, np.hstack(X), and to views the columns of each view.")
        X, *y = super()._validated(X, *y)
        if X.ndim > 2:
            raise ValueError(f"X has shape {X.shape}; views are columns of an array of shape (n_samples, n_features).")
        names = vars(self).pop("_names", None)  # of the batches of a stream, which are kept without them
        self._columns = columns_of(self.views, X.shape[1], getattr(self, "feature_names_in_", names))
        seen_views(np.isnan(X), self._columns, "X", self.views)
        modules_of(self.module, self.views, len(self._columns))
        self._weights = weights_of(self.view_weights, self.views, len(self._columns))
        return X, *y

    def _checked_batch(self, *batch):
        batch = super()._checked_batch(*batch)
        self._names = getattr(self, "feature_names_in_", None)
        return batch

    # ---- layers before the networks

    def _standardization(self, X, weights):
        return Checked(standardizations(X, self._columns, weights), self._columns)

    def _first_layers(self, X, standardize, targets, kept, seed):
        self._check_start()
        present = present_views(np.isnan(X), self._columns)[kept]
        views = zip(self._columns, standardize.networks, present.T)
        starts = [self._first_of_view(X[:, each], scale, targets, kept[has], seed) for each, scale, has in views]
        layers, choices = map(list, zip(*starts))
        inner = blocks([len(columns) for columns in self._columns])
        if self._chooses_weights:
            options = choices, *self._similarity(targets, kept), self.n_components, self.normalize, seed
            self._weights = weights_by_validation(X, standardize, inner, *options)
        if self.init not in RESIDUAL:
            return []
        whole = kept[present.all(axis=1)]
        if self.joint_weight and len(inner) > 1 and len(whole) > 1:
            by_weights = Standardize(0.0, 0.0, 1 / np.repeat(self._weights, [len(each) for each in inner]))
            start, _ = self._first_of_view(X, nn.Sequential(standardize, by_weights), targets, whole, seed)
            layers.append(nn.Sequential(by_weights, start))
            inner.append(np.concatenate(inner))
        return [ViewNetworks(layers, inner)]

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
        columns, weights = self._inside(rows.X)
        networks = []
        for each, module in zip(columns, modules_of(self.module, self.views, len(columns))):
            points = of_view(rows.X, each)
            if module is None:
                networks.append(super()._network(Rows(points, rows.targets, rows.kept), generator, member))
            else:
                networks.append(checked_network(self._own_network(module, (len(each),)), points))
        return Fused(networks, columns, weights, self.normalize)

    def _inside(self, X):
        """The columns that each network has of what all of them take, and its weight."""
        if self.module is not None:
            return self._columns, self._weights
        if self.init not in RESIDUAL:
            return blocks([len(each) for each in self._columns]), self._weights
        columns = blocks([self.n_components] * (X.shape[1] // self.n_components))
        if len(columns) == len(self._weights):
            return columns, self._weights
        joint = self.joint_weight * float((~X[:, -1].isnan()).double().mean())
        return columns, np.append(self._weights * (1 - joint), joint)

    def _ensemble(self, networks):
        if self.module is not None or self.init not in RESIDUAL:
            return Ensemble(networks)
        of_views = zip(*(network.networks for network in networks))
        parts = [super(ViewsMetric, self)._ensemble(list(each)) for each in of_views]
        return Fused(parts, networks[0].columns, networks[0].weights, self.normalize)

    def _joined(self, networks, X):
        return expect_missing(super()._joined(networks, X), X, self._rows_at_once)

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        weights = trained.networks[0].weights.numpy()[: len(self._columns)]
        self.view_weights_ = weights / weights.sum()

    # ---- before training

    def _components(self, X):
        return fused_parts(X, self._columns, self._weights, super()._components)

    def _before_training(self, X):
        columns, weights = self._inside(X)
        X = super()._before_training(X)
        present = present_views(np.isnan(X), columns)
        return fused_units([X[:, each] for each in columns], present, weights, self.normalize)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = are_several(self.views)
        return tags
