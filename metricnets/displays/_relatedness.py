"""RelatednessDisplay: how the classes of one task depend on those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from metricnets._params import check_instance
from metricnets.displays._common import axes, last_step

FEW = 12  # classes of a task, up to which the numbers are written into the cells
WIDE = 24  # characters of all labels below the columns, from which these are turned


@dataclass(kw_only=True, eq=False, repr=False)
class RelatednessDisplay:
    """Relatedness of two tasks: the probability of each class of one given each class of the other.

    Create it with :meth:`from_estimator`.  A row shows what a class of one task says about the other task: rows that
    are all alike say nothing.

    Parameters
    ----------
    relatedness : ndarray of shape (n_classes_a, n_classes_b)
        Probabilities, with rows that sum to 1.
    tasks : tuple of two
        The names of the tasks a and b.
    classes : tuple of two array-like
        The classes of both.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    mesh_ : matplotlib QuadMesh
        The coloured cells.
    texts_ : list of matplotlib Text
        The numbers in the cells, if neither task has more than 12 classes.
    colorbar_ : matplotlib Colorbar
        The scale of the probabilities.

    See Also
    --------
    metricnets.MultiTaskNet : Network for several tasks, coupled by their relatedness.

    Examples
    --------
    >>> from metricnets import MultiTaskNet
    >>> from metricnets.datasets import make_tasks
    >>> from metricnets.displays import RelatednessDisplay
    >>> net = MultiTaskNet(max_epochs=1).fit(*make_tasks(random_state=0))
    >>> RelatednessDisplay.from_estimator(net).relatedness.shape
    (3, 3)
    """

    relatedness: np.ndarray
    tasks: tuple
    classes: tuple[Sequence, Sequence]

    @classmethod
    def from_estimator(cls, estimator: Any, tasks: tuple | None = None, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the relatedness of two tasks of a fitted learner.

        Parameters
        ----------
        estimator : fitted MultiTaskNet, or pipeline that ends with one
            The learner.
        tasks : tuple of two columns of y or None, default=None
            The tasks (a, b), by name or number, for P(class of b given class of a).  None takes the first pair that is
            related.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : RelatednessDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no relatedness, or none of these tasks.
        """
        check_instance(estimator, "estimator")
        learner = last_step(estimator)
        check_is_fitted(learner)
        related = getattr(learner, "relatedness_", {})
        tasks = next(iter(related), None) if tasks is None else tuple(tasks)
        if tasks not in related:
            known = f"its pairs of tasks are {list(related)!s:.200}" if related else "it has no related tasks"
            raise ValueError(f"{type(learner).__name__} has no relatedness of {tasks}: {known}.")
        classes = tuple(related.classes[task] for task in tasks)
        return cls(relatedness=related[tasks], tasks=tasks, classes=classes).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Plot the probabilities as a coloured table.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of ``Axes.pcolormesh``, such as ``cmap``.

        Returns
        -------
        self : RelatednessDisplay
        """
        ax = self.ax_ = axes(ax, "RelatednessDisplay.plot")
        self.figure_, R = ax.figure, np.asarray(self.relatedness)
        options = {"cmap": "viridis", "vmin": 0.0, "vmax": 1.0} | kwargs
        self.mesh_ = ax.pcolormesh(R, **options)
        ax.yaxis.set_inverted(True)
        rotation = 90 if sum(len(str(label)) for label in self.classes[1]) > WIDE else 0
        ax.set_xticks(np.arange(R.shape[1]) + 0.5, [str(label) for label in self.classes[1]], rotation=rotation)
        ax.set_yticks(np.arange(R.shape[0]) + 0.5, [str(label) for label in self.classes[0]])
        ax.set(xlabel=f"class of {self.tasks[1]}", ylabel=f"class of {self.tasks[0]}")
        self.colorbar_ = self.figure_.colorbar(self.mesh_, ax=ax, label="probability")
        self.texts_ = self._numbers(R) if max(R.shape) <= FEW else []
        return self

    def _numbers(self, R):
        dark = self.mesh_.norm(R) < 0.6
        return [
            self.ax_.text(k + 0.5, c + 0.5, f"{R[c, k]:.2f}", ha="center", va="center", color=color, fontsize="small")
            for (c, k), color in zip(np.ndindex(R.shape), np.where(dark.ravel(), "white", "black"))
        ]
