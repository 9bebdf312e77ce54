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
from metricnets.exceptions import warn

WITHOUT_EFFECT = {"checkpoint", "verbose", "callbacks", "random_state"}  # the seed of the problem counts
WATCHED = ("history", "lowest", "goal", "n_misses")


def resumable(estimator, problem, module, criterion, parts, options):
    """The `Resumable` of a network that is about to be trained."""
    if not journal.get().writes:
        return Resumable(journal.get(), None, parts, options)
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
    before.  Of several processes the first one has the file; what is another in each of them is gathered.

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
        self.processes, self.n_known = options.processes, 0  # number of epochs of the last state
        generators = {"training": options.generator, "rows": getattr(parts[0].rows, "generator", None)}
        self.generators = {name: each for name, each in generators.items() if each is not None}

    def on_train_begin(self, net, **kwargs):
        for each in _of_kind(net, LRScheduler):
            if not hasattr(each.lr_scheduler_, "load_state_dict"):
                raise ValueError(
                    f"checkpoint needs the state of schedules, and {type(each.lr_scheduler_).__name__} has neither "
                    "state_dict nor load_state_dict; give lr_schedule one of PyTorch, or set checkpoint=None."
                )
        state = self.journal.read(self.path) if self.journal.writes else None
        if self.processes is not None:
            state = self.processes.object_of_first(state)
        if state is None:
            return
        try:
            self.restore(net, state)
        except UNREADABLE as error:
            raise ValueError(f"checkpoint {self.path} is of another network ({error!r:.200}); remove it.") from error

    def on_epoch_begin(self, net, **kwargs):
        n = len(net.watch.history)  # a callback may end it in one of several processes: then they do not come here
        if self.processes is not None and n > self.n_known and self.processes.agreed([self.journal.is_due(n)])[0]:
            self.write(net)

    def on_epoch_end(self, net, **kwargs):
        if self.processes is None and self.journal.is_due(len(net.history)):
            self.write(net)

    def on_train_end(self, net, **kwargs):
        if not net.interrupted:
            self.write(net, done=True)

    def write(self, net, done=False):
        """Write a state, or that of a network that is done later with the next one."""
        own = self.own_state(net)
        each = [own] if self.processes is None else self.processes.of_all(own)
        self.n_known = len(net.watch.history)
        if self.journal.writes:
            write = self.journal.put_off if done and not self.journal.is_due(0) else self.journal.write
            write(self.path, self.state(net) | {"each": each, "done": done})

    def own_state(self, net):
        """What may be another in each process: what layers draw and remember, and whether a callback has stopped."""
        passes = self.options.passes
        return {
            "generators": {name: each.get_state() for name, each in self.generators.items()} | self._on_device(),
            "attributes": attributes(net.module_),
            "stopped": passes is not None and passes.task.stopped,
        }

    def state(self, net):
        """What training depends on that is the same in all processes."""
        watch = net.watch
        best = [watch.best.of_module, watch.best.of_criterion] if watch.n_misses else None
        return {
            "watch": {name: getattr(watch, name) for name in WATCHED},
            "best": best,
            "gradients": [each.found for each in _of_kind(net, Gradients)],
            "modules": [module.state_dict() for module in (net.module_, net.criterion_)],
            "of_criterion": attributes(net.criterion_),
            "optimizer": self._of_optimizer(net),
            "schedules": [packable(each.lr_scheduler_.state_dict()) for each in _of_kind(net, LRScheduler)],
            "common": None if self.processes is None else self.processes.common,
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
        rank, size = (0, 1) if self.processes is None else (self.processes.rank, self.processes.size)
        own = state["each"][min(rank, len(state["each"]) - 1)]
        for module, weights, others in zip(modules, state["modules"], (own["attributes"], state["of_criterion"])):
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
            each.set_state(own["generators"][name])
        if "cuda" in own["generators"]:
            torch.cuda.set_rng_state(own["generators"]["cuda"], self.options.device)
        if self.processes is not None:
            self.processes.common = state["common"]
        if len(state["each"]) != size:
            self.processes.draw_apart(self.options.generator, state["common"])
            if self.journal.writes:
                warn(
                    f"checkpoint {self.path} is of {len(state['each'])} processes, and these are {size}: training goes "
                    "on, but what layers draw is other than in a fit that was not ended, and so is what is learned."
                )
        if own["stopped"]:
            self.options.passes.task.stopped = True
        self.n_known = len(watch.history)
        is_over = state["done"] or (len(self.parts) > 1 and watch.n_misses >= self.options.patience)
        net.max_epochs = 0 if is_over else self.options.max_epochs - len(watch.history)


def _of_kind(net, kind):
    return [callback for _, callback in net.callbacks_ if isinstance(callback, kind)]
