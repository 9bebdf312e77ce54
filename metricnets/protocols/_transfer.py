"""Transfer from a labelled domain to an unlabelled one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from metricnets._params import Points, check_instance
from metricnets.protocols._common import checked, fitted_embedding, list_of_pairs, rows_of, table, times


def transfer(
    estimator: BaseEstimator | Callable | None,
    X: Points,
    y: ArrayLike,
    domain: ArrayLike,
    *,
    predictor: BaseEstimator | None = None,
    tasks: Iterable[tuple[Any, Any]] | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, np.ndarray]:
    """Evaluate the transfer from a labelled source domain to an unlabelled target domain.

    For each task, the estimator is fitted, a predictor is trained on the embedded source, and its accuracy is
    computed on all samples of the target.  A domain adaptation method, whose ``fit`` takes ``sample_domain``, is
    given the target samples too, with −1 for their labels; any other estimator is fitted to the source alone.

    Parameters
    ----------
    estimator : estimator, callable or None
        An estimator with ``fit(X, y)`` and ``transform``, or a function from points to embeddings.  None means that
        the points themselves are the embeddings.
    X : array-like of shape (n_samples, ...), data frame or sparse matrix
        Samples of all domains.
    y : array-like of shape (n_samples,)
        Their classes.  Those of the target are only used to score; −1 is a class like any other.
    domain : array-like of shape (n_samples,)
        The domain of each sample; at least two distinct values.
    predictor : classifier or None, default=None
        None means a 1-nearest-neighbour classifier.  Its accuracy is computed from ``predict``, not by its ``score``.
    tasks : iterable of (source, target) or None, default=None
        Pairs of values of ``domain``; None means all ordered pairs of domains.
    n_jobs : int or None, default=None
        Number of parallel jobs, as in scikit-learn.
    verbose : int, default=0
        Verbosity of joblib.

    Returns
    -------
    results : dict of ndarray of shape (n_tasks,)
        ``source`` and ``target``, the domains; ``test_accuracy``; ``fit_time`` and ``score_time``, in seconds.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a task does not hold two values of ``domain``.

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
        raise ValueError(f"predictor={predictor!r} is a regressor; give a classifier, or None for 1-nearest-neighbour.")
    known = np.unique(domain).tolist()
    if len(known) < 2:
        raise ValueError(f"domain is {known[0]!r} throughout; at least two domains are needed.")
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
    """Whether ``fit``, or the ``fit`` of a step of a pipeline, takes ``sample_domain``."""
    asks = hasattr(estimator, "get_metadata_routing") and bool(
        get_routing_for_object(estimator).consumes("fit", ["sample_domain"])
    )
    if asks and not has_fit_parameter(estimator, "sample_domain") and not get_config()["enable_metadata_routing"]:
        raise ValueError(
            f"estimator={type(estimator).__name__}() passes sample_domain to its steps only after "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    return asks
