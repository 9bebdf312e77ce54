"""What training depends on at the end of an epoch, and how it goes on from there."""

import copy
import dataclasses

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from metricnets.deep._training.callbacks import Gradients, Snapshot
from metricnets.deep._training.checkpoint import UNREADABLE, journal
from metricnets.deep._training.data import Targets
from metricnets.deep._training.digest import Digest

WITHOUT_EFFECT = {"checkpoint", "verbose", "callbacks", "random_state"}  # the seed of the problem counts
WATCHED = ("history", "lowest", "goal", "n_misses")
KIND = "kind of a packed value"


def resumable(estimator, problem, module, criterion, parts, options):
    """The `Resumable` of a network that is about to be trained."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name not in WITHOUT_EFFECT}
    of_problem = {name: getattr(problem, name) for name in ("seed", "n_train", "shrinkage", "decay")}
    name = type(estimator).__name__
    digest = Digest(
        name, params, of_problem, vars(problem.rows), problem.kept, problem.held_back, options.device,
        options.generator, module, criterion if isinstance(criterion, nn.Module) else None,
        [type(each[1] if isinstance(each, tuple) else each) for each in options.callbacks or ()],
    )  # fmt: skip
    return Resumable(journal.get(), journal.get().path(name, digest), parts, options)


class Resumable(Callback):
    """Write the state of training to a file, and go on from the one that is there.

    A state is that of the end of an epoch.  It has what the samplers draw from in so far as they draw again what
    they drew in the epochs before, without training.

    Parameters
    ----------
    journal : Journal
    path : pathlib.Path
        The file.
    parts : list of `Part`
    options : Options
    """

    def __init__(self, journal, path, parts, options):
        self.journal, self.path, self.parts, self.options = journal, path, parts, options
        generators = {"training": options.generator, "rows": getattr(parts[0].rows, "generator", None)}
        self.generators = {name: each for name, each in generators.items() if each is not None}

    def on_train_begin(self, net, **kwargs):
        for each in _of_kind(net, LRScheduler):
            if not hasattr(each.lr_scheduler_, "load_state_dict"):
                raise ValueError(
                    f"checkpoint needs the state of schedules, and {type(each.lr_scheduler_).__name__} has neither "
                    "state_dict nor load_state_dict; give lr_schedule one of PyTorch, or set checkpoint=None."
                )
        state = self.journal.read(self.path)
        if state is None:
            return
        try:
            self.restore(net, state)
        except UNREADABLE as error:
            raise ValueError(f"checkpoint {self.path} is of another network ({error!r:.200}); remove it.") from error

    def on_epoch_end(self, net, **kwargs):
        if self.journal.is_due(len(net.history)):
            self.journal.write(self.path, self.state(net))

    def on_train_end(self, net, **kwargs):
        if not net.interrupted:
            write = self.journal.write if self.journal.is_due(0) else self.journal.put_off
            write(self.path, self.state(net, done=True))

    def state(self, net, done=False):
        """What training depends on."""
        watch, passes = net.watch, self.options.passes
        best = [watch.best.of_module, watch.best.of_criterion] if watch.n_misses else None
        return {
            "watch": {name: getattr(watch, name) for name in WATCHED},
            "best": best,
            "gradients": [each.found for each in _of_kind(net, Gradients)],
            "modules": [(module.state_dict(), attributes(module)) for module in (net.module_, net.criterion_)],
            "optimizer": self._of_optimizer(net),
            "schedules": [packable(each.lr_scheduler_.state_dict()) for each in _of_kind(net, LRScheduler)],
            "generators": {name: each.get_state() for name, each in self.generators.items()} | self._on_device(),
            "stopped": passes is not None and passes.task.stopped,
            "done": done,
        }

    def _of_optimizer(self, net):
        try:
            return pack(net.optimizer_.state_dict())
        except TypeError as error:
            raise ValueError(
                f"checkpoint needs the state of optimizer={self.options.optimizer!r}, and {error}; set checkpoint=None."
            ) from error

    def _on_device(self):
        """The state of the device's generator, if it is not the CPU and modules of the user may draw from it."""
        is_drawn = self.options.of_others and str(self.options.device).startswith("cuda")
        return {"cuda": torch.cuda.get_rng_state(self.options.device)} if is_drawn else {}

    def restore(self, net, state):
        """Go on from a state."""
        watch, modules = net.watch, (net.module_, net.criterion_)
        for module, (weights, others) in zip(modules, state["modules"]):
            load(module, weights)
            set_attributes(module, others, self.parts[0].targets)
        net.optimizer_.load_state_dict(unpack(state["optimizer"]))
        for each, schedule in zip(_of_kind(net, LRScheduler), state["schedules"]):
            each.lr_scheduler_.load_state_dict(unpack(schedule))
        for each, found in zip(_of_kind(net, Gradients), state["gradients"]):
            each.found = found
        for name in WATCHED:
            setattr(watch, name, state["watch"][name])
        watch.last = watch.best = Snapshot(*modules)
        if state["best"] is not None:
            watch.best = copy.copy(watch.last)
            watch.best.of_module, watch.best.of_criterion = state["best"]
        for record in watch.history:
            net.history.new_epoch()
            net.history[-1].update(record)
            for _ in self.parts[0].sampler:  # it draws what it drew
                pass
        for name, each in self.generators.items():
            each.set_state(state["generators"][name])
        if "cuda" in state["generators"]:
            torch.cuda.set_rng_state(state["generators"]["cuda"], self.options.device)
        if state["stopped"]:
            self.options.passes.task.stopped = True
        is_over = state["done"] or (len(self.parts) > 1 and watch.n_misses >= self.options.patience)
        net.max_epochs = 0 if is_over else self.options.max_epochs - len(watch.history)


