"""Cross-validation of pair verification over given folds."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed

from metricnets._arrays import count_rows, lengths, one_each
from metricnets._params import Points, check_instance
from metricnets._tuples import check_pair_labels, distinct, points_and_members
from metricnets.base import MetricMixin
from metricnets.calibration import threshold
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._verification import equal_error_rate
from metricnets.protocols._common import check_embeds, column, fitted_embedding, table, times


def cross_validate_pairs(
    estimator: BaseEstimator | Callable | None,
    pairs: ArrayLike,
    y: ArrayLike,
    fold: ArrayLike,
    *,
    preprocessor: Points | Callable | None = None,
    metric: str = "euclidean",
    own_threshold: bool = True,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, np.ndarray]:
    """Cross-validate pair verification over given folds, as for Labeled Faces in the Wild and KinFaceW.

    For each fold, the estimator is fitted to the pairs of the other folds, and the threshold is chosen on them too.
    This is the image-restricted protocol: the estimator gets the pairs and nothing else.

    Parameters
    ----------
    estimator : estimator, callable or None
        A learner from pairs, with ``fit(pairs, y)`` and ``decision_function``.  Or an embedding, as a baseline: an
        estimator with ``transform``, which is fitted without labels to the distinct points of the pairs of the
        other folds; a function from points to embeddings; or None, for the points themselves.
    pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
        Pairs of points.
    y : array-like of shape (n_pairs,)
        +1 for similar, −1 or 0 for dissimilar.
    fold : array-like of shape (n_pairs,)
        The fold of each pair; at least two distinct values.
    preprocessor : array-like, sparse matrix, callable or None, default=None
        Array of points, or function, that looks up indicators; it is also given to a learner from pairs.  None means
        the preprocessor of the estimator, or of the estimator that it wraps.
    metric : {'euclidean', 'cosine'}, default='euclidean'
        Score of embedded pairs: the negative Euclidean distance, or the cosine similarity.  Learners from pairs have
        their own score.
    own_threshold : bool, default=True
        Whether a learner from pairs predicts with its ``threshold_``, which may be chosen on pairs that it held out.
        Otherwise, and for baselines, the threshold is the one with the best accuracy on the pairs of the other
        folds.
    n_jobs : int or None, default=None
        Number of parallel jobs, as in scikit-learn.
    verbose : int, default=0
        Verbosity of joblib.

    Returns
    -------
    results : dict of ndarray
        - ``test_accuracy``, ``test_roc_auc`` and ``test_equal_error_rate``, of shape (n_folds,);
        - ``threshold``, of shape (n_folds,): the smallest score at which a pair is predicted to be similar;
        - ``fit_time`` and ``score_time``, of shape (n_folds,), in seconds;
        - ``fold``, of shape (n_folds,): the sorted folds;
        - ``score``, of shape (n_pairs,): the similarity of each pair, by the learner that was fitted without its
          fold; from it other scores, such as :func:`~metricnets.metrics.tar_at_far`, can be computed for each fold.

    Raises
    ------
    ValueError
        If the shapes do not fit, y has other values, there is only one fold, or the estimator needs labels of points.

    Examples
    --------
    >>> from metricnets.protocols import cross_validate_pairs
    >>> X, pairs = [[0.0], [0.1], [5.0], [5.2]], [[0, 1], [0, 2], [2, 3], [1, 3]]
    >>> cross_validate_pairs(None, pairs, [1, -1, 1, -1], [0, 0, 1, 1], preprocessor=X)["test_accuracy"]
    array([1., 1.])
    """
    check_metric(metric)
    learns_pairs = _check_estimator(estimator)
    y, _ = check_pair_labels(y, count_rows(pairs, "pairs"))
    fold = column(fold, "fold", len(y))
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError(f"fold is {folds[0]} throughout; two folds are needed, one for training and one for testing.")
    for value in folds:
        if len(np.unique(y[fold == value])) < 2:
            raise ValueError(f"fold {value} has only similar or only dissimilar pairs; each fold needs both.")
    judge, option = (_judge_learner, own_threshold) if learns_pairs else (_judge_embedding, metric)
    source = _own_preprocessor(estimator) if preprocessor is None else preprocessor
    X, members = points_and_members(pairs, 2, source)
    jobs = (delayed(judge)(estimator, X, members, y, fold == value, option) for value in folds)
    results = Parallel(n_jobs=n_jobs, verbose=verbose)(jobs)
    scores = np.empty(len(y))
    for value, result in zip(folds, results):
        scores[fold == value] = result.pop("score")
    return {"fold": folds, "score": scores} | table(results)


def _check_estimator(estimator):
    """Whether the estimator learns from pairs; ValueError if not and it cannot embed points without labels."""
    check_instance(estimator, "estimator")
    if hasattr(estimator, "decision_function"):
        return True
    check_embeds(estimator)
    if isinstance(estimator, MetricMixin) and get_tags(estimator).target_tags.required:
        raise ValueError(
            f"estimator={type(estimator).__name__}() learns from labels of points, which pairs do not have; give a "
            "learner from pairs, or the transform method of an estimator that was fitted to other points."
        )
    return False


def _own_preprocessor(estimator):
    """Preprocessor of an estimator, or of one that it wraps, as a search does."""
    wrapped = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    found = (getattr(part, "preprocessor", None) for part in (estimator, *wrapped))
    return next((preprocessor for preprocessor in found if preprocessor is not None), None)


def _judge_learner(estimator, X, members, y, inside, own_threshold):
    """Evaluate a learner from pairs on one fold."""
    begin, model, pairs = time.perf_counter(), clone(estimator), members
    if "preprocessor" in model.get_params(deep=False):
        model.set_params(preprocessor=X)
    else:
        pairs = X[members]
    model.fit(pairs[~inside], y[~inside])
    fitted, decider = time.perf_counter(), getattr(model, "best_estimator_", model)

    def scored(rows):
        source = f"estimator={type(estimator).__name__}().decision_function"
        return one_each(model.decision_function(pairs[rows]), int(rows.sum()), source)

    own = own_threshold and hasattr(decider, "threshold_")
    cut = -decider.threshold_ if own else threshold(scored(~inside), y[~inside])
    return _verified(scored(inside), y[inside], cut) | times(begin, fitted)


def _judge_embedding(estimator, X, members, y, inside, metric):
    """Evaluate an embedding on one fold."""
    begin = time.perf_counter()
    points, _ = distinct(X.reshape(len(X), -1), members[~inside])
    embed = fitted_embedding(estimator, points.reshape(-1, *X.shape[1:]))
    fitted = time.perf_counter()
    z = embed(X)
    if metric == "cosine":
        z = normalize(z.astype(float))
    left, right = z[members[:, 0]], z[members[:, 1]]
    score = (left * right).sum(axis=1) if metric == "cosine" else -lengths(left - right)
    return _verified(score[inside], y[inside], threshold(score[~inside], y[~inside])) | times(begin, fitted)


def _verified(score, y, cut):
    return {
        "score": score,
        "test_accuracy": np.mean((score >= cut) == (y > 0)),
        "test_roc_auc": roc_auc_score(y, score),
        "test_equal_error_rate": equal_error_rate(y, score),
        "threshold": cut,
    }
