"""Scorers by name, ``scorer(estimator, X, y)``, for searches and cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import column_or_1d

from metricnets._arrays import count_rows, embeddings, one_each
from metricnets.metrics._distribution import canberra, chebyshev, clark, cosine, intersection, kullback_leibler
from metricnets.metrics._multilabel import average_precision, coverage, one_error, ranking_loss
from metricnets.metrics._retrieval import map_at_r, mean_average_precision, precision_at_k, r_precision
from metricnets.metrics._verification import equal_error_rate


@dataclass(frozen=True)
class Scorer:
    """Scorer, ``sign * score(y, response(estimator, X))``: larger is better.

    Parameters
    ----------
    score : callable
        Function of the true targets and the response.
    response : callable
        Function of the estimator and X.
    sign : {-1, 1}, default=1
        −1 for losses.
    """

    score: Callable
    response: Callable
    sign: int = 1

    def __call__(self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike) -> float:
        """Score a fitted estimator on held-out samples."""
        found = self.score(y, self.response(estimator, X))
        return found if self.sign == 1 else -found


def predicted(estimator: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Predict with the estimator."""
    return estimator.predict(X)


def probabilities(estimator: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Probability of each label, (n, n_labels), also of estimators that return a list with an array for each label."""
    found = estimator.predict_proba(X)
    if isinstance(found, list):
        return np.column_stack([table @ (classes == 1) for table, classes in zip(found, estimator.classes_)])
    return found


def similarities(estimator: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Similarity of the points of each pair."""
    source = f"{type(estimator).__name__}().decision_function"
    return one_each(estimator.decision_function(X), count_rows(X, "X"), source)


def embedded(estimator: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Embeddings of the points."""
    return embeddings(estimator.transform(X), count_rows(X, "X"), f"{type(estimator).__name__}().transform")


class NoScoreError(ValueError):
    """Returned by a scorer where the score is not defined; its conversion to float raises it.

    An error that a scorer raises becomes NaN in a search, with a warning for each fold, and the search then chooses
    at random.  The conversion of what a scorer returned happens outside of that, so that the search stops with
    this error.
    """

    def __float__(self) -> float:
        raise self


def _among_themselves(score, y, z):
    known, counts = np.unique(column_or_1d(y), return_counts=True)
    if len(known) > 1 and counts.max() > 1:
        return score(z, y)
    what = "of one class, so that all of them match" if len(known) < 2 else "of a class each, so that none match"
    return NoScoreError(
        f"nothing: the {len(z)} held-out rows are {what}.  For scikit-learn a metric learner is not a classifier, and "
        "it splits the rows in their order then; give cv=StratifiedKFold(), or GroupKFold of persons,"
    )


_LOSSES = {
    probabilities: (one_error, coverage, ranking_loss),
    predicted: (chebyshev, clark, canberra, kullback_leibler, sklearn.metrics.hamming_loss),
    similarities: (equal_error_rate,),
}
_SCORERS = {f"neg_{loss.__name__}": Scorer(loss, of, -1) for of, losses in _LOSSES.items() for loss in losses}
_SCORERS["label_ranking_average_precision"] = Scorer(average_precision, probabilities)
_SCORERS |= {score.__name__: Scorer(score, predicted) for score in (cosine, intersection)}
_SCORERS |= {
    name: Scorer(partial(_among_themselves, score), embedded)
    for name, score in {
        "map_at_r": map_at_r,
        "mean_average_precision": mean_average_precision,
        "precision_at_1": precision_at_k,
        "r_precision": r_precision,
    }.items()
}


def get_scorer(name: str) -> Callable[[Any, Any, Any], float]:
    """Get a scorer, ``scorer(estimator, X, y)``, for ``scoring=`` of searches and cross-validation.

    Larger is better: the scorer of a loss returns the negative loss, and its name starts with ``neg_``.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`, or of scikit-learn's names.

        - Label sets, from ``predict_proba``: 'neg_one_error', 'neg_coverage', 'neg_ranking_loss',
          'label_ranking_average_precision'; 'neg_hamming_loss' from ``predict``.
        - Label distributions, from ``predict``: 'neg_chebyshev', 'neg_clark', 'neg_canberra',
          'neg_kullback_leibler', 'cosine', 'intersection'.
        - Retrieval, from ``transform``, each held-out sample among the others: 'map_at_r',
          'mean_average_precision', 'r_precision', 'precision_at_1'.  Give a splitter, ``cv=StratifiedKFold()``:
          an integer splits the samples in their order, and a search stops with an error if the held-out samples
          are all of one class, as all of them match then.
        - Pairs, from ``decision_function``: 'neg_equal_error_rate', and scikit-learn's 'roc_auc'.

    Returns
    -------
    scorer : callable
        It can be pickled.

    Raises
    ------
    ValueError
        If the name is unknown here and in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import StratifiedKFold, cross_val_score
    >>> from metricnets import LDA
    >>> from metricnets.metrics import get_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> (cross_val_score(LDA(), X, y, cv=StratifiedKFold(), scoring=get_scorer("map_at_r")) > 0.7).all()
    np.True_
    """
    if name in _SCORERS:
        return _SCORERS[name]
    if name in sklearn.metrics.get_scorer_names():
        return sklearn.metrics.get_scorer(name)
    raise ValueError(f"name={name!r} is unknown; use one of {', '.join(_SCORERS)}, or one of scikit-learn's names.")


def get_scorer_names() -> list[str]:
    """Get the names of all scorers of this package, sorted.

    Returns
    -------
    names : list of str
        For :func:`get_scorer`, which also takes scikit-learn's names.

    Examples
    --------
    >>> from metricnets.metrics import get_scorer_names
    >>> "map_at_r" in get_scorer_names()
    True
    """
    return sorted(_SCORERS)
