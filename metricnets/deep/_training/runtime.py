"""Settings of the whole process while a network is trained or used: threads and random generators."""

import contextlib
import threading

import torch

from metricnets._runtime import Shared

_one_at_a_time = threading.RLock()  # PyTorch has one generator for all threads


@contextlib.contextmanager
def _one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


one_torch_thread = Shared(_one_torch_thread, each=lambda: torch.set_num_threads(1))
"""Context in which PyTorch computes in one thread.

Small networks are slower in two threads than in one, and the number of threads changes the last
bits of the result.
"""


@contextlib.contextmanager
def quiet_randomness(seed, device):
    """Context in which the generators of PyTorch that are used are seeded; then they are as they were."""
    device = torch.device(device)
    with _one_at_a_time, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all devices there are
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
