"""Protocols of evaluation, for your own data: who is trained on what, and who is judged on what.

Each takes estimators as they are before ``fit``, clones them, and returns a dictionary of arrays,
one entry for each fold, split or task, as ``cross_validate`` of scikit-learn does.  Nothing of a
test part is seen by what is fitted or chosen: neither metric, nor threshold, nor scaler, with the
one exception that is asked for by ``scaling="each"``.
"""

import time
from itertools import permutations

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler, normalize
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_X_y, column_or_1d, has_fit_parameter

from metricnets.calibration import threshold
from metricnets.metrics._multilabel import multilabel_scores
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._retrieval import check_k, retrieval_scores
from metricnets.metrics._scorers import probabilities
from metricnets.metrics._verification import equal_error_rate
from metricnets.tuples import FLOATS, check_pair_labels, points_and_members

__all__ = ["cross_validate_pairs", "gallery_probe", "multilabel_split", "transfer"]


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
        folds without labels; a function of points; None, for the points as they are.
    pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
    y : array-like of shape (n_pairs,)
        +1 for similar, −1 for dissimilar.
    fold : array-like of shape (n_pairs,)
        The fold of each pair; at least two.
    preprocessor : array-like, callable or None, default=None
        What indicators are looked up in; a learner of pairs that has such a parameter gets it.
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
    results : dict of ndarray of shape (n_folds,)
        ``test_accuracy``, ``test_roc_auc``, ``test_equal_error_rate``; ``threshold``, the least score
        that counts as similar; ``fit_time`` and ``score_time`` in seconds; ``fold``.

    Raises
    ------
    ValueError
        If the shapes do not fit, y has other values, or there is one fold only.

    Examples
    --------
    >>> from metricnets.protocols import cross_validate_pairs
    >>> X, pairs = [[0.0], [0.1], [5.0], [5.2]], [[0, 1], [0, 2], [2, 3], [1, 3]]
    >>> cross_validate_pairs(None, pairs, [1, -1, 1, -1], [0, 0, 1, 1], preprocessor=X)["test_accuracy"]
    array([1. , 0.5])
    """
    check_metric(metric)
    y, fold = check_pair_labels(y, len(pairs)), column_or_1d(fold)
    check_consistent_length(y, fold)
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError(f"fold is {folds[0]} throughout; two folds are needed, one to train on and one to test on.")
    source = getattr(estimator, "preprocessor", None) if preprocessor is None else preprocessor
    X, members = points_and_members(pairs, 2, source)
    if hasattr(estimator, "decision_function"):
        judge, option = _judge_learner, own_threshold
    else:
        judge, option = _judge_embedding, metric
    jobs = (delayed(judge)(estimator, X, members, y, fold == value, option) for value in folds)
    return {"fold": folds} | _table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def gallery_probe(estimator, X, y, is_probe, splits, *, k=(1, 5, 10, 20), metric="euclidean", n_jobs=None, verbose=0):
    """Retrieval of persons who were not trained on, over given splits, as for VIPeR.

    For each split the estimator is fitted to all rows of the persons in its training part; then each
    probe of a person in the test part looks for that person in the gallery of the test part.

    Parameters
    ----------
    estimator : estimator, callable or None
        With ``fit(X, y)`` and ``transform``; or a function of points; None, for the points as they are.
    X : array-like of shape (n, ...)
    y : array-like of shape (n,)
        The person, or class, of each row.
    is_probe : array-like of bool of shape (n,)
        Whether a row is a probe, from the one camera, or of the gallery, from the other.
    splits : iterable of (training persons, test persons)
        Values of y; no person is in both parts of a split.
    k : int or array-like of int, default=(1, 5, 10, 20)
        The ranks at which the recognition rate is wanted.
    metric : {'euclidean', 'cosine'}, default='euclidean'
    n_jobs : int or None, default=None
    verbose : int, default=0

    Returns
    -------
    results : dict of ndarray
        ``test_cmc``, rates of shape (n_splits, n_k); ``test_mean_average_precision``, ``fit_time`` and
        ``score_time`` of shape (n_splits,).

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts of a split overlap, or a part has no rows.

    Examples
    --------
    >>> from metricnets.protocols import gallery_probe
    >>> X, y, is_probe = [[0.0], [1.0], [0.1], [2.0]], [5, 6, 5, 6], [True, True, False, False]
    >>> gallery_probe(None, X, y, is_probe, [([], [5, 6])], k=[1, 2])["test_cmc"]
    array([[0.5, 1. ]])
    """
    check_metric(metric)
    k, y = check_k(k), column_or_1d(y)
    X = check_array(X, dtype=FLOATS, allow_nd=True, input_name="X")
    is_probe = np.asarray(is_probe, dtype=bool)
    check_consistent_length(X, y, is_probe)
    parts = [[np.isin(y, persons) for persons in split] for split in splits]
    if not parts:
        raise ValueError("splits has none; give pairs of training persons and test persons.")
    for i, (train, test) in enumerate(parts):
        if (train & test).any():
            raise ValueError(f"splits[{i}] has persons in both parts, such as {y[train & test][0]}.")
        if not ((test & is_probe).any() and (test & ~is_probe).any()):
            raise ValueError(
                f"splits[{i}] has no probe or no gallery: is_probe should be true for one and false for the other."
            )
    jobs = (delayed(_judge_split)(estimator, X, y, is_probe, *part, k, metric) for part in parts)
    return _table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def transfer(estimator, X, y, domain, *, predictor=None, tasks=None, n_jobs=None, verbose=0):
    """Transfer from a labelled source domain to a target domain whose labels nobody sees.

    For each task a metric is learned, a predictor trained on the embedded source, and its accuracy
    found on all rows of the target.  A metric that adapts, whose ``fit`` asks for ``sample_domain``,
    gets the target rows too, with −1 for their label; any other is fitted to the source alone.

    Parameters
    ----------
    estimator : estimator, callable or None
        With ``fit(X, y)`` and ``transform``; or a function of points; None, for the points as they are.
    X : array-like of shape (n, ...)
    y : array-like of shape (n,)
        Classes of the rows of all domains.
    domain : array-like of shape (n,)
    predictor : classifier or None, default=None
        None takes 1-nearest-neighbour.
    tasks : iterable of (source, target) or None, default=None
        Values of ``domain``; None takes every domain to every other.
    n_jobs : int or None, default=None
    verbose : int, default=0

    Returns
    -------
    results : dict of ndarray of shape (n_tasks,)
        ``source``, ``target``, ``test_accuracy``, ``fit_time`` and ``score_time``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a task is not of two domains that are there.

    Examples
    --------
    >>> from metricnets.protocols import transfer
    >>> X, y = [[0.0], [1.0], [0.4], [0.6]], ["a", "b", "a", "b"]
    >>> transfer(None, X, y, ["web", "web", "dslr", "dslr"], tasks=[("web", "dslr")])["test_accuracy"]
    array([1.])
    """
    y, domain = column_or_1d(y), column_or_1d(domain)
    X = check_array(X, dtype=FLOATS, allow_nd=True, input_name="X")
    check_consistent_length(X, y, domain)
    known = np.unique(domain).tolist()
    tasks = list(permutations(known, 2) if tasks is None else tasks)
    if not tasks:
        raise ValueError(f"tasks has none; give pairs of two of the domains {known}.")
    for source, target in tasks:
        if source == target or source not in known or target not in known:
            raise ValueError(f"tasks has {(source, target)!r}, which should be two of the domains {known}.")
    codes = np.unique(y, return_inverse=True)[1]
    predictor = KNeighborsClassifier(n_neighbors=1) if predictor is None else predictor
    jobs = (delayed(_judge_task)(estimator, predictor, X, codes, domain == s, domain == t) for s, t in tasks)
    sources, targets = np.array(tasks).T
    return {"source": sources, "target": targets} | _table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def multilabel_split(estimator, X, Y, train, test, *, scaling=None):
    """Label sets over a published split: fit to the training rows, all five scores on the test rows.

    Parameters
    ----------
    estimator : estimator
        With ``fit(X, Y)`` and ``predict_proba``.
    X : array-like of shape (n, n_features)
    Y : array-like of shape (n, n_labels)
        0 and 1.
    train, test : array-like of int
        The rows of the two parts, without one in common.
    scaling : {None, 'train', 'each'}, default=None
        Whether columns are scaled to [0, 1]: by least and greatest value of the training rows; or each
        part by its own.  The latter is how tables of papers were made; it looks at the test part,
        and serves to compare with them and for nothing else.

    Returns
    -------
    scores : dict of float
        Those of :func:`metricnets.metrics.multilabel_scores`, and ``fit_time`` in seconds.

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts overlap, or ``scaling`` is unknown.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from metricnets.protocols import multilabel_split
    >>> X, Y = [[0.0], [1.0], [0.1], [0.7]], [[0, 1], [1, 0], [0, 1], [1, 0]]
    >>> multilabel_split(KNeighborsClassifier(1), X, Y, [0, 1], [2, 3])["one_error"]
    0.0
    """
    if scaling not in (None, "train", "each"):
        raise ValueError(f"scaling={scaling!r} is unknown; use None, 'train' or 'each'.")
    X, Y = check_X_y(X, Y, dtype=FLOATS, multi_output=True)
    train, test = np.asarray(train), np.asarray(test)
    if np.intersect1d(train, test).size:
        raise ValueError(f"train and test both have row {np.intersect1d(train, test)[0]}.")
    seen, unseen = X[train], X[test]
    if scaling is not None:
        scaler = MinMaxScaler().fit(seen)
        unseen = scaler.transform(unseen) if scaling == "train" else MinMaxScaler().fit_transform(unseen)
        seen = scaler.transform(seen)
    begin = time.perf_counter()
    model = clone(estimator).fit(seen, Y[train])
    fit_time = time.perf_counter() - begin
    return multilabel_scores(Y[test], probabilities(model, unseen)) | {"fit_time": fit_time}


def _judge_learner(estimator, X, members, y, inside, own_threshold):
    """One fold of a learner of pairs."""
    begin, model, pairs = time.perf_counter(), clone(estimator), members
    if "preprocessor" in model.get_params(deep=False):
        model.set_params(preprocessor=X)
    else:
        pairs = X[members]
    model.fit(pairs[~inside], y[~inside])
    fitted, decider = time.perf_counter(), getattr(model, "best_estimator_", model)
    if own_threshold and hasattr(decider, "threshold_"):
        cut = -decider.threshold_
    else:
        cut = threshold(model.decision_function(pairs[~inside]), y[~inside])
    return _verified(model.decision_function(pairs[inside]), y[inside], cut) | _times(begin, fitted)


def _judge_embedding(estimator, X, members, y, inside, metric):
    """One fold of what embeds points."""
    begin = time.perf_counter()
    embed = _fitted(estimator, X[np.unique(members[~inside])])
    fitted = time.perf_counter()
    z = np.asarray(embed(X)).reshape(len(X), -1)
    if metric == "cosine":
        z = normalize(z)
    left, right = z[members[:, 0]], z[members[:, 1]]
    score = (left * right).sum(axis=1) if metric == "cosine" else -np.linalg.norm(left - right, axis=1)
    return _verified(score[inside], y[inside], threshold(score[~inside], y[~inside])) | _times(begin, fitted)


def _verified(score, y, cut):
    return {
        "test_accuracy": np.mean((score >= cut) == (y > 0)),
        "test_roc_auc": roc_auc_score(y, score),
        "test_equal_error_rate": equal_error_rate(y, score),
        "threshold": cut,
    }


def _judge_split(estimator, X, y, is_probe, train, test, k, metric):
    begin = time.perf_counter()
    embed = _fitted(estimator, X[train], y[train])
    fitted = time.perf_counter()
    probe, gallery = test & is_probe, test & ~is_probe
    scores = retrieval_scores(embed(X[probe]), y[probe], embed(X[gallery]), y[gallery], k=k, metric=metric)
    names = ("cmc", "mean_average_precision")
    return {f"test_{name}": scores[name] for name in names} | _times(begin, fitted)


def _judge_task(estimator, predictor, X, codes, source, target):
    begin = time.perf_counter()
    if _adapts(estimator):
        rows = source | target
        masked = np.where(target, -1, codes)[rows]
        embed = clone(estimator).fit(X[rows], masked, sample_domain=np.where(target, -1, 1)[rows]).transform
    else:
        embed = _fitted(estimator, X[source], codes[source])
    fitted = time.perf_counter()
    model = clone(predictor).fit(embed(X[source]), codes[source])
    return {"test_accuracy": model.score(embed(X[target]), codes[target])} | _times(begin, fitted)


def _adapts(estimator):
    """Whether ``fit``, or that of a step of a pipeline, asks for ``sample_domain``."""
    asks = hasattr(estimator, "get_metadata_routing") and bool(
        get_routing_for_object(estimator).consumes("fit", ["sample_domain"])
    )
    if asks and not has_fit_parameter(estimator, "sample_domain") and not get_config()["enable_metadata_routing"]:
        raise ValueError(
            f"{type(estimator).__name__} hands sample_domain to its steps only after "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    return asks


def _fitted(estimator, X, y=None):
    """Return a function from points to embeddings, fitted to the data if it learns from data."""
    if hasattr(estimator, "transform"):
        return clone(estimator).fit(X, y).transform
    if estimator is not None and not callable(estimator):
        raise ValueError(f"estimator={estimator!r} should have transform, or be a function of points, or None.")
    return estimator or np.asarray


def _times(begin, fitted):
    return {"fit_time": fitted - begin, "score_time": time.perf_counter() - fitted}


def _table(results):
    return {name: np.array([result[name] for result in results]) for name in results[0]}
