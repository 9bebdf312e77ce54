"""The group of processes that ``torch.distributed.run`` has launched: joined, and checked to have the same problem."""

import atexit
import contextlib
import contextvars
import multiprocessing
import os
import sys
import threading
from datetime import timedelta

import torch
import torch.distributed as dist

from metricnets.deep._training.distributed import Processes

LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torch.distributed.run tells a process
TIMEOUT = timedelta(minutes=30)  # after which a process that does not answer counts as lost
PATIENCE = 30  # seconds after which a process says that it waits for others
_training = threading.Lock()  # messages of two fits at once would be mixed up
_together = contextvars.ContextVar("together", default=None)  # the processes of the fit that is under way


@contextlib.contextmanager
def processes():
    """Context of the `Processes` of the launched group, or of the fit that it is a part of; an error in one ends all.

    Raises
    ------
    ValueError
        If there is no group.
    RuntimeError
        If another fit is trained in it, or the others do not come.
    """
    if _together.get() is not None:
        yield _together.get()
        return
    _join()
    if not _training.acquire(blocking=False):
        raise RuntimeError("distributed=True trains one learner at a time in each process; fit them one by one.")
    try:
        with _waiting(_timeout()) as timeout:
            together = Processes(dist.new_group(timeout=timeout, backend=_backend()))
        token = _together.set(together)
        try:
            yield together
            together.any(False)
            dist.barrier()  # nobody leaves before the others have read all messages
        finally:
            _together.reset(token)
            dist.destroy_process_group(together.group)
            together.group = None  # connections are closed with the last reference, so that the others do not wait
    finally:
        _training.release()


@contextlib.contextmanager
def _waiting(timeout):
    """Context in which a process waits for the others of its group: say so, and what is wrong if they do not come."""
    is_joined = dist.is_initialized()
    rank = dist.get_rank() if is_joined else os.environ["RANK"]
    size = dist.get_world_size() if is_joined else os.environ["WORLD_SIZE"]
    needed = "each of them has to call the same fits with distributed=True, in the same order"
    told = f"process {rank} of {size} waits for the others to call fit, at most {timeout}; {needed}."
    timer = threading.Timer(PATIENCE, print, [told], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield timeout
    except RuntimeError as error:
        raise RuntimeError(
            f"process {rank} of {size} found no others to train with within {timeout}: {needed}. If they need longer, "
            "call torch.distributed.init_process_group(timeout=...) at the start of the script."
        ) from error
    finally:
        timer.cancel()


def _timeout():
    """The timeout of the group that was joined."""
    try:
        return dist.group.WORLD._get_backend(torch.device("cpu")).options._timeout
    except (AttributeError, RuntimeError):  # it has no messages of the CPU, or an older PyTorch does not say it
        return TIMEOUT


def _join():
    """Join the launched group, unless it has been joined."""
    if not dist.is_available():
        raise ValueError("distributed=True needs torch.distributed, which this build of PyTorch lacks; set False.")
    if dist.is_initialized():
        return
    if not all(name in os.environ for name in LAUNCHED):
        raise ValueError(
            "distributed=True needs a group of processes; start the script by 'python -m torch.distributed.run "
            "--nproc_per_node 2 script.py', or set distributed=False."
        )
    if multiprocessing.current_process().name.startswith("Loky"):
        raise ValueError("distributed=True is not for the workers of n_jobs; set n_jobs=None in the search.")
    if _backend() != "gloo":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    with _waiting(TIMEOUT):
        dist.init_process_group(_backend(), timeout=TIMEOUT)
    atexit.register(_leave)


def _backend():
    """Gloo for the CPU, and NCCL for GPUs if there is one for each process."""
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return "cpu:gloo,cuda:nccl" if dist.is_nccl_available() and torch.cuda.device_count() >= n_here else "gloo"


def _leave():
    if dist.is_initialized():
        dist.destroy_process_group()


def agreed_seed(seed):
    """The seed of process 0."""
    with processes() as together:
        return int(together.agreed([seed])[0])


def share(processes, problem, options):
    """Let the options of a problem be those of one of the processes; ValueError if what they computed differs."""
    X = problem.rows.X
    processes.check_same(
        **{
            "number of rows to train on": len(problem.kept),
            "checksum of the rows": _checksum(X[:: -(-len(X) // 1000)]),
            "checksum of the targets": _checksum(problem.rows.targets.labels),
        }
    )
    options.processes = processes
    if processes.rank:
        options.verbose = 0


def _checksum(values):
    """A number by which other values, or the same in another order, are found."""
    values = values.double().nan_to_num().abs().flatten()
    return float(values @ torch.linspace(1, 2, len(values), dtype=torch.float64))