def _of_kind(net, kind):
    return [callback for _, callback in net.callbacks_ if isinstance(callback, kind)]


def load(module, state):
    """Give a module the weights and buffers of a state; buffers may have grown."""
    for name, value in state.items():
        owner, _, last = name.rpartition(".")
        buffers = module.get_submodule(owner)._buffers
        if last in buffers and (buffers[last] is None or buffers[last].shape != value.shape):
            buffers[last] = torch.empty_like(value)
    module.load_state_dict(state)


def attributes(module):
    """What the parts of a module remember besides their weights and buffers, such as past batches, as plain values."""
    found = {}
    for name, part in module.named_modules():
        unsaved = {key: part._buffers[key] for key in part._non_persistent_buffers_set}
        own = {key: value for key, value in vars(part).items() if not key.startswith("_") and key != "training"}
        found[name] = packable(own | unsaved)
    return found


def set_attributes(module, found, targets):
    """Let the parts of a module remember what `attributes` found; ``targets`` have the relation of past ones."""
    for name, part in module.named_modules():
        for key, value in found[name].items():
            value = unpack(value, targets)
            if isinstance(vars(part).get(key), torch.Generator):
                vars(part)[key].set_state(value)
            else:
                setattr(part, key, value)


def packable(values):
    """Those of the values that are plain, packed; functions and modules are not."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = pack(value)
        except TypeError:
            continue
    return found


def pack(value):
    """A value of numbers, strings, arrays, tensors, targets and generators in lists and dicts, as files hold it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {KIND: "array", "of": torch.from_numpy(value.copy())}
    if isinstance(value, torch.Generator):
        return {KIND: "generator", "of": value.get_state()}
    if isinstance(value, Targets):
        fields = {name: each for name, each in vars(value).items() if isinstance(each, torch.Tensor)}
        return {KIND: "targets", "of": pack(fields)}
    if isinstance(value, list | tuple):
        return type(value)(map(pack, value)) if type(value) in (list, tuple) else list(map(pack, value))
    if isinstance(value, dict):
        return {key: pack(each) for key, each in value.items()}
    raise TypeError(f"{type(value).__name__} cannot be written to a file")


def unpack(value, targets=None):
    """The value that was packed; ``targets`` have what those in it do not, such as the relation."""
    if isinstance(value, list | tuple):
        return type(value)(unpack(each, targets) for each in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind == "array":
        return value["of"].numpy()
    if kind == "generator":
        return value["of"]
    if kind == "targets":
        none = dict.fromkeys(("row", "source", "sets", "weights", "members"))
        return dataclasses.replace(targets, **none | unpack(value["of"]))
    return {key: unpack(each, targets) for key, each in value.items()}
