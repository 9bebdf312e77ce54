"""What is of the whole process: threads of numerical libraries, filters of warnings."""

import contextlib
import functools
import threading
import warnings

from threadpoolctl import ThreadpoolController

controller = functools.cache(ThreadpoolController)


class Shared:
    """Context that many threads may be in at once: the first in enters ``context()``, the last out leaves it.

    It is for settings of the whole process: where each thread put back what it found, the last
    one would put back what another had set.
    """

    def __init__(self, context, each=None):
        self.context, self.each, self.n_inside, self.lock = context, each, 0, threading.Lock()

    def __enter__(self):
        with self.lock:
            if self.n_inside == 0:
                self.stack = contextlib.ExitStack()
                self.stack.enter_context(self.context())
            self.n_inside += 1
        if self.each is not None:  # what is of each thread rather than of the process
            self.each()

    def __exit__(self, *error):
        with self.lock:
            self.n_inside -= 1
            if self.n_inside == 0:
                self.stack.close()


@functools.cache
def one_thread(user_api="blas"):
    """Context in which NumPy and SciPy, or scikit-learn with 'openmp', compute in one thread.

    The number of threads changes the last bits of a product, and which of two neighbours at the
    same distance is found; so that the same seed gives the same bits, alone and in a search with
    ``n_jobs``, where a process has one thread, it is always one.
    """
    return Shared(lambda: controller().limit(limits=1, user_api=user_api))


@functools.cache
def quiet(category):
    """Context in which warnings of this category are not shown."""

    @contextlib.contextmanager
    def ignoring():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category)
            yield

    return Shared(ignoring)
