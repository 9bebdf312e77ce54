"""A process that is forked while another thread computes: what that thread held is free in the child."""

import contextlib
import multiprocessing
import threading
import warnings

import numpy as np
import pytest
from discovery import METRICS, needs_torch, quick, training_data
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from metricnets._runtime import Lock, Shared, one_blas_thread, quiet

pytestmark = [
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),  # Python 3.12 and newer
]
SECONDS = 60


def in_child(function, *args):
    """What a function returns in a forked process; fails where it hangs or raises."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=lambda: sender.send(function(*args)))
    process.start()
    try:
        assert receiver.poll(SECONDS), "the child hangs, or failed"
        return receiver.recv()
    finally:
        process.kill()
        process.join()


@pytest.fixture
def while_another_thread_is_in():
    """A function that takes a context manager and leaves another thread in it until the test ends."""
    leave, threads = threading.Event(), []

    def enter(context):
        inside = threading.Event()

        def stay():
            with context:
                inside.set()
                leave.wait(SECONDS)

        threads.append(threading.Thread(target=stay))
        threads[-1].start()
        assert inside.wait(SECONDS)

    yield enter
    leave.set()
    for thread in threads:
        thread.join()


def fitted(name):
    """Embeddings; of networks, with dropout."""
    params = {"dropout": 0.1} if "dropout" in quick(name).get_params() else {}
    return quick(name, **params).fit(*training_data(name)).transform(np.eye(4))


@pytest.mark.parametrize("name", METRICS)
def test_a_fit_in_a_child_of_a_process_whose_other_thread_fits(name, while_another_thread_is_in):
    expected = fitted(name)
    while_another_thread_is_in(one_blas_thread)
    if "device" in quick(name).get_params():
        from metricnets.deep._training.runtime import global_randomness, torch_threads

        while_another_thread_is_in(global_randomness(0))
        while_another_thread_is_in(torch_threads(1))
    np.testing.assert_array_equal(in_child(fitted, name), expected)


@pytest.mark.parametrize("name", [name for name in METRICS if "dropout" in quick(name).get_params()])
def test_a_fork_in_the_middle_of_the_training_of_another_thread(name):
    done, expected = threading.Event(), fitted(name)

    def train():
        while not done.is_set():
            fitted(name)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(4):
            np.testing.assert_array_equal(in_child(fitted, name), expected)
    finally:
        done.set()
        thread.join()


def blas_threads():
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in pools if pool["threading_layer"] != "openmp"]  # of each thread: FAISS's


def filtered():
    return ConvergenceWarning in [category for _, _, category, *_ in warnings.filters]


def test_settings_of_other_threads_are_undone_in_the_child(while_another_thread_is_in):
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        while_another_thread_is_in(one_blas_thread)
        while_another_thread_is_in(quiet(ConvergenceWarning))
        assert set(blas_threads()) == {1}
        assert filtered()
        assert in_child(blas_threads) == before
        assert not in_child(filtered)
        assert set(blas_threads()) == {1}
        assert filtered()


def test_the_thread_that_forks_stays_inside(while_another_thread_is_in):
    events, lock = [], Lock()

    @contextlib.contextmanager
    def recorded():
        events.append("in")
        yield
        events.append("out")

    shared = Shared(recorded)

    def leave_and_enter():
        first = list(events)
        shared.__exit__()
        lock.__exit__()
        with lock, shared:
            pass
        return first, events

    while_another_thread_is_in(shared)
    with shared, lock:
        assert in_child(leave_and_enter) == (["in"], ["in", "out", "in", "out"])
        assert events == ["in"]


def test_a_lock_keeps_other_threads_out_and_is_free_in_the_child(while_another_thread_is_in):
    lock = Lock()

    def is_free():
        free = lock.lock.acquire(blocking=False)
        return free and lock.__exit__() is None

    while_another_thread_is_in(lock)
    assert not is_free()
    assert in_child(is_free)
    assert not is_free()


@needs_torch
def test_a_child_computes_with_pytorch_after_its_parent_did_in_several_threads():
    import torch

    from metricnets.deep._training.runtime import torch_threads

    table = torch.ones(2000, 200)

    def computed():
        with torch_threads(2):  # as n_jobs=2 asks for
            return (table @ table.T).sum().item(), torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected, n_threads = computed()  # starts threads that the child does not have
        assert (n_threads, torch.get_num_threads()) == (2, 2)
        assert in_child(lambda: (*computed(), torch.get_num_threads())) == (expected, 1, 1)
    finally:
        torch.set_num_threads(before)
