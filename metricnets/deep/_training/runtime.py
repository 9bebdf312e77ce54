"""PyTorch's settings of the thread and of the process while a network is trained or used."""

import contextlib
import os
import threading

import torch

from metricnets._cores import n_threads
from metricnets._runtime import Lock, Shared

LEAST = 2**22  # multiplications of a thread in a step, below which a step in two threads takes longer than in one
ASKS_FOR_KIND = torch.__version__ >= (2, 4)  # whether autocast can be asked for a kind of device

_one_at_a_time = Lock()  # PyTorch has one global generator for all threads


@contextlib.contextmanager
def _number_of_torch_threads():
    before = torch.get_num_threads()
    try:
        yield before
    finally:
        torch.set_num_threads(before)


_before = Shared(_number_of_torch_threads)
_given = {1}  # numbers that were set in `torch_threads`

_most = None  # threads of a forked process


def _after_fork():
    """A forked process has none of the threads among which PyTorch shared products, and would wait for them for ever.

    PyTorch's data loaders have one thread for this reason.
    """
    global _most
    _most = 1
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def device_for(device):
    """The device of this name, of which 'auto' is the fastest; ValueError if it is not available."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} is not available: {error}") from None
    return str(device)


def threads_for(X, n_jobs=None, network=None, n_rows=0):
    """Context of PyTorch's threads for ``n_jobs``, as many as ``n_rows`` rows of X at a time are enough for.

    A vector takes a multiplication for each weight of the network.  Without a network there is one thread.  What points
    of other shapes take, such as images, is not known: they always have ``n_jobs`` threads, and if it is None, those
    that PyTorch has.
    """
    if n_jobs is None and X.ndim != 2:
        return contextlib.nullcontext()
    n = 1 if network is None else n_threads(n_jobs)
    if n > 1 and X.ndim == 2:
        n_weights = sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers()))
        n = n_threads(n, min(n_rows, len(X)) * n_weights, LEAST)
    return torch_threads(n)


@contextlib.contextmanager
def torch_threads(n):
    """Context in which PyTorch uses n threads, or one in a forked process.

    Small networks are slower in two threads than in one, and the number of threads changes the last
    bits of the result.  The number is a setting of each thread, which a new one takes over from the process: it is
    one of `_given` if another thread is in this context, and then the number that was found by the first one is
    restored.
    """
    n = _most or n
    own, is_within = torch.get_num_threads(), threading.get_ident() in _before.inside
    _given.add(n)
    try:
        with _before as before:
            own = own if own not in _given or is_within else before
            torch.set_num_threads(n)
            yield
    finally:
        torch.set_num_threads(own)


@contextlib.contextmanager
def _single_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


single_precision = Shared(_single_precision)
"""Context in which new floating-point tensors have single precision, in all threads."""


@contextlib.contextmanager
def defaults(device="cpu", gradients=True):
    """Context of PyTorch's default modes, regardless of the caller's: no autocast, gradients or not, the CPU.

    What an interrupt on entering or leaving ``torch.no_grad`` leaves is undone too.  Inference mode is left, but never
    entered: a guard whose entering is interrupted restores what was before at any later moment.
    """
    before = torch.is_grad_enabled()
    try:
        torch._C._set_grad_enabled(gradients)
        with contextlib.ExitStack() as stack:
            if gradients and torch.is_inference_mode_enabled():
                stack.enter_context(torch.inference_mode(False))
            for kind in {"cpu", torch.device(device).type}:
                # otherwise a module's own autocast would be nested, and keep outdated casts; older ones cannot be asked
                if not ASKS_FOR_KIND or torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False, cache_enabled=False))
            if torch.empty(0).device.type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        torch._C._set_grad_enabled(before)  # torch.set_grad_enabled makes an object, and may be interrupted


@contextlib.contextmanager
def global_randomness(seed, device="cpu"):
    """Context that returns PyTorch's global generator, for what may draw from it, as the user's modules do.

    The generators of PyTorch are seeded and the default is single precision, in one thread at a time; at the end their
    states and the default are restored.
    """
    device = torch.device(device)
    with _one_at_a_time, single_precision, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all devices there are


@contextlib.contextmanager
def same_draws(generator):
    """Context in which a generator draws the same numbers every time; then it goes on as if it had drawn none."""
    before = generator.get_state()
    generator.manual_seed(0)
    try:
        yield
    finally:
        generator.set_state(before)
