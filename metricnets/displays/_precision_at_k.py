"""PrecisionAtKDisplay: precision and recall of retrieval over the number of samples retrieved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from metricnets.displays._common import BESIDE, axes, markers, style, whole_ticks
from metricnets.displays._retrieval import RetrievalDisplay


@dataclass(kw_only=True, eq=False, repr=False)
class PrecisionAtKDisplay(RetrievalDisplay):
    """Precision and recall at k of retrieval, over k.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.  Several pairs of curves may share axes: give
    ``ax``.

    Parameters
    ----------
    k : ndarray of int of shape (n_ranks,)
        The numbers of samples retrieved, from 1.
    precision : ndarray of shape (n_ranks,)
        The share of matches among the first k samples, from 0 to 1.
    recall : ndarray of shape (n_ranks,)
        The share of the matches that are among the first k samples, from 0 to 1.
    name : str or None, default=None
        Name of the curves for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    precision_, recall_ : matplotlib Line2D
        The curves, solid with full and dashed with empty markers, of one colour.

    See Also
    --------
    metricnets.metrics.precision_at_k : The precision at given k.
    metricnets.metrics.recall_at_k : The recall at given k.
    CMCDisplay : Whether there is a match among the first k samples.

    Examples
    --------
    >>> from metricnets.displays import PrecisionAtKDisplay
    >>> z, y = [[0.0], [1.0], [3.0]], ["a", "a", "b"]
    >>> PrecisionAtKDisplay.from_predictions(z, y).precision
    array([1. , 0.5])
    """

    k: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    name: str | None = None

    @classmethod
    def _of_scores(cls, ranks, scores, name):
        return cls(k=ranks, precision=scores["precision_at_k"], recall=scores["recall_at_k"], name=name)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of ``Axes.plot`` for both curves, such as ``color``.

        Returns
        -------
        self : PrecisionAtKDisplay
        """
        ax = self.ax_ = axes(ax, "PrecisionAtKDisplay.plot")
        self.figure_, name = ax.figure, "" if self.name is None else f"{self.name}: "
        shown = style(kwargs, **markers(self.k))
        (self.precision_,) = ax.plot(self.k, self.precision, **{"label": f"{name}precision"} | shown)
        dashed = {"label": f"{name}recall", "color": self.precision_.get_color(), "linestyle": "--"}
        dashed["markerfacecolor"] = "white"
        (self.recall_,) = ax.plot(self.k, self.recall, **dashed | shown)
        whole_ticks(ax)
        ax.set(xlabel="Number of retrieved samples k", ylabel="Precision, recall at k", ylim=(-0.01, 1.01))
        ax.legend(**BESIDE)
        return self
