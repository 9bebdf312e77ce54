"""The group of processes that ``torch.distributed.run`` has launched: joined, and checked to have the same problem."""

import atexit
import contextlib
import multiprocessing
import os
import threading

import torch
import torch.distributed as dist

from metricnets.deep._training.distributed import Processes

LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torch.distributed.run tells a process
_training = threading.Lock()  # messages of two fits at once would be mixed up


@contextlib.contextmanager
def processes():
    """Context of the `Processes` of the launched group; an error in one of them ends it in all.

    Raises
    ------
    ValueError
        If there is no group.
    RuntimeError
        If another fit is trained in it.
    """
    _join()
    if not _training.acquire(blocking=False):
        raise RuntimeError("distributed=True trains one learner at a time in each process; fit them one by one.")
    try:
        together = Processes(dist.new_group(backend=_backend()))
        try:
            yield together
            dist.barrier()  # nobody leaves before the others have read all messages
        finally:
            dist.destroy_process_group(together.group)
            together.group = None  # connections are closed with the last reference, so that the others do not wait
    finally:
        _training.release()


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
    dist.init_process_group(_backend())
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
    """Let the options of a problem be those of one of the processes; ValueError if the others have another problem."""
    X = problem.rows.X
    processes.check_same(
        **{
            "number of rows": len(X),
            "size of a row": X[:1].numel(),
            "number of rows to train on": len(problem.kept),
            "checksum of the rows": _checksum(X[:: -(-len(X) // 1000)]),
            "checksum of the targets": _checksum(problem.rows.targets.labels),
            "max_epochs": options.max_epochs,
            "lr": options.lr,
            "n_networks": problem.plan.n_networks,
        }
    )
    options.processes = processes
    if processes.rank:
        options.verbose = 0


def _checksum(values):
    """A number by which other values, or the same in another order, are found."""
    values = values.double().nan_to_num().abs().flatten()
    return float(values @ torch.linspace(1, 2, len(values), dtype=torch.float64))
