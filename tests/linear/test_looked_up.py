"""Tuples of indices whose points are looked up in a large table: the metric of tuples of points, and no copy."""

import tracemalloc

import numpy as np
import pytest
from discovery import METRICS, TUPLE_LEARNERS, quick
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, random
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import metricnets
from metricnets.datasets import Batches

LEARNERS = [name for name in METRICS if name in metricnets.linear.__all__ and name in TUPLE_LEARNERS]
LEARNERS.remove("MultiViewOASIS")  # its points are of several views
N, D = 80_000, 6
KINDS = ["memory map", "sparse", "batches"]
RNG = np.random.default_rng(0)
ROWS = {size: RNG.integers(N, size=(60, size)) for size in (2, 3, 4)}
SIGNS = np.where(RNG.random(60) < 0.5, 1, -1)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(did not converge|degrees of freedom|Solver terminated|rank|of identical)"
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A table of each kind, which hold the same points, and these as an array."""
    path = tmp_path_factory.mktemp("tables") / "X.npy"
    sparse = random(N, D, density=0.3, format="csr", random_state=0)
    np.save(path, sparse.toarray())
    X = np.load(path, mmap_mode="r")
    return {"memory map": X, "sparse": csr_array(sparse), "batches": Batches([X[:7000], X[7000:]])}


def learner(name, **params):
    few = {"max_iter": 5} if "max_iter" in getattr(metricnets, name)._get_param_names() else {}
    return quick(name, **few, **params)


def arguments(name, X=None):
    rows = ROWS[getattr(metricnets, name)._tuple_size]
    tuples = rows if X is None else X[rows]
    return (tuples, SIGNS) if rows.shape[1] == 2 else (tuples,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LEARNERS)
def test_tuples_are_looked_up_without_a_copy_of_the_table(name, kind, tables):
    expected = learner(name).fit(*arguments(name, np.asarray(tables["memory map"])))
    looking_up = learner(name, preprocessor=tables[kind])
    tracemalloc.start()
    looking_up.fit(*arguments(name))
    score = looking_up.score(*arguments(name))
    again = clone(looking_up)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * N * D / 2
    assert_array_equal(looking_up.components_, expected.components_)
    assert score == expected.score(*arguments(name, np.asarray(tables["memory map"])))
    assert again.preprocessor is tables[kind]
    assert not hasattr(again, "components_")


def test_a_clone_differs_in_nothing_else(tables):
    with config_context(enable_metadata_routing=True):
        given = quick("ITML", preprocessor=tables["batches"], gamma=3.0).set_fit_request(sample_weight=True)
        again = clone(given)
        assert again.get_metadata_routing().fit.requests == given.get_metadata_routing().fit.requests
    assert again.get_params() == given.get_params()
    by_function = clone(quick("ITML", preprocessor=len))
    assert by_function.preprocessor is len
    points = [[0.0, 1.0], [1.0, 0.0]]
    assert clone(quick("ITML", preprocessor=points)).preprocessor == points


def test_a_search_looks_up_in_the_same_table(tables):
    table = tables["memory map"]
    search = GridSearchCV(quick("GMML", preprocessor=table), {"t": [0.2, 0.8]}, cv=2).fit(*arguments("GMML"))
    assert search.best_estimator_.preprocessor is table
