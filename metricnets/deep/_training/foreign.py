"""What users bring along, checked: errors say which parameter it was."""

import inspect

import numpy as np
import torch
from skorch.callbacks import BatchScoring, Callback, EpochScoring

from metricnets._params import check_instance

RAW = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError, KeyError, NotImplementedError)


class naming:  # noqa: N801
    """Context in which an error of something of the user's own becomes a ValueError that names the parameter."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind in RAW:  # no subclass: who is out of memory wants to know that
            value = getattr(self.value, "__name__", type(self.value).__name__)
            raise ValueError(f"{self.name}={value} raised {kind.__name__}: {error}") from error


class CheckedSampler:
    """Index lists of a sampler of the user's own, ``sampler(labels, batch_size, rng)``."""

    def __init__(self, sampler, labels, batch_size, rng):
        self.sampler, self.n_rows = sampler, len(labels)
        with naming("sampler", sampler):
            self.batches = sampler(labels, batch_size, rng)
            iter(self.batches)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        batches = iter(self.batches)
        while True:
            with naming("sampler", self.sampler):
                indices = next(batches, None)
            if indices is None:
                return
            yield self.checked(indices)

    def checked(self, indices):
        """Indices as an array; ValueError if they are no row numbers."""
        with naming("sampler", self.sampler):
            rows = np.asarray(indices)
        if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
            raise ValueError(
                f"sampler should give lists of row numbers that are not empty; got an array of shape {rows.shape} and "
                f"type {rows.dtype}."
            )
        if rows.min() < 0 or rows.max() >= self.n_rows:
            raise ValueError(
                f"sampler gave row numbers from {rows.min()} to {rows.max()}; there are {self.n_rows} rows, from 0."
            )
        return rows.astype(np.int64)


def checked_miner(miner, z, r):
    """The relation that a miner makes of another one; ValueError if it is none."""
    with naming("miner", miner):
        mined = miner(z, r)
    if not isinstance(mined, torch.Tensor) or mined.shape != r.shape:
        got = f"shape {tuple(mined.shape)}" if isinstance(mined, torch.Tensor) else type(mined).__name__
        raise ValueError(f"miner should turn embeddings and r into r with NaN in places, {tuple(r.shape)}; got {got}.")
    return mined


def checked_loss(loss, of_training):
    """A loss as a scalar; ValueError if it is none, or depends on nothing that could be learned."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ValueError(f"loss should return a scalar tensor, such as a mean over pairs; got {got}.")
    if of_training and not loss.requires_grad:
        raise ValueError("loss should depend on the embeddings; where there is nothing to learn, return z.sum() * 0.")
    return loss.reshape(())


def own_optimizer(build, groups, params, weight_decay):
    """The optimiser that ``build`` makes of parameter groups; ValueError if it is none of PyTorch's."""
    if takes(build, "weight_decay"):
        params = params | {"weight_decay": weight_decay}
    else:
        groups = [parameter for group in groups for parameter in group["params"]]
    with naming("optimizer", build):
        optimizer = build(groups, **params)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(f"optimizer={build!r} should make an optimiser of PyTorch; got {type(optimizer).__name__}.")
    return optimizer


def checked_schedule(lr_schedule, optimizer):
    """The scheduler of an ``lr_schedule`` of the user's own; ValueError if it is none."""
    with naming("lr_schedule", lr_schedule):
        scheduler = lr_schedule(optimizer)
    if not hasattr(scheduler, "step"):
        raise ValueError(f"lr_schedule should make a scheduler of PyTorch; got {type(scheduler).__name__}.")
    return scheduler


def checked_callbacks(callbacks, held_back):
    """The callbacks; ValueError if one is none, or asks for what there is not."""
    for named in callbacks:
        callback = named[1] if isinstance(named, tuple) else named
        check_instance(callback, "callbacks")
        if not isinstance(callback, Callback):
            raise ValueError(f"callbacks should hold callbacks of skorch; got {callback!r}.")
        if isinstance(callback, EpochScoring | BatchScoring):
            raise ValueError(
                f"callbacks has {type(callback).__name__}, which scores predictions, and a network that embeds makes "
                "none; write a callback that looks at net.module_."
            )
        monitor = getattr(callback, "monitor", None)
        if held_back is None and isinstance(monitor, str) and monitor.startswith("valid_"):
            raise ValueError(
                f"callbacks has {type(callback).__name__}, which monitors {monitor!r}, and no rows are held back; set "
                f"early_stopping=True, or {type(callback).__name__}(monitor='train_loss')."
            )
    return callbacks


def takes(function, name):
    """Whether a function has a parameter of this name, or takes any."""
    parameters = inspect.signature(function).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
