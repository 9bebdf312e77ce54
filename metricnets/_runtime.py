"""What is of the whole process: threads of numerical libraries, filters of warnings, locks."""

import collections
import contextlib
import functools
import operator
import os
import threading
import warnings
import weakref

from threadpoolctl import ThreadpoolController

controller = functools.cache(ThreadpoolController)

_switching = threading.RLock()  # held while a setting of the process is made or put back
_known = weakref.WeakSet()  # what a forked process has to free from threads that it does not have


class Shared:
    """Context that many threads may be in at once: the first in enters ``context()``, the last out leaves it.

    It is for settings of the whole process: where each thread put back what it found, the last
    one would put back what another had set.  A forked process has only the thread that forked, so
    there the others have left.
    """

    def __init__(self, context, each=None):
        self.context, self.each, self.inside = context, each, collections.Counter()
        _known.add(self)

    def __enter__(self):
        with _switching:
            if not self.inside:
                self.stack = contextlib.ExitStack()
                self.stack.enter_context(self.context())
            self.inside[threading.get_ident()] += 1
        if self.each is not None:  # what is of each thread rather than of the process
            self.each()

    def __exit__(self, *error):
        with _switching:
            self.inside -= collections.Counter([threading.get_ident()])
            if not self.inside:
                self.stack.close()

    def without_other_threads(self):
        others = [thread for thread in self.inside if thread != threading.get_ident()]
        for thread in others:
            del self.inside[thread]
        if others and not self.inside:
            self.stack.close()


class Lock:
    """Re-entrant lock, ``with lock:``, that is free in a forked process unless the thread that forked holds it."""

    def __init__(self):
        self.lock = threading.RLock()
        _known.add(self)

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, *error):
        self.lock.release()

    def without_other_threads(self):
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


def one_thread(user_api="blas"):
    """Context in which NumPy and SciPy, or scikit-learn with 'openmp', compute in one thread.

    The number of threads changes the last bits of a product, and which of two neighbours at the
    same distance is found; so that the same seed gives the same bits, alone and in a search with
    ``n_jobs``, where a process has one thread, it is always one.
    """
    if user_api == "openmp":  # whose number of threads is of each thread
        return controller().select(user_api="openmp").limit(limits=1)
    return _one_blas_thread


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
    """Set the number of threads, also from another thread than the one that set it before.

    threadpoolctl 3.8 and newer otherwise ignore that, without a word, as long as the other one lives.
    """
    release = getattr(pool, "clear_controlling_thread", lambda force: None)
    release(force=True)
    pool.set_num_threads(number)
    release(force=True)


_one_blas_thread = Shared(_blas_limited_to_one)


@functools.cache
def quiet(category):
    """Context in which warnings of this category are not shown."""

    @contextlib.contextmanager
    def ignoring():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category)
            yield

    return Shared(ignoring)
