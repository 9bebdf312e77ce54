"""What the displays share: axes, colours, names of estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from metricnets._arrays import checked_array
from metricnets._lazy import needed

# M. Okabe, K. Ito, "Color universal design", 2008: colours that can be told apart with deficient colour vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}  # a legend outside of the data


def axes(ax: Any, by: str) -> Any:
    """Return the axes to draw into, new ones if ``ax`` is None; ImportError naming ``by`` without matplotlib."""
    plt = needed("matplotlib.pyplot", by)
    if ax is None:
        ax = plt.subplots(figsize=(7.0, 4.8), layout="constrained")[1]
        ax.set_prop_cycle(color=COLORS)
    elif not hasattr(ax, "scatter"):
        raise ValueError(f"ax={ax!r:.80} should be an Axes of matplotlib or None.")
    return ax


def whole_ticks(ax: Any) -> None:
    """Put the ticks of a linear axis of x at whole numbers."""
    if ax.get_xscale() == "linear":
        ax.xaxis.get_major_locator().set_params(integer=True)


def markers(x: np.ndarray) -> dict[str, Any]:
    """Properties of a line that mark its points, unless they are so many that they would cover it."""
    return {"marker": "o", "markersize": 4} if len(x) <= 30 else {}


def style(kwargs: dict[str, Any], artist: str = "lines.Line2D", **defaults: Any) -> dict[str, Any]:
    """Complete the properties of an artist, which may have short names such as ``c`` and ``lw``, with defaults."""
    module, _, name = artist.partition(".")
    kind = getattr(needed(f"matplotlib.{module}", artist), name)
    return defaults | needed("matplotlib.cbook", artist).normalize_kwargs(kwargs, kind)


def one_dimensional(values: ArrayLike, name: str, of: str = "pair") -> np.ndarray:
    """Validate finite numbers of shape (n,), one ``of`` each; errors name the parameter."""
    found = checked_array(values, name, ensure_2d=False, dtype=float)
    if found.ndim != 1:
        raise ValueError(f"{name} should have a number for each {of}, shape (n_{of}s,); got shape {found.shape}.")
    return found


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, and anything else unchanged."""
    return last_step(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def name_of(estimator: Any) -> str:
    """Return the name of an estimator, or of the last step of a pipeline, for a legend."""
    return "Euclidean" if estimator is None else type(last_step(estimator)).__name__
