"""Callbacks: they record and show losses, schedule the learning rate and stop training early."""

import copy
import math
import time
from functools import partial

import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from metricnets.deep._training.data import Trained
from metricnets.deep._training.foreign import checked_schedule
from metricnets.deep._training.runtime import same_draws
from metricnets.deep._training.shrinkage import shrink


class Snapshot:
    """Weights of a network and of its loss."""

    def __init__(self, module, criterion):
        self.of_module, self.of_criterion = states = module.state_dict(), criterion.state_dict()
        for state in states:
            for name, value in state.items():  # takes a quarter of the time of a deep copy
                state[name] = value.clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)

    def restore(self, module, criterion):
        """Give the modules these weights; a loss keeps what has another shape by now, such as a growing memory."""
        module.load_state_dict(self.of_module)
        now = criterion.state_dict()
        same = {key: old for key, old in self.of_criterion.items() if getattr(now.get(key), "shape", 0) == old.shape}
        criterion.load_state_dict(same, strict=False)


class Watch(Callback):
    """Record the losses, and raise an error if one is not finite.

    It keeps the weights of the last finished epoch and, with rows held back, of the best one.  A loss is better if it
    is smaller by 1e-4 of its absolute value: losses may be negative, for which skorch's own early stopping is wrong.
    """

    def __init__(self, options):
        self.options = options
        self.history, self.lowest, self.start = [], {}, time.perf_counter()
        self.goal, self.n_misses, self.last, self.best = math.inf, 0, None, None

    def on_epoch_end(self, net, **kwargs):
        epoch, losses = net.history[-1], {}
        for part in ("train", "valid"):
            loss = _mean_loss(epoch["batches"], part)
            if loss is None:
                continue
            losses[f"{part}_loss"] = loss
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss became {loss} in epoch {len(net.history)}; lower lr (lr={self.options.lr:g}), or, if "
                    "the loss is your own, leave out the pairs where r is NaN, such as the diagonal."
                )
            lowest = self.lowest[part] = min(loss, self.lowest.get(part, math.inf))
            epoch |= {f"{part}_loss": loss, f"{part}_loss_best": loss == lowest}
        if not losses:
            raise ValueError(
                "sampler= gave no batch in this pass; it should return an iterable that starts again in each pass, "
                "not a generator."
            )
        self.start, start = time.perf_counter(), self.start
        epoch["dur"] = self.start - start
        self.history.append({"epoch": len(net.history), **losses, "dur": epoch["dur"]})
        self.last = Snapshot(net.module_, net.criterion_)
        loss, self.n_misses = losses.get("valid_loss", -math.inf), self.n_misses + 1
        if loss < self.goal or math.isinf(loss):  # without rows held back the last epoch is the best
            self.goal, self.n_misses, self.best = loss - 1e-4 * abs(loss), 0, self.last

    def on_train_end(self, net, **kwargs):
        if self.n_misses:
            self.best.restore(net.module_, net.criterion_)


def _mean_loss(batches, part):
    """Mean over rows of the losses of an epoch; None if the epoch has no such part."""
    total = size = 0
    for batch in batches:
        if f"{part}_loss" in batch:
            total += batch[f"{part}_loss"] * batch[f"{part}_batch_size"]
            size += batch[f"{part}_batch_size"]
    return total / size if size else None


