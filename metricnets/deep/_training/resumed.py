"""What training depends on at the end of an epoch, and how it goes on from there."""

import copy

import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from metricnets.deep._training.callbacks import Gradients, Snapshot
from metricnets.deep._training.checkpoint import journal
from metricnets.deep._training.checkpoint_files import UNREADABLE
from metricnets.deep._training.digest import Digest
from metricnets.deep._training.packing import attributes, load, pack, packable, set_attributes, unpack

WITHOUT_EFFECT = {"checkpoint", "verbose", "callbacks", "random_state"}  # the seed of the problem counts
WATCHED = ("history", "lowest", "goal", "n_misses")


def resumable(estimator, problem, module, criterion, parts, options):
    """The `Resumable` of a network that is about to be trained."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name not in WITHOUT_EFFECT}
    of_problem = {name: getattr(problem, name) for name in ("seed", "n_train", "shrinkage", "decay")}
    name, record = type(estimator).__name__, journal.get()
    n_before = len(record.paths)  # networks of the fit, which may begin equal, with other batches
    digest = Digest(
        name, n_before, params, of_problem, vars(problem.rows), problem.kept, problem.held_back, options.device,
        options.generator, module, criterion if isinstance(criterion, nn.Module) else None,
        [type(each[1] if isinstance(each, tuple) else each) for each in options.callbacks or ()],
    )  # fmt: skip
    return Resumable(record, record.path(name, digest), parts, options)


class Resumable(Callback):
    """Write the state of training to a file, and go on from the one that is there.

    A state is that of the end of an epoch.  Samplers are not in it: they draw again what they drew in the epochs
    before.

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
