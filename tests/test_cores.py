"""Threads by ``n_jobs``: how many there are, that bits do not depend on runs, and what is put back."""

import numpy as np
import pytest
from discovery import needs_torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils._param_validation import InvalidParameterError

from metricnets import LMNN, MLKNN, MLKR, NCA
from metricnets import _neighbors as neighbors
from metricnets._cores import in_threads, n_threads
from metricnets.linear._pairwise import large_margins, soft_neighbors


@pytest.fixture
def few_are_enough(monkeypatch):
    """Any work is enough for several threads."""
    for module in (neighbors, large_margins, soft_neighbors):
        monkeypatch.setattr(module, "LEAST", 1)


@pytest.fixture(scope="module")
def blobs():
    """X (900, 6) and y, three classes: blocks of several sizes, and more than one for each thread."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=900)
    return rng.normal(size=(900, 6)) + 2 * np.eye(3, 6)[y], y


def test_n_jobs_means_one_thing():
    assert n_threads(None) == n_threads(1) == 1
    assert [n_threads(n) for n in (2, 7, -1, -2, -100)] == [2, 7, cpu_count(), max(1, cpu_count() - 1), 1]
    with parallel_config(n_jobs=3):
        assert [n_threads(n) for n in (None, 1, 2)] == [3, 1, 2]


def test_the_size_of_the_work_decides():
    assert [n_threads(4, work, 10) for work in (0, 19, 20, 39, 40, 1e9)] == [1, 1, 2, 3, 4, 4]


def test_the_environment_of_a_scheduler_is_for_workers_only(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_threads(2) == 2


def asked(_):
    return [n_threads(n) for n in (None, 1, 2, 8, -1)]


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_tasks_of_joblib_share_the_cores(backend, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert Parallel(2, backend=backend)(delayed(asked)(i) for i in range(2)) == [[1] * 5] * 2


def test_a_process_of_joblib_has_its_share_and_threads_in_it_have_one():
    def own(_):  # functions of this module cannot be imported in another process
        return [n_threads(n) for n in (None, 1, 2, 8, -1)]

    def asked_and_nested(_):
        return own(None), Parallel(2, backend="threading")(delayed(own)(i) for i in range(2))

    with parallel_config("loky", inner_max_num_threads=2):
        found = Parallel(2)(delayed(asked_and_nested)(i) for i in range(2))
    assert found == [([1, 1, 2, 2, min(cpu_count(), 2)], [[1] * 5] * 2)] * 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_blocks_are_in_order_and_not_far_ahead(n):
    taken = []

    def blocks():
        for i in range(40):
            taken.append(i)
            yield i

    for i, square in enumerate(in_threads(lambda i: i * i, blocks(), n)):
        assert square == i * i
        assert len(taken) <= i + 2 * n + 1
    assert len(taken) == 40


@pytest.mark.parametrize("n", [1, 2])
def test_an_error_in_a_block_is_that_of_the_caller(n):
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda i: 1 / i, [2, 1, 0, 1], n))


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["all pairs", "near pairs"])
@pytest.mark.parametrize("learner", [LMNN(max_iter=3), NCA(max_iter=3), MLKR(max_iter=3)], ids=["LMNN", "NCA", "MLKR"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_linear_learners_have_the_same_bits_in_threads(learner, scale, weighted, blobs):
    X, y = blobs
    weights = 0.5 + y if weighted else None
    found = []
    for n_jobs in (1, 2, 3):
        learner.set_params(n_jobs=n_jobs, init=scale * np.eye(6))
        found.append(learner.fit(X, y, sample_weight=weights).components_)
    assert_array_equal(found[1], found[0])
    assert_array_equal(found[2], found[0])


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.parametrize("n_features", [3, 30], ids=["tree", "brute force"])
def test_searches_in_threads_find_the_same(n_features):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2500, n_features)), rng.integers(2, size=(2500, 3))
    one = MLKNN(metric=None).fit(X, Y)
    two = MLKNN(metric=None, n_jobs=2).fit(X, Y)
    assert_array_equal(two.posteriors_, one.posteriors_)
    for n_queries in (1, 10, 2500):
        queries = X[:n_queries] + 0.1
        assert_array_equal(two._found(queries, n_jobs=2), one._found(queries))
        assert_array_equal(two.predict_proba(queries), one.predict_proba(queries))
    assert one._found.index.n_jobs is None
    assert two._found.index.n_jobs is None


@pytest.mark.parametrize("n_jobs", [0, 1.5, "all", 10**10])
def test_n_jobs_that_are_no_number_of_threads_are_named(n_jobs, blobs):
    for estimator in (LMNN(n_jobs=n_jobs), MLKNN(n_jobs=n_jobs)):
        with pytest.raises(InvalidParameterError, match="'n_jobs' parameter"):
            estimator.fit(*blobs)


def embedded(blobs, n_jobs, **params):
    """Embeddings, losses, and the numbers of threads after batches, which are large enough for two by default."""
    import torch
    from skorch.callbacks import Callback

    from metricnets import DDML

    class Threads(Callback):
        def on_batch_end(self, net, **kwargs):
            seen.add(torch.get_num_threads())

    seen, before = set(), torch.get_num_threads()
    params = {"hidden": (256,), "init": "glorot", "batch_size": 512, "max_epochs": 1} | params
    try:
        learner = DDML(n_jobs=n_jobs, random_state=0, callbacks=[("threads", Threads())], **params).fit(*blobs)
    finally:
        assert torch.get_num_threads() == before
    return learner.set_params(n_jobs=1).transform(blobs[0]), learner.history_[0]["train_loss"], seen


@needs_torch
def test_networks_have_the_same_bits_in_each_run(blobs):
    z_one, loss_one, seen = embedded(blobs, None)
    assert seen == {1}
    z, loss, seen = embedded(blobs, 2)
    assert seen == {2}
    assert_allclose(z, z_one, atol=1e-3)
    assert_allclose(loss, loss_one, rtol=1e-5)
    with parallel_config(n_jobs=2):
        z_again, loss_again, seen = embedded(blobs, None)
    assert seen == {2}
    assert_array_equal(z_again, z)
    assert loss_again == loss


@needs_torch
@pytest.mark.parametrize("params", [{"batch_size": 64}, {"hidden": (16,)}], ids=str)
def test_small_batches_have_one_thread(blobs, params):
    assert embedded(blobs, 2, **params)[2] == {1}


@needs_torch
def test_a_fit_that_fails_leaves_the_threads(blobs):
    with pytest.raises(ValueError, match="lower lr"):
        embedded(blobs, 2, lr=1e30, normalize=False)


@needs_torch
@pytest.mark.parametrize("p", [0.0, 0.2, 0.3, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_compares_numbers_of_its_generator_with_its_rate(p, dtype):
    import torch

    from metricnets.networks import Dropout

    a, b = (torch.Generator().manual_seed(5) for _ in range(2))
    x = torch.randn(50, 31, dtype=getattr(torch, dtype), generator=torch.Generator().manual_seed(0))
    kept = torch.rand(x.shape, dtype=torch.float64, generator=b) < 1 - p
    dropout = Dropout(p, a)
    assert torch.equal(dropout(x), x * kept.to(x.dtype).div(1 - p))
    assert torch.equal(a.get_state(), b.get_state())
    assert torch.equal(dropout.eval()(x), x)
