"""CMCDisplay: the cumulative match characteristic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from metricnets.displays._common import BESIDE, axes, markers, style, whole_ticks
from metricnets.displays._retrieval import RetrievalDisplay


@dataclass(kw_only=True, eq=False, repr=False)
class CMCDisplay(RetrievalDisplay):
    """Cumulative match characteristic of retrieval.

    It is the share of queries with a match among the first k samples of the gallery, over k.  Create it with
    :meth:`from_estimator` or :meth:`from_predictions`.  Several curves may share axes: give ``ax``.

    Parameters
    ----------
    k : ndarray of int of shape (n_ranks,)
        The ranks, from 1.
    rate : ndarray of shape (n_ranks,)
        The share of queries with a match among the first k samples, from 0 to 1.
    name : str or None, default=None
        Name of the curve for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    metricnets.metrics.cmc : The rates at given ranks.
    PrecisionAtKDisplay : The share of matches among the first k samples.

    Examples
    --------
    >>> from metricnets.displays import CMCDisplay
    >>> z, y, gallery, y_gallery = [[0.0], [1.0]], [5, 6], [[0.4], [2.0], [0.6]], [5, 6, 7]
    >>> CMCDisplay.from_predictions(z, y, gallery, y_gallery).rate
    array([0.5, 0.5, 1. ])
    """

    k: np.ndarray
    rate: np.ndarray
    name: str | None = None

    @classmethod
    def _of_scores(cls, ranks, scores, name):
        return cls(k=ranks, rate=scores["cmc"], name=name)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of ``Axes.plot``, such as ``color``.

        Returns
        -------
        self : CMCDisplay
        """
        ax = self.ax_ = axes(ax, "CMCDisplay.plot")
        self.figure_ = ax.figure
        label = f"{self.name or 'CMC'} (rank 1: {self.rate[0]:.1%})"
        (self.line_,) = ax.plot(self.k, self.rate, **style(kwargs, label=label, **markers(self.k)))
        whole_ticks(ax)
        ax.set(xlabel="Rank k", ylabel="Share of queries with a match among the first k", ylim=(None, 1.01))
        ax.legend(**BESIDE)
        return self