class Progress(Callback):
    """Show a progress bar with the losses and the time left; it follows the `Watch` that records them."""

    def __init__(self, watch, options):
        self.watch, self.options, self.bar = watch, options, None

    def on_epoch_begin(self, net, **kwargs):
        if self.bar is None:
            self.open(len(net.history) - 1)

    def on_epoch_end(self, net, **kwargs):
        record = self.watch.history[-1]
        losses = {name: f"{loss:.4g}" for name, loss in record.items() if name.endswith("_loss")}
        self.show(record["epoch"], losses)

    def open(self, n_done):
        """Show a progress bar, of which so many epochs are done."""
        from tqdm.auto import tqdm  # starts a thread, which is needed only if progress is shown

        bounds = {"total": self.options.max_epochs, "initial": n_done}
        self.bar = tqdm(**bounds, unit="epoch", desc=self.options.title)

    def show(self, epoch, losses):
        """Advance the progress bar, and show the losses and the time left of the fit next to it."""
        if self.options.verbose > 1:
            self.bar.write(f"epoch {epoch:4d}  " + "  ".join(f"{name} {loss}" for name, loss in losses.items()))
        shown = [f"{name}={loss}" for name, loss in losses.items()]
        is_bound = "valid_loss" in losses
        if self.options.n_after or is_bound:
            recent = [each["dur"] for each in self.watch.history[-10:]]
            seconds = (self.options.max_epochs - epoch + self.options.n_after) * sum(recent) / len(recent)
            shown.append(f"fit: {'at most ' if is_bound else ''}{self.bar.format_interval(seconds)} left")
        self.bar.set_postfix_str(", ".join(shown))
        self.bar.update()


class Gradients(Callback):
    """Record whether any batch had a gradient."""

    found = False

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if not self.found:  # so only the first batch is looked at, as a rule
            gradients = (parameter.grad for _, parameter in named_parameters)
            self.found = any(bool(g.to_dense().any()) for g in gradients if g is not None)


class Passes(Callback):
    """Tell the callbacks of scikit-learn of each epoch, and stop if one of them asks for it.

    They draw the same numbers every time, and training goes on as if they had drawn none.

    Parameters
    ----------
    task : metricnets._callbacks.FitTask
    problem : Problem
    trained : Trained
        The networks that were trained before.
    network : torch.nn.Module
        The network that is being trained.
    start : dict or None
        Its state before training, if it is shrunk to it.
    criterion : callable
        Its loss.
    generator : torch.Generator
        Generator of what the network draws.
    """

    def __init__(self, task, problem, trained, network, start, criterion, generator):
        self.task, self.problem, self.trained = task, problem, trained
        self.network, self.start, self.criterion, self.generator = network, start, criterion, generator

    def on_epoch_begin(self, net, **kwargs):
        with same_draws(self.generator):
            self.task.begin("epoch")

    def on_epoch_end(self, net, **kwargs):
        with same_draws(self.generator):
            stop = self.task.end(partial(self.found, net))
        if stop:
            raise StopTraining

    def found(self, net):
        """The problem, and copies of what training would return now."""
        shared = {id(each): each for each in (self.generator, self.task.estimator)}
        criterion = self.criterion if isinstance(self.criterion, nn.Module) else nn.Module()
        network, module, criterion = copy.deepcopy((self.network, net.module_, criterion), shared)
        if net.watch.n_misses:
            net.watch.best.restore(module, criterion)
        shrink(network.cpu(), self.start, self.problem.shrinkage)
        before = self.trained
        networks, criteria = [*before.networks, network.eval()], [*before.criteria, criterion.cpu().eval()]
        return self.problem, Trained(networks, [*before.history, *net.watch.history], criteria)


class StopEarly(Callback):
    """Stop after ``patience`` epochs without a better loss; it must be the last callback."""

    def __init__(self, watch, patience):
        self.watch, self.patience = watch, patience

    def on_epoch_end(self, net, **kwargs):
        if self.watch.n_misses == self.patience:
            raise StopTraining


class StopTraining(Exception):  # noqa: N818
    """Raised to stop training early."""


def schedule(lr_schedule, max_epochs):
    """Make skorch's callback of an ``lr_schedule``."""
    if lr_schedule == "cosine":
        return LRScheduler(CosineAnnealingLR, T_max=max_epochs)
    if lr_schedule == "linear":
        return LRScheduler(LinearLR, start_factor=1.0, end_factor=0.0, total_iters=max_epochs)
    return LRScheduler(lambda optimizer, last_epoch: checked_schedule(lr_schedule, optimizer))
