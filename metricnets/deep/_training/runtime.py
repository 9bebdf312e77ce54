"""PyTorch's settings of the thread and of the process while a network is trained or used."""

import contextlib
from functools import partial

import torch

from metricnets._runtime import Lock, Shared

_one_at_a_time = Lock()  # PyTorch has one global generator for all threads


@contextlib.contextmanager
def _one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


one_torch_thread = Shared(_one_torch_thread, each=partial(torch.set_num_threads, 1))
"""Context in which PyTorch computes in one thread.

Small networks are slower in two threads than in one, and the number of threads changes the last
bits of the result.
"""


@contextlib.contextmanager
def _single_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


single_precision = Shared(_single_precision)
"""Context in which new tensors of floats are of single precision, in all threads."""


def threads_for(X):
    """Context of one thread for tables; networks of images and other large points take as many as PyTorch does."""
    return one_torch_thread if X.ndim == 2 else contextlib.nullcontext()


def _autocasts(kind):
    """Whether the caller has set automatic mixed precision; PyTorch before 2.4 does not say of each device."""
    return torch.__version__ < (2, 4) or torch.is_autocast_enabled(kind)


@contextlib.contextmanager
def defaults(device="cpu", gradients=True):
    """Context of PyTorch's own modes, whatever the caller has set: full precision, gradients or none, the CPU."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(not gradients))
        stack.enter_context(torch.set_grad_enabled(gradients))
        for kind in {"cpu", torch.device(device).type}:
            if _autocasts(kind):  # else a module's own autocast would be an inner one, which never renews its casts
                stack.enter_context(torch.autocast(kind, enabled=False, cache_enabled=False))
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def randomness(seed, device, globally):
    """Context that gives the generator to draw from, seeded.

    It is one of our own, unless something draws ``globally``, from the generators of PyTorch, as dropout and other
    people's modules do.  Then these are seeded, and floats are of single precision, until all is as it was; one
    thread at a time.
    """
    if not globally:
        yield torch.Generator().manual_seed(seed)
        return
    device = torch.device(device)
    with _one_at_a_time, single_precision, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all devices there are


@contextlib.contextmanager
def drawing_globally(generator):
    """Context in which PyTorch's global generator goes on where ours is, which then goes on where that was."""
    with randomness(0, "cpu", globally=True) as everybodys:
        everybodys.set_state(generator.get_state())
        yield
        generator.set_state(everybodys.get_state())
