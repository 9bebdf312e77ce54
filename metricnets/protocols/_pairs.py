"""Verification of pairs, over given folds."""

import time

import numpy as np
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed

from metricnets._arrays import count_rows, lengths, one_each
from metricnets._params import check_instance
from metricnets._tuples import check_pair_labels, distinct, points_and_members
from metricnets.base import MetricMixin
from metricnets.calibration import threshold
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._verification import equal_error_rate
from metricnets.protocols._common import check_embeds, column, fitted_embedding, table, times


def cross_validate_pairs(
    estimator, pairs, y, fold, *, preprocessor=None, metric="euclidean", own_threshold=True, n_jobs=None, verbose=0
):
    """K-fold verification of pairs over given folds, as for Labeled Faces in the Wild and KinFaceW.

    For each fold the estimator is fitted to the pairs of the other folds, image-restricted: it gets
    nothing but these pairs, and the threshold is chosen on them too.

    Parameters
    ----------
    estimator : estimator, callable or None
        A learner of pairs, with ``fit(pairs, y)`` and ``decision_function``.  Or what embeds points,
        as a baseline: an estimator with ``transform``, fitted to the points of the pairs of the other
        folds, each once, without labels; a function of points; None, for the points as they are.
    pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
    y : array-like of shape (n_pairs,)
        +1 for similar, −1 or 0 for dissimilar.
    fold : array-like of shape (n_pairs,)
        The fold of each pair; at least two.
    preprocessor : array-like, callable or None, default=None
        What indicators are looked up in, by a learner of pairs too; None takes the one that the estimator has,
        or what it wraps.
    metric : {'euclidean', 'cosine'}, default='euclidean'
        Score of embedded pairs: the negative distance, or the cosine.  Learners of pairs have their own.
    own_threshold : bool, default=True
        Whether a learner of pairs decides with its ``threshold_``, which may come from pairs that it
        held back.  Otherwise, and for baselines, the threshold is that of the best accuracy on
        the pairs of the other folds.
    n_jobs : int or None, default=None
        Processes, as everywhere in scikit-learn.
    verbose : int, default=0
        Whether joblib says how far it is.

    Returns
    -------
    results : dict of ndarray
        ``score``, of shape (n_pairs,): how similar each pair is to the learner of its fold, for other scores such
        as :func:`~metricnets.metrics.tar_at_far` fold by fold.  Of shape (n_folds,): ``test_accuracy``,
        ``test_roc_auc``, ``test_equal_error_rate``; ``threshold``, the least score that counts as similar;
        ``fit_time`` and ``score_time`` in seconds; ``fold``.

    Raises
    ------
    ValueError
        If the shapes do not fit, y has other values, there is one fold only, or the estimator needs labels
        of points.

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
        raise ValueError(f"fold is {folds[0]} throughout; two folds are needed, one to train on and one to test on.")
    for value in folds:
        if len(np.unique(y[fold == value])) < 2:
            raise ValueError(f"fold {value} has one kind of pair only; each needs similar and dissimilar ones.")
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
    """Whether it learns from pairs; ValueError if it can neither do that nor embed points without labels."""
    check_instance(estimator, "estimator")
    if hasattr(estimator, "decision_function"):
        return True
    check_embeds(estimator)
    if isinstance(estimator, MetricMixin) and get_tags(estimator).target_tags.required:
        raise ValueError(
            f"estimator={type(estimator).__name__}() learns from labels of points, and pairs have none; give a "
            "learner of pairs, or the transform of what was fitted to other points."
        )
    return False


def _own_preprocessor(estimator):
    """The preprocessor of an estimator, or of one that it wraps, such as that of a search."""
    wrapped = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    found = (getattr(part, "preprocessor", None) for part in (estimator, *wrapped))
    return next((preprocessor for preprocessor in found if preprocessor is not None), None)


def _judge_learner(estimator, X, members, y, inside, own_threshold):
    """One fold of a learner of pairs."""
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
    """One fold of what embeds points."""
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
