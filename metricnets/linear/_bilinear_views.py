"""The shell of learners of a bilinear similarity of each of several views, and weights between them, from a stream."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._callbacks import CallbackSupport
from metricnets._fused_views import WeightedViews, shares_of_views
from metricnets._numpy_networks import Chain, unit_norm
from metricnets._params import Count, Flag, MaybeCount, MaybeSource, Parametrized, Positive, Seed, random_state_of
from metricnets._progress import progress
from metricnets._runtime import one_blas_thread
from metricnets._tuples import FLOATS, points_and_members
from metricnets._views import are_several, check_seen, columns_of, present_views
from metricnets.base import MetricMixin
from metricnets.exceptions import warn
from metricnets.linear._base import check_spread, in_double
from metricnets.linear._solvers.hedge import Hedge, weighted_by_margins
from metricnets.linear._solvers.passive_aggressive import BLOCK, passive_aggressive
from metricnets.linear._solvers.view_similarity import View
from metricnets.tuple_learners import TripletsMixin


class BilinearViews(CallbackSupport, MetricMixin, Parametrized):
    """Weighted sum of bilinear similarities of several views, and the metric of their symmetric parts.

    Parameters
    ----------
    views : int >= 1, list or dict, default=2
        The columns of X that belong to each view.

        - A list with a group of columns for each view: a slice, a mask, or a list of numbers, or of names of columns of
          a data frame.  Groups may overlap, and columns in none are not used.
        - A dict of such groups, whose keys are names of the views.
        - The number of views, whose columns follow each other, as many of each; the first ones have one more where
          they cannot be equal.
    view_weights : {'auto', 'mistakes', 'equal'}, default='auto'
        How the weights of the views are learned, by the Hedge algorithm.

        - 'auto': by the hinge loss of the weighted sum, which is at most that of the best weights plus a bound.
        - 'mistakes': by the mistakes of each view alone, as in the paper; the weights go to the best view.
        - 'equal': all are the same.
    C : float > 0, default=0.1
        Aggressiveness, the largest step size, as of `OASIS`.
    n_components : int >= 1 or None, default=None
        Largest number of columns of the embedding of each view.  None takes as many as the view has.
    normalize : bool, default=True
        Whether embeddings have unit norm, so that distances are those of cosines.  With False their inner products
        are the similarities, up to the projection.
    center : bool, default=True
        Whether the origin of each view is the mean of its points.
    preprocessor : array-like, callable or None, default=None
        Where points that are given as indicators are looked up: an array of points, or a function that
        takes a 1-D array of indicators (integers, strings, paths) and returns their points.
    random_state : int, RandomState or None, default=None
        Determines which triplets are taken, and their order.  Pass an int for reproducible results.

    Attributes
    ----------
    view_weights_ : ndarray of shape (n_views,)
        The weights of the views, positive, with sum 1.
    bilinear_ : list of ndarray of shape (n_columns, n_columns)
        The matrix of the similarity of each view, as of `OASIS`.
    mean_ : list of ndarray of shape (n_columns,)
        The mean of the points of each view seen so far, or 0 without ``center``.
    scale_ : ndarray of shape (n_views,)
        The root mean squared distance of the points of each view from it.
    n_iter_ : int
        Number of steps so far, those that changed nothing included.
    """

    views: Count | Annotated[list | tuple | dict, list, tuple, dict] = 2
    view_weights: Literal["auto", "mistakes", "equal"] = "auto"
    C: Positive = 0.1
    n_components: MaybeCount = None
    normalize: Flag = True
    center: Flag = True
    preprocessor: MaybeSource = None
    random_state: Seed = None

    _finite = "allow-nan"
    _examples = "rows of X"  # what has to have a view

    # ---- learning

    def _max_passes(self):
        return None

    def _begin(self, X, members):
        """Begin a stream with tuples of rows of X, from the identity in each view."""
        columns = columns_of(self.views, X.shape[1], getattr(self, "feature_names_in_", None))
        present = present_views(np.isnan(X), columns, self.views)
        check_seen(present[members].all(axis=1), self._examples, self.views)
        self._views = [View(each, X[has], self.center) for each, has in zip(columns, present.T)]
        self._hedge, self._rng, self.n_iter_ = Hedge(np.zeros(len(columns))), random_state_of(self.random_state), 0

    def _near(self, views, X, present):
        """Points of each view near the origin of its moments."""
        return [check_spread(view.near(X, has)) for view, has in zip(views, present)]

    def _present(self, X):
        return present_views(np.isnan(X), [view.columns for view in self._views], self.views)

    def _solve_views(self, views, blocks):
        """Take the steps of each view along blocks, and reweight the views, then project.

        ``blocks`` are the number of steps, and for each view a mask of those that have it, anchors and differences.
        """
        hedge = self._hedge
        with progress(self) as report:
            for n_steps, steps in blocks:
                margins = np.full((n_steps, len(views)), np.nan)
                for v, (view, (rows, P, D)) in enumerate(zip(views, steps)):
                    margins[rows, v] = passive_aggressive(view.bilinear, P, D, self.C)
                if self.view_weights != "equal":
                    hedge = weighted_by_margins(hedge, margins, self.view_weights == "auto")
                self.n_iter_ += n_steps
                if report(np.nan, (views, hedge)):
                    break
        return self._keep(views, hedge)

    def _keep(self, views, hedge):
        for view in views:
            view.project(self.n_components)
        if not any(view.components.any() for view in views):
            warn("the similarity is positive for no point and itself, so all distances are 0; see pair_similarity.")
        self._views, self._hedge, self.view_weights_ = views, hedge, hedge.weights()
        self.bilinear_ = [view.bilinear for view in views]
        self.mean_ = [view.moments.origin + view.mean for view in views]
        self.scale_ = np.array([view.scale for view in views])
        self._n_features_out = sum(len(view.components) for view in views)
        return self

    def _take(self, found, task):
        views, hedge = found
        self._keep([view.copy() for view in views], hedge)

    # ---- the similarity and its metric

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Embed points: the embeddings of their views side by side, times the roots of the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Points to embed; NaN in all columns of a view that is missing.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Embeddings, in the precision of X; 0 in the columns of a view that is missing, and those of the others are
            times the roots of their weights divided by the sum of these.
        """
        check_is_fitted(self)
        X = self._looked_up(X)
        X = validate_data(self, X, reset=False, dtype=FLOATS, ensure_all_finite=self._finite)
        return self._points(X)

    def pair_similarity(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the similarity s(x, x') of each pair of points, the weighted sum of those of the views.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points, the anchor or query first; NaN in all columns of a view that is missing.

        Returns
        -------
        similarities : ndarray of shape (n_pairs,)
            The larger, the more similar, of any sign; 0 if two points have no view in common.
        """
        check_is_fitted(self)
        X, members = points_and_members(pairs, 2, self.preprocessor, finite=self._finite)
        self._check_shape(X)
        roots = np.sqrt(shares_of_views(self._present(X), self.view_weights_))
        both = roots[members].prod(axis=1).T  # (n_views, n_pairs)
        parts = [view.similarities(X, members) for view in self._views]
        return np.where(both > 0, both * parts, 0.0).sum(axis=0)

    def _embed(self, X):
        with one_blas_thread:
            return self._frozen()(X.astype(float, copy=False)).astype(X.dtype, copy=False)

    def _shape(self):
        return (self.n_features_in_,)

    def _frozen(self):
        columns = [view.columns for view in self._views]
        fused = WeightedViews([view.map() for view in self._views], columns, self.view_weights_)
        return Chain([fused, unit_norm]) if self.normalize else fused

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = are_several(self.views)
        return tags


class TripletViews(TripletsMixin, BilinearViews):
    """Weighted sum of bilinear similarities of several views, learned from triplets (a, b, c): a is more like b."""

    _examples = "triplets, in one of their points"

    def _rows(self, triplets, y):
        X, members = points_and_members(triplets, 3, self.preprocessor, self._for_points(y), self._finite)
        if X.ndim != 2:
            raise ValueError(f"points should be rows of features; those of the tuples have shape {X.shape[1:]}.")
        return in_double(X), members

    def _start(self, X, members):
        self.n_features_in_, self.classes_ = X.shape[1], np.array([-1, 1])
        self._begin(X, members)

    def _follow(self, X, members):
        """Learn from triplets of rows of X in their order."""
        views, present = [view.copy() for view in self._views], self._present(X).T
        Z = self._near(views, X, present)
        blocks = np.split(members, range(BLOCK, len(members), BLOCK))
        steps = ((len(b), [view.steps(z, b, has) for view, z, has in zip(views, Z, present)]) for b in blocks)
        return self._solve_views(views, steps)
