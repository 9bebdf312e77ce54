"""MetricImportanceDisplay: what each feature adds to a linear metric, or to the distance of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline, make_pipeline

from metricnets._arrays import checked_array
from metricnets._checks import check_count
from metricnets._params import check_instance
from metricnets.displays._common import COLORS, axes, last_step


@dataclass(kw_only=True, eq=False, repr=False)
class MetricImportanceDisplay:
    """Importance of the features in a linear metric, or in the distance of a pair.

    Create it with :meth:`from_estimator`.  The bars show the diagonal of the metric's matrix M, or contributions to a
    squared distance.  M_ii is the squared distance of two points that differ by 1 in feature i alone, so it depends on
    the unit of the feature: features are comparable if they are scaled.  For two points with the difference τ, feature
    i contributes τ_i (M τ)_i to the squared distance τᵀMτ, which is the sum of these numbers; a negative one makes up
    for the difference of correlated features.

    Parameters
    ----------
    importances : ndarray of shape (n_features,)
        M_ii, or τ_i (M τ)_i.
    feature_names : list of str of shape (n_features,)
        Names of the features.
    of_pair : bool, default=False
        Whether the importances are contributions to the squared distance of a pair.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    bars_ : matplotlib BarContainer
        The bars, from the top, by decreasing absolute value.  For a pair the last one is the sum of the features that
        have no bar of their own, if there are any, so that all bars sum to the squared distance.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDA
    >>> from metricnets.displays import MetricImportanceDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> MetricImportanceDisplay.from_estimator(LDA().fit(X, y), pair=X[[0, 99]]).importances.shape
    (4,)
    """

    importances: np.ndarray
    feature_names: Sequence[str]
    of_pair: bool = False

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        feature_names: Sequence[str] | None = None,
        pair: ArrayLike | None = None,
        n_features: int = 20,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the importances of the features of a fitted linear metric, and plot the largest ones.

        Parameters
        ----------
        estimator : fitted linear metric learner, or pipeline that ends with one
            An estimator with ``get_mahalanobis_matrix``.  The features are those that it sees, after the steps of the
            pipeline before it.
        feature_names : list of str of shape (n_features,) or None, default=None
            Names of these features.  None takes those of ``fit`` or of the pipeline, or else x0, x1, ...
        pair : array-like of shape (2, n_features) or None, default=None
            Two points, as the estimator takes them, to show the contributions to their squared distance.
        n_features : int >= 1, default=20
            Largest number of features to show.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : MetricImportanceDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no linear metric, or the arguments do not have these shapes.
        """
        check_instance(estimator, "estimator")
        learner = last_step(estimator)
        if not hasattr(learner, "get_mahalanobis_matrix"):
            raise ValueError(
                f"estimator={type(learner).__name__}() has no get_mahalanobis_matrix; give a linear metric learner, "
                "such as NCA, or a pipeline that ends with one."
            )
        M = learner.get_mahalanobis_matrix()
        names = _names(estimator, feature_names, len(M))
        importances = np.diag(M) if pair is None else contributions(M, _difference(estimator, pair, len(M)))
        display = cls(importances=importances, feature_names=names, of_pair=pair is not None)
        return display.plot(ax=ax, n_features=n_features, **kwargs)

    def plot(self, ax: Any = None, *, n_features: int = 20, **kwargs: Any) -> Self:
        """Plot the largest importances as bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        n_features : int >= 1, default=20
            Largest number of features to show.
        **kwargs : dict
            Keyword arguments of ``Axes.barh``, such as ``color``.

        Returns
        -------
        self : MetricImportanceDisplay
        """
        check_count(n_features=n_features)
        ax = self.ax_ = axes(ax, "MetricImportanceDisplay.plot")
        self.figure_ = ax.figure
        order = np.argsort(-np.abs(self.importances), kind="stable")
        shown, rest = order[:n_features], order[n_features:]
        widths, names = self.importances[shown], [str(self.feature_names[i]) for i in shown]
        if self.of_pair and len(rest):
            widths, names = np.r_[widths, self.importances[rest].sum()], [*names, f"{len(rest)} others"]
        colors = np.where(widths < 0, COLORS[1], COLORS[0])
        self.bars_ = ax.barh(np.arange(len(widths)), widths, **{"color": colors} | kwargs)
        ax.set_yticks(np.arange(len(widths)), names)
        ax.yaxis.set_inverted(True)
        ax.axvline(0, color="black", linewidth=0.8)
        if self.of_pair:
            ax.set_xlabel(f"Contribution to the squared distance {self.importances.sum():.3g}")
        else:
            ax.set_xlabel("Diagonal of M: squared distance for a difference of 1")
        return self


def contributions(M: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Contributions of the features to the squared distance τᵀMτ: τ_i (M τ)_i.

    Parameters
    ----------
    M : ndarray of shape (n_features, n_features)
    difference : ndarray of shape (n_features,)

    Returns
    -------
    contributions : ndarray of shape (n_features,)
    """
    return difference * (M @ difference)


def _difference(estimator, pair, n_features):
    """The difference of two points, as the metric sees them."""
    if np.ndim(pair) != 2 or len(pair) != 2:
        raise ValueError(f"pair should hold two points, an array of shape (2, n_features); got shape {np.shape(pair)}.")
    steps = _before(estimator)
    u, v = checked_array(make_pipeline(*steps).transform(pair) if steps else pair, "pair", dtype=float)
    if len(u) != n_features:
        raise ValueError(f"the points of pair have {len(u)} features, and the metric has {n_features}.")
    return u - v


def _before(estimator):
    """The fitted steps before the metric, those of nested pipelines too."""
    if not isinstance(estimator, Pipeline):
        return []
    return [step for step in [*estimator][:-1] if step not in (None, "passthrough")] + _before(estimator[-1])


def _names(estimator, feature_names, n_features):
    steps, known = _before(estimator), getattr(last_step(estimator), "feature_names_in_", None)
    if feature_names is not None:
        names = list(feature_names)
    elif steps and all(hasattr(step, "get_feature_names_out") for step in steps):
        names = make_pipeline(*steps).get_feature_names_out().tolist()
    else:
        names = [f"x{i}" for i in range(n_features)] if known is None else known.tolist()
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names, and the metric has {n_features} features.")
    return names
