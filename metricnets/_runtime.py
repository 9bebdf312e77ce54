"""State of the whole process: threads of numerical libraries, warning filters, locks."""

import collections
import contextlib
import functools
import operator
import os
import threading
import warnings
import weakref
from collections.abc import Callable

from threadpoolctl import ThreadpoolController

controller = functools.cache(ThreadpoolController)

_switching = threading.RLock()  # held while a setting of the process is changed or restored
_known = weakref.WeakSet()  # objects that a forked process has to free from threads that it does not have


class Shared:
    """Context shared by threads: the first thread enters ``context()``, and the last one leaves it.

    It is for settings of the whole process: if each thread restored what it had found, the last
    one would restore what another had set.  All threads are given the value of the context.  A
    forked process has only the thread that forked, so all others count as having left.
    """

    def __init__(self, context: Callable[[], contextlib.AbstractContextManager]) -> None:
        self.context, self.inside = context, collections.Counter()
        _known.add(self)

    def __enter__(self):
        with _switching:
            if not self.inside:
                self.stack = contextlib.ExitStack()
                self.found = self.stack.enter_context(self.context())
            self.inside[threading.get_ident()] += 1
            return self.found

    def __exit__(self, *error):
        with _switching:
            self.inside -= collections.Counter([threading.get_ident()])
            if not self.inside:
                self.stack.close()

    def without_other_threads(self) -> None:
        """Forget the threads that a forked process does not have."""
        others = [thread for thread in self.inside if thread != threading.get_ident()]
        for thread in others:
            del self.inside[thread]
        if others and not self.inside:
            self.stack.close()


class Lock:
    """Re-entrant lock that is free in a forked process unless the thread that forked holds it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _known.add(self)

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, *error):
        self.lock.release()

    def without_other_threads(self) -> None:
        """Free the lock if a thread holds it that a forked process does not have."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
        else:
            self.lock = threading.RLock()


def _after_fork():
    _switching.release()
    for each in list(_known):
        each.without_other_threads()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_switching.acquire, after_in_parent=_switching.release, after_in_child=_after_fork)


def openmp_threads(n: int = 1) -> contextlib.AbstractContextManager:
    """Context in which scikit-learn computes in n threads, or in one, as NumPy and SciPy do in `one_blas_thread`.

    The number of threads changes the last bits of a product, and which of two neighbours at the
    same distance is found.  With one thread the same seed gives the same bits, alone and in a search
    with ``n_jobs``, whose processes have one thread each.
    """
    return controller().select(user_api="openmp").limit(limits=n)  # a setting of each thread


@contextlib.contextmanager
def _blas_limited_to_one():
    pools = controller().select(user_api="blas").lib_controllers
    before = list(map(operator.attrgetter("num_threads"), pools))
    try:
        for pool in pools:
            _set_threads(pool, 1)
        yield
    finally:
        for pool, number in zip(pools, before):
            _set_threads(pool, number)


def _set_threads(pool, number):
    """Set the number of threads, even if another thread has set it before.

    threadpoolctl 3.8 and newer otherwise ignore the call silently while that thread is alive.
    """
    release = getattr(pool, "clear_controlling_thread", lambda force: None)
    release(force=True)
    pool.set_num_threads(number)
    release(force=True)


one_blas_thread = Shared(_blas_limited_to_one)


@functools.cache
def quiet(category: type[Warning]) -> Shared:
    """Context in which warnings of this category are ignored."""

    @contextlib.contextmanager
    def ignoring():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category)
            yield

    return Shared(ignoring)
