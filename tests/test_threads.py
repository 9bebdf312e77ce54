"""Many threads use and fit estimators at once: the same bits as in one thread, and nothing is left behind."""

import itertools
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from discovery import ESTIMATORS, TUPLE_LEARNERS, fitted, quick, training_data
from scipy.sparse import issparse

N_THREADS = 8
METHODS = ["transform", "predict", "decision_function", "predict_proba", "pair_distance", "pair_score"]
FITS = ["LDA", "NCA", "ITML", "LSML", "DDML", "DDMLPairs", "DTML", "EmbeddingNet", "MMDML", "MultiViewNet"]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def eager_threads():
    """Threads take turns fifty times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def argument(name, method):
    """What a method of an estimator takes."""
    X = training_data(name)[0]
    if name in TUPLE_LEARNERS and method in ("transform", "pair_distance", "pair_score"):
        X = X[:, 0]
    return np.stack([X[:-1], X[1:]], axis=1) if method.startswith("pair_") else X


def calls():
    """Calls of all estimators, with batches and single rows in both precisions: a name and a function each."""
    for name in ESTIMATORS:
        for method in METHODS:
            if hasattr(fitted(name), method) and name != "SourceOnly":  # has the methods of what it is given
                X = argument(name, method)
                for points in (X, X[:1], X.astype(np.float32)):
                    yield (
                        f"{name}.{method}, {points.shape}, {points.dtype}",
                        lambda n=name, m=method, p=points: getattr(fitted(n), m)(p),
                    )
        if hasattr(fitted(name), "get_metric"):
            u, v = argument(name, "pair_distance")[0]
            yield f"{name}.get_metric()", lambda n=name, u=u, v=v: fitted(n).get_metric()(u, v)


def arrays(result):
    """What was returned as a list of arrays."""
    if isinstance(result, list):
        return result
    return [result.toarray() if issparse(result) else np.asarray(result)]


def differing(work, n_calls):
    """Names of calls that were not, in one of many threads, as they are alone."""
    alone = {name: arrays(call()) for name, call in work.items()}

    def run(seed):
        rng, wrong = random.Random(seed), []
        for name in rng.choices([*work], k=n_calls):
            found = arrays(work[name]())
            equal = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(found, alone[name], strict=True))
            wrong += [] if equal else [name]
        return wrong

    with ThreadPoolExecutor(N_THREADS) as pool:
        return [*itertools.chain.from_iterable(pool.map(run, range(N_THREADS)))]


@pytest.mark.usefixtures("eager_threads")
def test_calls_of_all_estimators_in_many_threads():
    assert differing(dict(calls()), 150) == []


@pytest.mark.usefixtures("eager_threads")
def test_fits_of_several_seeds_and_calls_in_many_threads():
    names = [name for name in FITS if name in ESTIMATORS]

    def fit(name, seed):
        params = {"random_state": seed} if "random_state" in ESTIMATORS[name]._get_param_names() else {}
        params |= {"dropout": 0.1} if "dropout" in ESTIMATORS[name]._get_param_names() else {}
        return quick(name, **params).fit(*training_data(name)).transform(argument(name, "transform"))

    work = {f"{name}, seed {s}": lambda n=name, s=s: fit(n, s) for name in names for s in (0, 1)}
    assert differing(work | dict(list(calls())[::20]), 8) == []
