"""PairDistancesDisplay: histograms of the distances of similar and of dissimilar pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._checks import check_real
from metricnets._embedded import pair_distances
from metricnets._tuples import check_pair_labels
from metricnets.displays._common import BESIDE, COLORS, axes, last_step, one_dimensional


@dataclass(kw_only=True, eq=False, repr=False)
class PairDistancesDisplay:
    """Histograms of the distances of similar and of dissimilar pairs, with the threshold between them.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.  The less the histograms overlap, the better the
    distance tells similar from dissimilar pairs.

    Parameters
    ----------
    similar : ndarray of shape (n_similar,)
        Distances of the similar pairs.
    dissimilar : ndarray of shape (n_dissimilar,)
        Distances of the dissimilar pairs.
    threshold : float or None, default=None
        Largest distance at which a pair is predicted to be similar.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    similar_, dissimilar_ : matplotlib BarContainer
        The bars: the share of the similar, or of the dissimilar, pairs in each bin.
    line_ : matplotlib Line2D or None
        The line of the threshold.

    See Also
    --------
    VerificationDisplay : The rates of errors over all thresholds.

    Examples
    --------
    >>> from metricnets.displays import PairDistancesDisplay
    >>> PairDistancesDisplay.from_predictions([1, -1, 1], [0.2, 1.0, 0.4], threshold=0.5).similar
    array([0.2, 0.4])
    """

    similar: np.ndarray
    dissimilar: np.ndarray
    threshold: float | None = None

    @classmethod
    def from_estimator(cls, estimator: Any, pairs: ArrayLike, y: ArrayLike, *, ax: Any = None, **kwargs: Any) -> Self:
        """Compute the distances of pairs with a fitted estimator, and plot them.

        Parameters
        ----------
        estimator : fitted estimator, Distance or None
            Anything with ``pair_distance``; or with ``transform``, such as a pipeline that ends with a metric learner;
            or what ``get_metric`` returned; None for the Euclidean distance.  Its ``threshold_`` is shown if it has
            one.
        pairs : array-like of shape (n_pairs, 2, n_features), or what the estimator takes
            Pairs of points.
        y : array-like of shape (n_pairs,)
            +1 or True for similar, −1, 0 or False for dissimilar.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : PairDistancesDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the arguments do not have these shapes, or y does not hold both labels.
        """
        distances, threshold = (
            pair_distances(estimator, pairs, "estimator"),
            getattr(last_step(estimator), "threshold_", None),
        )
        return cls.from_predictions(y, distances, threshold, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, y: ArrayLike, distances: ArrayLike, threshold: float | None = None, *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Plot distances.

        Parameters
        ----------
        y : array-like of shape (n_pairs,)
            +1 or True for similar, −1, 0 or False for dissimilar.
        distances : array-like of shape (n_pairs,)
            Distances of the pairs.
        threshold : float or None, default=None
            Largest distance at which a pair is predicted to be similar.
        ax, **kwargs
            As for :meth:`from_estimator`.

        Returns
        -------
        display : PairDistancesDisplay
        """
        distances = one_dimensional(distances, "distances")
        similar = check_pair_labels(y, len(distances))[0] > 0
        display = cls(similar=distances[similar], dissimilar=distances[~similar], threshold=threshold)
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, bins: Any = 30, **kwargs: Any) -> Self:
        """Plot the histograms.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        bins : int, str or array-like, default=30
            Bins of all distances, as in ``numpy.histogram_bin_edges``.
        **kwargs : dict
            Keyword arguments of ``Axes.hist``, such as ``alpha``.

        Returns
        -------
        self : PairDistancesDisplay
        """
        if self.threshold is not None:
            check_real("threshold", self.threshold, "a finite number or None")
        similar, dissimilar = one_dimensional(self.similar, "similar"), one_dimensional(self.dissimilar, "dissimilar")
        ax = self.ax_ = axes(ax, "PairDistancesDisplay.plot")
        self.figure_, self.line_ = ax.figure, None
        edges = np.histogram_bin_edges(np.concatenate([similar, dissimilar]), bins)

        def histogram(distances, label, color):
            options = {"alpha": 0.6, "color": color, "label": f"{label} ({len(distances)} pairs)"} | kwargs
            return ax.hist(distances, edges, weights=np.full(len(distances), 1 / len(distances)), **options)[2]

        self.similar_ = histogram(similar, "similar", COLORS[0])
        self.dissimilar_ = histogram(dissimilar, "dissimilar", COLORS[1])
        if self.threshold is not None:
            label = f"threshold {self.threshold:.3g}"
            self.line_ = ax.axvline(self.threshold, color="black", linestyle="--", label=label)
        ax.set(xlabel="Distance", ylabel="Share of similar, or of dissimilar, pairs")
        ax.legend(**BESIDE)
        return self
