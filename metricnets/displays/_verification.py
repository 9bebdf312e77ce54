"""VerificationDisplay: the ROC or DET curve of pairs with the equal error rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm
from sklearn.metrics import DetCurveDisplay, RocCurveDisplay, auc, roc_curve

from metricnets._checks import check_option, check_real
from metricnets._embedded import pair_distances
from metricnets.displays._common import axes, name_of
from metricnets.metrics._verification import check_scores, equal_error_rate


@dataclass(kw_only=True, eq=False, repr=False)
class VerificationDisplay:
    """ROC or DET curve of the verification of pairs, with the equal error rate marked.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.  The curves are drawn by scikit-learn's
    ``RocCurveDisplay`` and ``DetCurveDisplay``; a pair is accepted if its score reaches a threshold.

    Parameters
    ----------
    fpr : ndarray of shape (n_thresholds,)
        False positive rate, the share of dissimilar pairs that are accepted.
    tpr : ndarray of shape (n_thresholds,)
        True positive rate, the share of similar pairs that are accepted.
    equal_error_rate : float
        The rate at which fpr = 1 − tpr.
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
    point_ : matplotlib Line2D
        The point of the equal error rate.

    See Also
    --------
    metricnets.metrics.equal_error_rate : The equal error rate.
    metricnets.metrics.tar_at_far : True positive rates at given false positive rates.

    Examples
    --------
    >>> from metricnets.displays import VerificationDisplay
    >>> VerificationDisplay.from_predictions([-1, -1, 1, 1], [0.1, 0.4, 0.3, 0.8]).equal_error_rate
    0.5
    """

    fpr: np.ndarray
    tpr: np.ndarray
    equal_error_rate: float
    name: str | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, pairs: ArrayLike, y: ArrayLike, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Score pairs with the negative distance of a fitted estimator, and plot the curve.

        Parameters
        ----------
        estimator : fitted estimator, Distance or None
            Anything with ``pair_distance``; or with ``transform``, such as a pipeline that ends with a metric learner;
            or what ``get_metric`` returned; None for the Euclidean distance.
        pairs : array-like of shape (n_pairs, 2, n_features), or what the estimator takes
            Pairs of points.
        y : array-like of shape (n_pairs,)
            Similar pairs are 1, the others 0 or −1.
        name : str or None, default=None
            Name of the curve; None takes that of the estimator.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : VerificationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the arguments do not have these shapes, or y does not hold both labels.
        """
        scores = -pair_distances(estimator, pairs, "estimator")
        return cls.from_predictions(y, scores, name=name or name_of(estimator), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, y: ArrayLike, scores: ArrayLike, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Plot the curve of scores.

        Parameters
        ----------
        y : array-like of shape (n_pairs,)
            Similar pairs are 1, the others 0 or −1.
        scores : array-like of shape (n_pairs,)
            Similarities: the larger, the more similar.
        name : str or None, default=None
            Name of the curve.
        ax, **kwargs
            As for :meth:`from_estimator`.

        Returns
        -------
        display : VerificationDisplay
        """
        fpr, tpr, _ = roc_curve(*check_scores(y, scores), drop_intermediate=False)
        return cls(fpr=fpr, tpr=tpr, equal_error_rate=equal_error_rate(y, scores), name=name).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, kind: Literal["roc", "det"] = "roc", **kwargs: Any) -> Self:
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        kind : {'roc', 'det'}, default='roc'
            True positive rate over false positive rate; or the detection error trade-off, false negative rate over
            false positive rate on the scales of normal deviates.
        **kwargs : dict
            Properties of the line, such as ``color`` and ``linestyle``.

        Returns
        -------
        self : VerificationDisplay
        """
        check_option("kind", kind, ("roc", "det"))
        check_real("equal_error_rate", self.equal_error_rate, at_least=0, at_most=1)
        ax = self.ax_ = axes(ax, "VerificationDisplay.plot")
        rate, self.figure_ = self.equal_error_rate, ax.figure
        if kind == "roc":
            curve = RocCurveDisplay(fpr=self.fpr, tpr=self.tpr, roc_auc=auc(self.fpr, self.tpr))
            place = rate, 1 - rate
        else:
            curve = DetCurveDisplay(fpr=self.fpr, fnr=1 - self.tpr)
            place = norm.ppf(np.clip([rate, rate], 1e-16, None))
        label = f"equal error rate {rate:.3g}" if self.name is None else f"{self.name}, equal error rate {rate:.3g}"
        self.line_ = curve.plot(ax=ax, name=label).line_
        self.line_.set(**kwargs)
        (self.point_,) = ax.plot(*np.reshape(place, (2, 1)), "o", color=self.line_.get_color())
        ax.legend(loc="lower right" if kind == "roc" else "upper right")
        return self
