"""EmbeddingDisplay: a scatter plot of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin

from metricnets._arrays import checked_array
from metricnets._embedded import embedded
from metricnets._labels import plain, read
from metricnets._lazy import needed
from metricnets._tuples import FLOATS
from metricnets.displays._common import BESIDE, COLORS, axes, style
from metricnets.displays._projection import projected

MARKERS = "os^DvP*X"  # another one after each eight classes
MANY = 40  # classes, up to which there is a legend; more numbers are real targets


@dataclass(kw_only=True, eq=False, repr=False)
class EmbeddingDisplay:
    """Scatter plot of embeddings in two dimensions, coloured by class or target.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.  The colours are those of Okabe and Ito,
    which can be told apart with deficient colour vision; after eight classes the marker changes.  Real targets have a
    sequential colour map, and so have numbers with more than 40 values; unknown labels (None, NaN) are light grey.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The embeddings, projected to two dimensions.
    y : array-like of shape (n_samples,) or None, default=None
        Classes, or real targets.
    axis_names : tuple of two str, default=('Component 1', 'Component 2')
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    scatters_ : list of matplotlib PathCollection
        The points of each class in sorted order, or all of them for real targets; then unknown ones if there are any.
    colorbar_ : matplotlib Colorbar or None
        The scale of real targets.

    See Also
    --------
    PairDistancesDisplay : Histograms of the distances of pairs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import NCA
    >>> from metricnets.displays import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> EmbeddingDisplay.from_estimator(NCA().fit(X, y), X, y).points.shape
    (150, 2)
    """

    points: np.ndarray
    y: ArrayLike | None = None
    axis_names: tuple[str, str] = ("Component 1", "Component 2")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        projection: str | TransformerMixin | None = "pca",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Embed points with a fitted estimator, project them to two dimensions, and plot them.

        Parameters
        ----------
        estimator : fitted estimator, Distance or None
            A metric learner, a pipeline that ends with one, or what ``get_metric`` returned; None for X itself.
        X : array-like of shape (n_samples, n_features), or what the estimator takes
            The points.
        y : array-like of shape (n_samples,) or None, default=None
            Classes, or real targets, for the colours.
        projection : {'pca', 'umap', 'none'}, transformer or None, default='pca'
            How embeddings become two-dimensional:

            - 'pca': their first two principal components;
            - 'umap': UMAP, which needs umap-learn;
            - 'none' or None: not at all, they have two columns;
            - any transformer with ``fit_transform``, such as ``TSNE()``, of which a clone is fitted to the embeddings.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed, or umap-learn for 'umap'.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the embeddings have fewer than two columns, or X and y differ in length.
        """
        return cls.from_predictions(embedded(estimator, X, "estimator"), y, projection=projection, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        z: ArrayLike,
        y: ArrayLike | None = None,
        *,
        projection: str | TransformerMixin | None = "pca",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Project embeddings to two dimensions, and plot them; see :meth:`from_estimator`.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            The embeddings.
        y : array-like of shape (n_samples,) or None, default=None
            Classes, or real targets.
        projection, ax, **kwargs
            As for :meth:`from_estimator`.

        Returns
        -------
        display : EmbeddingDisplay
        """
        z = checked_array(z, "z", dtype=FLOATS, ensure_min_samples=2)
        points, axis_names = projected(z, projection)
        return cls(points=points, y=y, axis_names=axis_names).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, cmap: str = "viridis", **kwargs: Any) -> Self:
        """Plot the points.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        cmap : str or matplotlib Colormap, default='viridis'
            Colours of real targets.
        **kwargs : dict
            Keyword arguments of ``Axes.scatter``, such as ``s`` and ``alpha``; ``color`` or ``c`` is one colour for
            all points, as values and classes are given by ``y``.

        Returns
        -------
        self : EmbeddingDisplay

        Raises
        ------
        ValueError
            If y does not have a value for each point, or ``c`` is not a colour.
        """
        if np.ndim(self.points) != 2 or np.shape(self.points)[1] != 2:
            raise ValueError(f"points should have shape (n_samples, 2); got {np.shape(self.points)}.")
        values, known, real = _read(self.y, len(self.points))
        ax = self.ax_ = axes(ax, "EmbeddingDisplay.plot")
        self.figure_, self.colorbar_ = ax.figure, None
        options = style(kwargs, "collections.PathCollection", s=float(np.clip(2e4 / len(self.points), 4, 30)))
        options = _one_color(options, real)
        if "marker" not in kwargs:  # others, such as "x", may consist of lines
            options.setdefault("linewidth", 0)
        if real:
            self.scatters_ = [ax.scatter(*self.points[known].T, c=values, cmap=cmap, **options)]
            self.colorbar_ = self.figure_.colorbar(self.scatters_[0], ax=ax, label="target")
        else:
            self.scatters_ = self._classes(values, known, options)
        if not known.all():
            unknown = {"color": "#cccccc", "label": "unknown", "zorder": 0}
            self.scatters_.append(ax.scatter(*self.points[~known].T, **unknown | options))
        if self.y is not None and not real and len(self.scatters_) <= MANY:
            ax.legend(**BESIDE, ncols=1 + (len(self.scatters_) - 1) // 20, title="class")
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        shared = [len(group.get_siblings(ax)) > 1 for group in (ax.get_shared_x_axes(), ax.get_shared_y_axes())]
        ax.set_aspect("equal", adjustable="box" if all(shared) else "datalim")  # lengths are distances
        return self

    def _classes(self, labels, known, options):
        classes, codes = np.unique(labels, return_inverse=True)
        scatters = []
        for i, label in enumerate(classes):
            style = {"label": str(label), "color": COLORS[i % 8], "marker": MARKERS[i // 8 % 8]}
            scatters.append(self.ax_.scatter(*self.points[known][codes == i].T, **style | options))
        return scatters


def _one_color(options, real):
    """Properties with ``c`` as ``color``; ValueError if it is not one colour, or y has the colours of real targets."""
    colors = [name for name in ("c", "color") if name in options]
    if len(colors) != 1:  # of two matplotlib says that they are one too many
        return options
    color = options[name := colors[0]]
    if not needed("matplotlib.colors", "EmbeddingDisplay.plot").is_color_like(color):
        raise ValueError(f"{name}={color!r:.24} should be one colour; give values or classes of the points as y.")
    if real:
        raise ValueError(f"{name}={color!r} is of all points, and y has real targets, coloured by cmap; leave one out.")
    return {key: value for key, value in options.items() if key != name} | {"color": color}


def _read(y, n):
    """Known targets, which rows they are of, and whether they are real numbers."""
    labels, missing, _ = (np.zeros(n, int), np.zeros(n, bool), None) if y is None else read(y)
    if len(labels) != n:
        raise ValueError(f"y should have a value for each sample: there are {n} samples and {len(labels)} values.")
    values = plain(labels[~missing])
    numbers = values.dtype.kind in "fiu"
    if numbers and not np.isfinite(values).all():
        raise ValueError("y has infinite values; leave out these samples, or set them to NaN for unknown ones.")
    whole = numbers and np.array_equal(values, np.trunc(values))
    return values, ~missing, numbers and (not whole or len(np.unique(values)) > MANY)
