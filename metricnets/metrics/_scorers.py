"""Scorers by name, ``scorer(estimator, X, y)``, for searches and cross-validation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import sklearn.metrics
from sklearn.utils.validation import column_or_1d

from metricnets._arrays import count_rows, embeddings, one_each
from metricnets.metrics._distribution import canberra, chebyshev, clark, cosine, intersection, kullback_leibler
from metricnets.metrics._multilabel import average_precision, coverage, one_error, ranking_loss
from metricnets.metrics._retrieval import map_at_r, mean_average_precision, precision_at_k, r_precision
from metricnets.metrics._verification import equal_error_rate


@dataclass(frozen=True)
class Scorer:
    """``sign * score(y, response(estimator, X))``: picklable, the greater the better.

    Parameters
    ----------
    score : callable
        Of truth and response.
    response : callable
        Of estimator and X.
    sign : {-1, 1}, default=1
        −1 for losses.
    """

    score: Callable
    response: Callable
    sign: int = 1

    def __call__(self, estimator, X, y):
        """Score a fitted estimator on held-out rows."""
        found = self.score(y, self.response(estimator, X))
        return found if self.sign == 1 else -found


def predicted(estimator, X):
    """What the estimator predicts."""
    return estimator.predict(X)


def probabilities(estimator, X):
    """Probability of each label, (n, n_labels), also of estimators that return a table for each label."""
    found = estimator.predict_proba(X)
    if isinstance(found, list):
        return np.column_stack([table @ (classes == 1) for table, classes in zip(found, estimator.classes_)])
    return found


def similarities(estimator, X):
    """How similar the points of each pair are."""
    source = f"{type(estimator).__name__}().decision_function"
    return one_each(estimator.decision_function(X), count_rows(X, "X"), source)


def embedded(estimator, X):
    """Embedding of the points."""
    return embeddings(estimator.transform(X), count_rows(X, "X"), f"{type(estimator).__name__}().transform")


class NoScoreError(ValueError):
    """What a scorer returns where there is no score.

    An error that is raised in a search becomes NaN and a page of warnings for each fold, after which the
    search chooses at random; at what is no number it stops and shows it.
    """

    def __float__(self):
        raise self


def _among_themselves(score, y, z):
    known, counts = np.unique(column_or_1d(y), return_counts=True)
    if len(known) > 1 and counts.max() > 1:
        return score(z, y)
    what = "of one class, so that all of them match" if len(known) < 2 else "of a class each, so that none match"
    return NoScoreError(
        f"nothing: the {len(z)} held-out rows are {what}.  Metrics are no classifiers to scikit-learn, which splits "
        "rows in their order then; give cv=StratifiedKFold(), or GroupKFold of persons,"
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


def get_scorer(name):
    """Return a scorer, ``scorer(estimator, X, y)``, for ``scoring=`` of searches and cross-validation.

    The greater the better: losses are negative, as their names say.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`, or of scikit-learn's names.

        - Label sets, from ``predict_proba``: 'neg_one_error', 'neg_coverage', 'neg_ranking_loss',
          'label_ranking_average_precision'; 'neg_hamming_loss' from ``predict``.
        - Label distributions, from ``predict``: 'neg_chebyshev', 'neg_clark', 'neg_canberra',
          'neg_kullback_leibler', 'cosine', 'intersection'.
        - Retrieval, from ``transform``, every held-out row among the others: 'map_at_r',
          'mean_average_precision', 'r_precision', 'precision_at_1'.  Name the splitter, ``cv=StratifiedKFold()``:
          an integer splits rows in their order, and held-out rows of one class all match each other, which
          ends a search with an error.
        - Pairs, from ``decision_function``: 'neg_equal_error_rate', and scikit-learn's 'roc_auc'.

    Returns
    -------
    scorer : callable
        Picklable.

    Raises
    ------
    ValueError
        If the name is neither ours nor scikit-learn's.

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
    raise ValueError(f"name={name!r} is unknown; use one of {', '.join(_SCORERS)}, or a name of scikit-learn.")


def get_scorer_names():
    """Names that `get_scorer` knows besides scikit-learn's, sorted."""
    return sorted(_SCORERS)
