"""The shell of displays of retrieval: what they are computed from."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._arrays import count_rows
from metricnets._checks import check_count
from metricnets._embedded import embedded
from metricnets.displays._common import name_of
from metricnets.metrics._retrieval import retrieval_scores


class RetrievalDisplay:
    """Shell of displays of scores at k; hooks: ``_of_scores``, ``plot``."""

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        X_gallery: ArrayLike | None = None,
        y_gallery: ArrayLike | None = None,
        *,
        k: int = 20,
        metric: str = "euclidean",
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Embed queries and gallery with a fitted estimator, and plot the scores of retrieval.

        Parameters
        ----------
        estimator : fitted estimator, Distance or None
            A metric learner, a pipeline that ends with one, or what ``get_metric`` returned; None for X itself.
        X : array-like of shape (n_samples, n_features), or what the estimator takes
            The queries.
        y : array-like of shape (n_samples,)
            Their classes, or identities.
        X_gallery : array-like of shape (n_gallery, n_features) or None, default=None
            The gallery.  If None, it is X, and a query does not match itself.
        y_gallery : array-like of shape (n_gallery,) or None, default=None
            Classes of the gallery; required with ``X_gallery``.
        k : int >= 1, default=20
            Largest rank, at most the size of the gallery.
        metric : {'euclidean', 'cosine'}, default='euclidean'
            Whether the gallery is sorted by Euclidean distance or by cosine similarity.
        name : str or None, default=None
            Name of the curve; None takes that of the estimator.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Keyword arguments of ``plot``.

        Returns
        -------
        display : object

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the shapes do not fit, or no query has a match.
        """
        if (X_gallery is None) != (y_gallery is None):
            raise ValueError("X_gallery and y_gallery should be given together.")
        z = embedded(estimator, X, "estimator")
        gallery = None if X_gallery is None else embedded(estimator, X_gallery, "estimator")
        options = {"k": k, "metric": metric, "name": name or name_of(estimator), "ax": ax}
        return cls.from_predictions(z, y, gallery, y_gallery, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        z: ArrayLike,
        y: ArrayLike,
        z_gallery: ArrayLike | None = None,
        y_gallery: ArrayLike | None = None,
        *,
        k: int = 20,
        metric: str = "euclidean",
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the scores of retrieval of embeddings.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            Embedded queries.
        y : array-like of shape (n_samples,)
            Their classes, or identities.
        z_gallery : array-like of shape (n_gallery, n_components) or None, default=None
            Embedded gallery.  If None, it is z, and a query does not match itself.
        y_gallery : array-like of shape (n_gallery,) or None, default=None
            Classes of the gallery; required with ``z_gallery``.
        k, metric, name, ax, **kwargs
            As for ``from_estimator``.

        Returns
        -------
        display : object
        """
        check_count(k=k)
        n_gallery = count_rows(z, "z") - 1 if z_gallery is None else count_rows(z_gallery, "z_gallery")
        ranks = np.arange(1, max(1, min(k, n_gallery)) + 1)
        scores = retrieval_scores(z, y, z_gallery, y_gallery, k=ranks, metric=metric)
        return cls._of_scores(ranks, scores, name).plot(ax=ax, **kwargs)

    @classmethod
    def _of_scores(cls, ranks, scores, name):
        """Make the display, which is not drawn yet, of what ``retrieval_scores`` returned."""
        raise NotImplementedError
