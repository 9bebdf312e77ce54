"""Cores: how many threads a computation has by its ``n_jobs`` and its size, and blocks computed in threads."""

import math
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from joblib import cpu_count
from joblib.parallel import get_active_backend


def n_threads(n_jobs: int | None, work: float = math.inf, least: float = 1.0) -> int:
    """Number of threads for some work, such as a number of multiplications, of at least ``least`` a thread.

    It depends on the size of the work and on what the user asked for, never on how fast or how busy the machine is, so
    that the same data and ``n_jobs`` give the same bits.

    Parameters
    ----------
    n_jobs : int or None
        Most threads.  None is that of ``joblib.parallel_config``, or 1 outside of it; −1 is all cores, −2 all but one.
        A task of joblib, and one of a cluster, has no more than its share, see `share`.
    work, least : float
    """
    if n_jobs == 1 or work < 2 * least:
        return 1
    backend, configured = get_active_backend()
    n = configured if n_jobs is None else n_jobs
    if n in (None, 1):
        return 1
    n = n if n > 0 else max(1, cpu_count() + 1 + n)
    return int(min(n, share(backend) or n, work / least))


def share(backend: Any) -> int | None:
    """Most threads of a task of joblib, by the backend that is active in it; None outside of tasks.

    In a process of its own it is OMP_NUM_THREADS, which joblib and Dask set for their workers so that all of them
    together have as many threads as there are cores, and 1 if it is not set.  Other tasks have one.
    """
    level = backend.nesting_level or 0
    if multiprocessing.parent_process() is None or level > 1:
        return 1 if level else None
    of_joblib = type(backend).__module__ == "joblib._parallel_backends"
    if not level and of_joblib:
        return None  # a process that is not a worker of joblib's
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else 1


def in_threads(function: Callable, blocks: Iterable, n: int) -> Iterator:
    """Iterate over ``function(block)`` for all blocks, in their order, computed in n threads, a few of them ahead.

    The results are those of one thread to the last bit, if the function changes nothing that other blocks use, and
    NumPy has one thread, as it has in a ``fit``.
    """
    if n == 1:
        yield from map(function, blocks)
        return
    with ThreadPoolExecutor(n) as pool:
        ahead = deque()
        for block in blocks:
            ahead.append(pool.submit(function, block))
            if len(ahead) > 2 * n:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
