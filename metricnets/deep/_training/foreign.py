"""Checks of the user's modules and functions; errors name the parameter."""

import inspect
from functools import partial

import numpy as np
import torch
from skorch.callbacks import BatchScoring, Callback, EpochScoring

from metricnets._params import check_instance
from metricnets.exceptions import did_you_mean

RAW = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError, KeyError, NotImplementedError)


class naming:  # noqa: N801
    """Context in which an error in the user's code becomes a ValueError that names the parameter."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind in RAW:  # subclasses, such as OutOfMemoryError, are raised unchanged
            value = self.value.func if isinstance(self.value, partial) else self.value
            value = getattr(value, "__name__", type(value).__name__)
            raise ValueError(f"{self.name}={value} raised {kind.__name__}: {error}") from error


class CheckedSampler:
    """Index lists of a sampler of the user, ``sampler(labels, batch_size, rng)``."""

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
        """Indices as an array; ValueError if they are not row numbers."""
        with naming("sampler", self.sampler):
            rows = np.asarray(indices)
        if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
            raise ValueError(
                f"sampler should give non-empty lists of row numbers; got an array of shape {rows.shape} and type "
                f"{rows.dtype}."
            )
        if rows.min() < 0 or rows.max() >= self.n_rows:
            raise ValueError(
                f"sampler should give row numbers from 0 to {self.n_rows - 1}; it gave {rows.min()} to {rows.max()}."
            )
        return rows.astype(np.int64)


GIVEN = ("z", "r", "n_components", "n_classes", "generator")  # to losses and miners in training


def check_params(name, value, function, params):
    """Raise ValueError if a loss or miner, given as ``value``, does not take these parameters."""
    if not params:
        return
    if value is None or isinstance(value, torch.nn.Module):
        is_instance = "" if value is None else " is an instance; set its parameters where you create it"
        raise ValueError(f"{name}_params={params} is for a function or a class, and {name}={value!r}{is_instance}.")
    taken = list(inspect.signature(function).parameters.values())
    known = [p.name for p in taken if isinstance(value, type) or p.name not in GIVEN]
    unknown = [key for key in params if key not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in taken):
        raise ValueError(
            f"{name}_params has {unknown[0]!r}, which {name}={value!r} does not take; it takes "
            f"{', '.join(known) or 'none'}.{did_you_mean(unknown[0], known)}"
        )


def check_loss(loss, function, params):
    """Raise ValueError if a loss of (z, r), by name or as a function, does not take these parameters."""
    check_params("loss", loss, function, params)
    if isinstance(loss, str):
        function(torch.zeros(2, 2), torch.full((2, 2), torch.nan), **(params or {}))


def checked_miner(miner, z, r):
    """The relation that a miner returns; ValueError if it is not a tensor of the same shape."""
    with naming("miner", miner):
        mined = miner(z, r)
    if not isinstance(mined, torch.Tensor) or mined.shape != r.shape:
        got = f"shape {tuple(mined.shape)}" if isinstance(mined, torch.Tensor) else type(mined).__name__
        raise ValueError(f"miner should return r, of shape {tuple(r.shape)}, with NaN for some pairs; got {got}.")
    return mined


def checked_loss(loss, of_training):
    """A loss as a scalar; ValueError if it is not a scalar, or does not depend on the embeddings."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ValueError(f"loss should return a scalar tensor, such as a mean over pairs; got {got}.")
    if of_training and not loss.requires_grad:
        raise ValueError("loss should depend on the embeddings; where there is nothing to learn, return z.sum() * 0.")
    return loss.reshape(())


def own_optimizer(build, groups, params, weight_decay):
    """The optimiser that ``build`` returns for parameter groups; ValueError if it is not one of PyTorch."""
    if takes(build, "weight_decay"):
        params = params | {"weight_decay": weight_decay}
    elif all(group.get("lr", params["lr"]) == params["lr"] for group in groups):
        groups = [parameter for group in groups for parameter in group["params"]]
    else:
        groups = [{"params": group["params"], "lr": group.get("lr", params["lr"])} for group in groups]
    with naming("optimizer", build):
        optimizer = build(groups, **params)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(f"optimizer={build!r} should return an optimiser of PyTorch; got {type(optimizer).__name__}.")
    return optimizer


def checked_schedule(lr_schedule, optimizer):
    """The scheduler that the user's ``lr_schedule`` returns; ValueError if it is not a scheduler."""
    with naming("lr_schedule", lr_schedule):
        scheduler = lr_schedule(optimizer)
    if not hasattr(scheduler, "step"):
        raise ValueError(f"lr_schedule should return a scheduler of PyTorch; got {type(scheduler).__name__}.")
    return scheduler


def checked_callbacks(callbacks, held_back):
    """The callbacks; ValueError if one is not of skorch, or needs predictions or a validation loss that is missing."""
    for named in callbacks:
        callback = named[1] if isinstance(named, tuple) else named
        check_instance(callback, "callbacks")
        if not isinstance(callback, Callback):
            raise ValueError(
                f"callbacks should hold callbacks of skorch; got {callback!r}. Callbacks of scikit-learn, such as "
                "ProgressBar, are set with set_callbacks."
            )
        if isinstance(callback, EpochScoring | BatchScoring):
            raise ValueError(
                f"callbacks has {type(callback).__name__}, which scores predictions, and an embedding network makes "
                "none; write a callback that uses net.module_."
            )
        monitor = getattr(callback, "monitor", None)
        if held_back is None and isinstance(monitor, str) and monitor.startswith("valid_"):
            raise ValueError(
                f"callbacks has {type(callback).__name__}, which monitors {monitor!r}, and no rows are held back; set "
                f"early_stopping=True, or {type(callback).__name__}(monitor='train_loss')."
            )
    return callbacks


def takes(function, name):
    """Whether a function has a parameter of this name, or takes any keyword argument."""
    parameters = inspect.signature(function).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
