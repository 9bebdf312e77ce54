"""What compiled code of scikit-learn would believe is checked; search trees and scorers are made again."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from metricnets.base import MetricMixin
from metricnets.persistence._names import name_of
from metricnets.persistence._tree import Reader

# By name, so that what is not in use is not imported
CLASSIFIER, K_MEANS = "sklearn.neighbors.KNeighborsClassifier", "sklearn.cluster.KMeans"
NEIGHBORS = {
    CLASSIFIER,
    "sklearn.neighbors.KNeighborsRegressor",
    "sklearn.neighbors.KNeighborsTransformer",
    "sklearn.neighbors.NearestNeighbors",
}
SEARCHES = {
    f"sklearn.model_selection.{name}SearchCV" for name in ("Grid", "Randomized", "HalvingGrid", "HalvingRandom")
}
THREADS = 4096  # more than any machine has: the program would end if there were far more
WORKERS = {"n_jobs": range(-THREADS, THREADS + 1), "_n_threads": range(1, THREADS + 1)}
NAMES = 100  # scorers of a search, at most
REQUESTS = "_metadata_request"
TREES = {"kd_tree": "KDTree", "ball_tree": "BallTree"}


def state_to_save(estimator: BaseEstimator, state: dict[str, Any], where: str) -> dict[str, Any]:
    """The state of an estimator without search trees, which take more room than the points, and without scorers."""
    check_files(estimator, where)
    changed, name = {}, name_of(type(estimator))
    if name in SEARCHES and "scorer_" in state:
        if not _has_names(estimator.scoring):
            raise TypeError(
                f"{where} cannot be saved with scoring={estimator.scoring!r:.80}; give the name of a scorer, or save "
                "best_estimator_ alone."
            )
        changed["scorer_"] = None
    if name in NEIGHBORS and state.get("_tree") is not None:
        changed |= _without_tree(state)
    if _belongs(state.get(REQUESTS), estimator):
        changed[REQUESTS] = _owned(state[REQUESTS], None)
    return state | changed


def _has_names(scoring):
    """Whether ``scoring`` of a search is None, the name of a scorer, or a list of names."""
    names = scoring if type(scoring) in (list, tuple) else [scoring or ""]
    return len(names) <= NAMES and all(type(name) is str for name in names)


def _scorer_of(search):
    """The scorer of a search, or those by name; ValueError if they are not named."""
    if not _has_names(search.scoring):
        raise ValueError("the scorer of a search has no name.")
    scorer = importlib.import_module("sklearn.metrics").check_scoring
    if type(search.scoring) in (list, tuple):
        return {name: scorer(search.estimator, name) for name in search.scoring}
    return scorer(search.estimator, search.scoring)


def _without_tree(state):
    """What takes the place of a search tree: its leaf size, as the parameter may have changed since.

    To build the tree again with a function as metric, this would have to be called: all points are searched instead.
    """
    if callable(state["effective_metric_"]):
        return {"_tree": None, "_fit_method": "brute"}
    return {"_tree": state["_tree"].__getstate__()[4]}


def _belongs(requests, owner):
    """Whether requests of metadata have this estimator, or its name in older versions, as their owner."""
    return requests is not None and requests.owner is owner


def _owned(requests, owner):
    """A copy of requests of metadata, of all methods, with another owner."""
    requests = copy.copy(requests)
    requests.owner = owner
    for method, request in vars(requests).items():
        if hasattr(request, "owner"):
            vars(requests)[method] = request = copy.copy(request)
            request.owner = owner
    return requests


def restored(estimator: BaseEstimator, reader: Reader) -> BaseEstimator:
    """Check an estimator that was read, and make its search tree and scorer; ValueError if its parts do not fit."""
    check_files(estimator, type(estimator).__name__)
    for name, numbers in WORKERS.items():
        number = vars(estimator).get(name)
        if type(number) not in (str, type(None)) and _integer(number) not in numbers:
            raise ValueError(f"it has {name}={number!r:.80}, and a machine has {THREADS} threads at most.")
    if _belongs(vars(estimator).get(REQUESTS), None):
        vars(estimator)[REQUESTS] = _owned(vars(estimator)[REQUESTS], estimator)
    name = name_of(type(estimator))
    if name in SEARCHES and "scorer_" in vars(estimator):
        estimator.scorer_ = _scorer_of(estimator)
    if name in NEIGHBORS and hasattr(estimator, "_fit_X"):
        reader.use(estimator._fit_X, getattr(estimator, "_y", None))
        _check_neighbors(estimator)
        if estimator._tree is not None:
            estimator._tree = _tree_of(estimator)
    points = "cluster_centers_" if name == K_MEANS else "components_" if isinstance(estimator, MetricMixin) else None
    if points in vars(estimator):
        _check_points(vars(estimator)[points], estimator.n_features_in_)
    return estimator


def _tree_of(estimator):
    """The search tree of neighbours; ValueError if a function would be called to build it."""
    metric, params = estimator.effective_metric_, dict(estimator.effective_metric_params_)
    if type(metric) is not str or metric == "pyfunc":
        raise ValueError("it has a search tree whose metric is a function.")
    kind = getattr(importlib.import_module("sklearn.neighbors"), TREES[estimator._fit_method])
    return kind(estimator._fit_X, estimator._tree, metric=metric, **params)


def check_files(estimator: BaseEstimator, where: str) -> None:
    """Raise ValueError if an estimator would read files: results that are kept in a folder, or texts by their names."""
    if not type(estimator).__module__.startswith("sklearn."):
        return
    memory, texts = (vars(estimator).get(name) for name in ("memory", "input"))
    if memory is not None:
        raise ValueError(f"{where} has memory={memory!r:.80}, a folder of pickles; set it to None.")
    if texts not in (None, "content"):
        raise ValueError(f"{where} has input={texts!r:.80}, by which it reads files; set it to 'content'.")


def _check_neighbors(estimator):
    """Raise ValueError unless the points, and the classes, are those that a search may find."""
    X = estimator._fit_X
    _check_points(X, estimator.n_features_in_)
    if _integer(estimator.n_samples_fit_) != X.shape[0]:
        raise ValueError(f"it has {X.shape[0]} samples to search, and {estimator.n_samples_fit_} were fitted.")
    if name_of(type(estimator)) == CLASSIFIER:
        outputs = estimator.classes_ if estimator.outputs_2d_ else [estimator.classes_]
        codes = estimator._y
        if type(codes) is not np.ndarray:
            raise ValueError("the classes of neighbours are no array.")
        codes = codes.reshape(X.shape[0], len(outputs))
        if codes.dtype.kind != "i" or codes.min() < 0 or (codes.max(axis=0) >= [len(one) for one in outputs]).any():
            raise ValueError("the classes of neighbours are not among classes_.")


def _check_points(X, n_features):
    """Raise ValueError unless these are numbers, (n, n_features)."""
    is_matrix = issparse(X) or (isinstance(X, np.ndarray) and X.flags.forc)
    if not is_matrix or X.dtype.kind not in "biuf" or X.ndim != 2 or X.shape[1] != _integer(n_features):
        raise ValueError(f"it has points that are no array of shape (n, {n_features}).")


def _integer(number):
    """A number that is an integer; ValueError for others, whose comparison might call something."""
    if not isinstance(number, int | np.integer):
        raise ValueError(f"it has a {type(number).__name__} instead of an int.")
    return number
