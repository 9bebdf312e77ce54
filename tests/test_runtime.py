"""Settings of the process while several threads compute at once."""

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.neighbors  # noqa: F401  (loads its OpenMP)
from discovery import METRICS, needs_torch, quick, training_data
from threadpoolctl import threadpool_info, threadpool_limits

from metricnets._runtime import one_blas_thread, openmp_threads

SECONDS = 60


def threads_of(user_api):
    pools = [pool for pool in threadpool_info() if pool["user_api"] == user_api]
    return {pool["num_threads"] for pool in pools if pool.get("threading_layer") != "openmp"}  # of each thread: FAISS's


@pytest.mark.parametrize(("user_api", "context"), [("blas", lambda: one_blas_thread), ("openmp", openmp_threads)])
def test_the_threads_of_two_that_overlap_are_limited_and_put_back(user_api, context):
    seen = []

    def steps():
        with context():
            seen.append(threads_of(user_api))
            yield
        seen.append(threads_of(user_api))

    with ThreadPoolExecutor(1) as a, ThreadPoolExecutor(1) as b:
        runs = []
        for pool in (a, b):
            pool.submit(threadpool_limits, 2).result(SECONDS)
            runs.append((pool, steps()))
        for _ in range(2):  # both enter, then both leave
            for pool, run in runs:
                pool.submit(next, run, None).result(SECONDS)
        after = [pool.submit(threads_of, user_api).result(SECONDS) for pool in (a, b)]
    assert seen[:2] == [{1}, {1}]
    assert after == [{2}, {2}]


def test_a_limit_of_one_library_leaves_the_other():
    with threadpool_limits(2), openmp_threads():
        assert threads_of("openmp") == {1}
        assert threads_of("blas") == {2}
        with one_blas_thread:
            assert threads_of("blas") == {1}
    with threadpool_limits(2):
        openmp = openmp_threads()
        with one_blas_thread:
            openmp.__exit__(None, None, None)
            assert threads_of("blas") == {1}


def test_a_limit_of_the_callers_in_another_thread_is_neither_heeded_nor_lost():
    with threadpool_limits(2), ThreadPoolExecutor(1) as pool:
        with one_blas_thread:
            assert threads_of("blas") == {1}

        def limited():
            with one_blas_thread:
                return threads_of("blas")

        assert pool.submit(limited).result(SECONDS) == {1}
        assert threads_of("blas") == {2}


@needs_torch
@pytest.mark.parametrize("order", [*itertools.permutations(range(3))], ids=str)
@pytest.mark.parametrize("fails", [False, True], ids=["leaves", "fails"])
def test_pytorch_has_its_threads_again_in_whatever_order_threads_leave(order, fails):
    import torch

    from metricnets.deep._training.runtime import torch_threads

    def steps():
        with torch_threads(1):
            with torch_threads(1):
                pass
            yield torch.get_num_threads()
            if fails:
                raise KeyError
        yield torch.get_num_threads()

    before = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(4)]
        pools[0].submit(torch.set_num_threads, 2).result(SECONDS)  # all others are new, and take it over
        runs = [steps() for _ in range(3)]
        assert [pools[i].submit(next, runs[i]).result(SECONDS) for i in range(3)] == [1, 1, 1]
        for i in order:
            left = pools[i].submit(next, runs[i], 0)
            assert isinstance(left.exception(SECONDS), KeyError if fails else type(None))
            assert pools[i].submit(torch.get_num_threads).result(SECONDS) == 2
            inside = [j for j in order if order.index(j) > order.index(i)]
            assert all(pools[j].submit(torch.get_num_threads).result(SECONDS) == 1 for j in inside)
        assert pools[3].submit(torch.get_num_threads).result(SECONDS) == 2  # a thread that starts afterwards
        pools[0].submit(torch.set_num_threads, before).result(SECONDS)  # of the process, for threads to come


@pytest.mark.parametrize("name", METRICS)
def test_fits_in_threads_that_live_on_leave_the_number_of_threads(name):
    both_in = threading.Barrier(2)

    def fit():
        both_in.wait(SECONDS)
        return quick(name).fit(*training_data(name)).transform(np.eye(4))

    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            first, second = [run.result(SECONDS) for run in [pool.submit(fit), pool.submit(fit)]]
            np.testing.assert_array_equal(first, second)
        assert threads_of("blas") == {2}
