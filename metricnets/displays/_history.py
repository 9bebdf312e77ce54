"""HistoryDisplay: the losses of training over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from metricnets._params import check_instance
from metricnets.displays._common import BESIDE, COLORS, axes, last_step, one_dimensional, style, whole_ticks

LOSSES = "train_loss", "valid_loss"


@dataclass(kw_only=True, eq=False, repr=False)
class HistoryDisplay:
    """Losses of the training and validation samples over the epochs, for each network that was trained.

    Create it with :meth:`from_estimator`.

    Parameters
    ----------
    train_loss : list of ndarray of shape (n_epochs,)
        Loss of the training samples in each epoch, an array for each network or round of training.
    valid_loss : list of ndarray of shape (n_epochs,)
        Loss of the samples that early stopping holds back; empty without early stopping.
    names : list of str, default=()
        What each array is of, for the legend, such as 'network 1'; not shown if there is one.
    name : str or None, default=None
        Name of all curves for the legend, if several learners share the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    train_, valid_ : list of matplotlib Line2D
        The curves of the training losses, solid, and of the validation losses, dashed.
    best_ : list of matplotlib Line2D
        The points of the smallest validation losses, whose epochs early stopping keeps.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DDML
    >>> from metricnets.displays import HistoryDisplay
    >>> model = DDML(max_epochs=3, random_state=0).fit(*load_iris(return_X_y=True))
    >>> HistoryDisplay.from_estimator(model).train_[0].get_xdata()
    array([1, 2, 3])
    """

    train_loss: Sequence[np.ndarray]
    valid_loss: Sequence[np.ndarray] = ()
    names: Sequence[str] = ()
    name: str | None = None

    @classmethod
    def from_estimator(cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the ``history_`` of a fitted network.

        Parameters
        ----------
        estimator : fitted estimator
            A deep metric learner, or a pipeline that ends with one.
        name : str or None, default=None
            Name of the curves for the legend, if several learners share the axes.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no history.
        """
        check_instance(estimator, "estimator")
        parts = _parts(last_step(estimator))
        train, valid = (
            [np.array([record[loss] for record in records]) for records in parts if loss in records[0]]
            for loss in LOSSES
        )
        names = [
            f"round {part[0]['round']}" if "round" in part[0] else f"network {i}" for i, part in enumerate(parts, 1)
        ]
        return cls(train_loss=train, valid_loss=valid, names=names, name=name).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of ``Axes.plot`` for all curves, such as ``linewidth``.

        Returns
        -------
        self : HistoryDisplay
        """
        ax = self.ax_ = axes(ax, "HistoryDisplay.plot")
        self.figure_, first = ax.figure, len(ax.lines)  # curves that are there keep their colours
        train, valid = ([one_dimensional(loss, name, "epoch") for loss in getattr(self, name)] for name in LOSSES)
        self.train_ = self._curves(train, "training", first, style(kwargs, linestyle="-"))
        self.valid_ = self._curves(valid, "validation", first, style(kwargs, linestyle="--"))
        self.best_ = [
            ax.plot(1 + loss.argmin(), loss.min(), "o", color=line.get_color())[0]
            for loss, line in zip(valid, self.valid_)
        ]
        if self.best_:
            self.best_[0].set_label("best epoch")
        whole_ticks(ax)
        ax.set(xlabel="Epoch", ylabel="Loss")
        ax.legend(**BESIDE)
        return self

    def _curves(self, losses, what, first, options):
        curves = []
        for i, loss in enumerate(losses):
            part = self.names[i] if len(losses) > 1 and len(self.names) else None
            label = ", ".join(filter(None, [self.name, what, part]))
            marker = "." if len(loss) == 1 else None
            shown = {"color": COLORS[(first + i) % len(COLORS)], "label": label, "marker": marker} | options
            curves += self.ax_.plot(np.arange(1, len(loss) + 1), loss, **shown)
        return curves


def _parts(estimator):
    """The records of the epochs of each network or round of a fitted estimator."""
    check_is_fitted(estimator)
    if not getattr(estimator, "history_", None):
        raise ValueError(
            f"estimator={type(estimator).__name__}() has no history_; give a deep metric learner, such as DDML, which "
            "is trained over epochs."
        )
    parts = [[estimator.history_[0]]]
    for before, record in pairwise(estimator.history_):
        if record["epoch"] <= before["epoch"]:
            parts.append([])
        parts[-1].append(record)
    return parts
