"""Transfer from a labelled domain to one without labels."""

import time
from itertools import permutations

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from metricnets._params import check_instance
from metricnets.protocols._common import checked, fitted_embedding, list_of_pairs, rows_of, table, times


def transfer(estimator, X, y, domain, *, predictor=None, tasks=None, n_jobs=None, verbose=0):
    """Transfer from a labelled source domain to a target domain whose labels nobody sees.

    For each task a metric is learned, a predictor trained on the embedded source, and its accuracy
    found on all rows of the target.  A metric that adapts, whose ``fit`` asks for ``sample_domain``,
    gets the target rows too, with −1 for their label; any other is fitted to the source alone.

    Parameters
    ----------
    estimator : estimator, callable or None
        With ``fit(X, y)`` and ``transform``; or a function of points; None, for the points as they are.
    X : array-like of shape (n, ...), frame or sparse matrix
    y : array-like of shape (n,)
        Classes of the rows of all domains, with which the target is judged: −1 is a class like others.
    domain : array-like of shape (n,)
    predictor : classifier or None, default=None
        None takes 1-nearest-neighbour.  Its share of right predictions is the accuracy, whatever its ``score``.
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
    X, y, domain = checked(estimator, X, y=y, domain=domain)
    check_instance(predictor, "predictor")
    if predictor is not None and not hasattr(predictor, "predict"):
        raise ValueError(f"predictor={predictor!r} should be a classifier, or None for 1-nearest-neighbour.")
    if hasattr(predictor, "__sklearn_tags__") and is_regressor(predictor):
        raise ValueError(f"predictor={predictor!r} is a regressor; classes are to be predicted.")
    known = np.unique(domain).tolist()
    if len(known) < 2:
        raise ValueError(f"domain is {known[0]!r} throughout; two domains are needed, or more.")
    tasks = list(permutations(known, 2)) if tasks is None else list_of_pairs(tasks, "tasks", "(source, target)")
    for source, target in tasks:
        if source == target or source not in known or target not in known:
            raise ValueError(f"tasks has {(source, target)!r}, which should be two of the domains {known}.")
    codes = np.unique(y, return_inverse=True)[1]
    predictor = KNeighborsClassifier(n_neighbors=1) if predictor is None else predictor
    jobs = (delayed(_judge_task)(estimator, predictor, X, codes, domain == s, domain == t) for s, t in tasks)
    sources, targets = np.array(tasks).T
    return {"source": sources, "target": targets} | table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def _judge_task(estimator, predictor, X, codes, source, target):
    begin = time.perf_counter()
    if _adapts(estimator):
        rows = source | target
        masked = np.where(target, -1, codes)[rows]
        sample_domain = np.where(target, -1, 1)[rows]
        embed = fitted_embedding(estimator, rows_of(X, rows), masked, sparse=True, sample_domain=sample_domain)
    else:
        embed = fitted_embedding(estimator, rows_of(X, source), codes[source], sparse=True)
    fitted = time.perf_counter()
    model = clone(predictor).fit(embed(rows_of(X, source)), codes[source])
    accuracy = accuracy_score(codes[target], model.predict(embed(rows_of(X, target))))
    return {"test_accuracy": accuracy} | times(begin, fitted)


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
