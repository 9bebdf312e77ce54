"""RelationDisplay: the learned distance of pairs against the relation of their targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.utils import check_random_state

from metricnets._arrays import checked_array
from metricnets._checks import check_count, check_option
from metricnets._embedded import embedded
from metricnets._targets import readable, resolve
from metricnets.displays._common import COLORS, axes, last_step, one_dimensional

FEW = 10  # values of a relation, up to which each has a box


@dataclass(kw_only=True, eq=False, repr=False)
class RelationDisplay:
    """Learned distance of pairs against the relation of their targets, with the rank correlation of both.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.  HRAML and RAML align these two: the more similar
    the targets, the smaller the distance should be.  Few values of a relation, such as those of classes, have a box of
    distances each, from the lower to the upper quartile with whiskers at the percentiles 5 and 95; otherwise pairs are
    counted in hexagons.

    Parameters
    ----------
    relation : ndarray of shape (n_pairs,)
        Relation of the targets of each pair, in [0, 1], where 1 means similar.
    distances : ndarray of shape (n_pairs,)
        Distance of each pair.
    correlation : float
        Spearman's rank correlation of relation and distance; −1 is a perfect alignment.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    boxes_ : dict of list of matplotlib artists or None
        What ``Axes.boxplot`` returned, by ascending relation.
    hexagons_ : matplotlib PolyCollection or None
        The number of pairs in each hexagon.
    colorbar_ : matplotlib Colorbar or None
        The scale of the number of pairs.

    See Also
    --------
    metricnets.HRAML : Network aligned with graded relations of targets.

    Examples
    --------
    >>> from metricnets.displays import RelationDisplay
    >>> RelationDisplay.from_predictions([0.0, 0.5, 1.0], [3.0, 2.0, 1.0]).correlation
    -1.0
    """

    relation: np.ndarray
    distances: np.ndarray
    correlation: float

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        relation: str | Callable = "auto",
        n_samples: int = 500,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute relations and distances of all pairs of samples, and plot them.

        Parameters
        ----------
        estimator : fitted estimator, Distance or None
            A metric learner, a pipeline that ends with one, or what ``get_metric`` returned; None for X itself.
        X : array-like of shape (n_samples, n_features), or what the estimator takes
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets: classes, label sets, distributions or real values.
        relation : str or callable, default='auto'
            A name of :mod:`metricnets.relations`, or a function ``(y_a, y_b) -> r`` of arrays.  'auto' takes the
            ``relation`` of the estimator if it has that parameter, and otherwise selects one by the type of y.
        n_samples : int >= 1, default=500
            Number of samples whose pairs are compared; if there are more, a random subset is used.
        random_state : int, RandomState or None, default=0
            Determines which samples are drawn.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : RelationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the relation does not apply to y, or X and y differ in length.
        """
        check_count(n_samples=n_samples)
        relation = getattr(last_step(estimator), "relation", relation) if relation == "auto" else relation
        z = embedded(estimator, X, "estimator")
        y = checked_array(readable(y, relation), "y", ensure_2d=False, dtype=None)
        if len(y) != len(z):
            raise ValueError(f"y should have a row for each sample: X has {len(z)} rows and y {len(y)}.")
        relate, targets, _ = resolve(y, relation)
        rows = check_random_state(random_state).permutation(len(z))[:n_samples]
        r = np.asarray(relate(targets[rows], targets[rows]), dtype=float)[np.triu_indices(len(rows), k=1)]
        known = ~np.isnan(r)
        if not known.any():
            raise ValueError(f"y gives no relation to any pair of {len(rows)} samples; raise n_samples={n_samples}.")
        return cls.from_predictions(r[known], pdist(z[rows])[known], ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, relation: ArrayLike, distances: ArrayLike, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot relations and distances of pairs.

        Parameters
        ----------
        relation : array-like of shape (n_pairs,)
            Relation of the targets of each pair, in [0, 1], where 1 means similar.
        distances : array-like of shape (n_pairs,)
            Distance of each pair.
        ax, **kwargs
            As for :meth:`from_estimator`.

        Returns
        -------
        display : RelationDisplay
        """
        relation, distances = one_dimensional(relation, "relation"), one_dimensional(distances, "distances")
        if len(relation) != len(distances):
            raise ValueError(
                f"relation has {len(relation)} values and distances {len(distances)}; give one for each pair."
            )
        if len(relation) < 2 or np.ptp(relation) == 0:
            raise ValueError(
                f"all {len(relation)} pairs have one relation; two different values are needed to compare."
            )
        collapsed = np.ptp(distances) == 0
        correlation = 0.0 if collapsed else float(spearmanr(relation, distances).statistic)
        return cls(relation=relation, distances=distances, correlation=correlation).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, kind: Literal["auto", "box", "hexbin"] = "auto", **kwargs: Any) -> Self:
        """Plot distances over relations.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        kind : {'auto', 'box', 'hexbin'}, default='auto'
            A box for each value of the relation, or counts in hexagons.  'auto' has boxes for at most ten values.
        **kwargs : dict
            Keyword arguments of ``Axes.boxplot`` or ``Axes.hexbin``.

        Returns
        -------
        self : RelationDisplay
        """
        check_option("kind", kind, ("auto", "box", "hexbin"))
        ax = self.ax_ = axes(ax, "RelationDisplay.plot")
        self.figure_, self.boxes_, self.hexagons_, self.colorbar_ = ax.figure, None, None, None
        values = np.unique(self.relation)
        if kind == "box" or (kind == "auto" and len(values) <= FEW):
            self._boxes(values, kwargs)
        else:
            options = {"gridsize": 30, "bins": "log", "mincnt": 1, "cmap": "viridis", "linewidths": 0.2} | kwargs
            self.hexagons_ = ax.hexbin(self.relation, self.distances, **options)
            self.colorbar_ = self.figure_.colorbar(self.hexagons_, ax=ax, label="pairs")
        ax.set(xlabel="Relation of the targets (1: similar)", ylabel="Distance")
        title = f"{len(self.relation):,} pairs, rank correlation {self.correlation:.2f}".replace("-", "−")
        ax.set_title(title, fontsize="medium")
        return self

    def _boxes(self, values, options):
        groups = [self.distances[self.relation == value] for value in values]
        style = {"whis": (5, 95), "showfliers": False, "patch_artist": True, "widths": 0.6, "manage_ticks": False}
        style |= {"boxprops": {"facecolor": COLORS[4]}, "medianprops": {"color": "black"}}
        self.boxes_ = self.ax_.boxplot(groups, **style | options)
        self.ax_.set_xticks(1 + np.arange(len(values)), [f"{value:.2g}" for value in values])
