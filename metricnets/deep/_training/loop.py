"""skorch's loop over batches of rows.

skorch runs the epochs, the schedule and the callbacks.  This module makes it fast: a batch is indexed at once, and
the optimiser is fused.
"""

import inspect
import traceback
from dataclasses import dataclass, field
from functools import partial

import torch
from skorch import NeuralNet
from skorch.helper import predefined_split
from skorch.utils import TeeGenerator
from torch import nn

from metricnets._params import NOTHING
from metricnets.deep._training.callbacks import Gradients, Progress, StopEarly, StopTraining, Watch, schedule
from metricnets.deep._training.chunks import cached_gradients, joined
from metricnets.deep._training.foreign import checked_callbacks, checked_loss, naming, own_optimizer
from metricnets.deep._training.precision import InBfloat16
from metricnets.deep._training.runtime import same_draws
from metricnets.deep._training.shares import Shares, Together

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class Part:
    """A subset of the rows, numbered from 0 for its sampler; an iterable of batches.

    Each iteration over ``sampler`` is a new pass of index lists.  It replaces PyTorch's data loader, which
    collects rows one by one; here a batch is indexed at once.
    """

    def __init__(self, rows, indices):
        self.rows, self.indices, self.sampler = rows, indices, None
        self.targets = rows.targets[torch.from_numpy(indices)]

    def __len__(self):
        return len(self.indices)

    def __iter__(self):
        for indices in self.sampler:
            yield self.rows[torch.from_numpy(self.indices[indices])]

    def numbers(self):
        """The numbers of the rows of each batch."""
        for indices in self.sampler:
            yield torch.from_numpy(self.indices[indices])

    def points(self):
        """Points of the part, a copy."""
        return self.rows.X[torch.from_numpy(self.indices)]


@dataclass
class Options:
    """Options of training; see the parameters of `metricnets.deep._base.DeepMetric`.

    ``loss_lr`` is the learning rate of the parameters of a loss that is a module.  Training stops after ``patience``
    epochs without a smaller loss on the rows held back, if there are any.
    """

    optimizer: object
    lr: float
    weight_decay: float
    max_epochs: int
    loss_lr: float | None = None
    lr_schedule: object = None
    patience: int = 10
    callbacks: tuple = ()
    device: str = "cpu"
    verbose: int = 0
    title: str = ""  # of the progress bar
    n_after: int = 0  # how many epochs of the fit are left after this network, at most
    generator: torch.Generator = field(kw_only=True)  # of what the loss draws
    precision: str = "float32"
    chunk_size: int | None = None  # number of points embedded at a time; None is all of a batch
    of_others: bool = False  # whether modules, losses or optimisers are the user's own
    passes: object = None  # a callback that tells those of scikit-learn of each epoch
    resumable: object = None  # a callback that writes checkpoints
    processes: object = None  # those that share the batches


class _Net(NeuralNet):
    """skorch's loop without printing and with a faster step.

    skorch's own step supports optimisers that evaluate the loss several times, and takes a tenth longer for
    small networks.
    """

    interrupted = False
    _default_callbacks = []  # instead of four

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Train, and record whether the user interrupted it."""
        closure = inspect.signature(type(self.optimizer_).step).parameters.get("closure")
        self.takes_closure = closure is not None and closure.default is closure.empty  # as L-BFGS does
        try:
            return super().fit_loop(X, y, epochs, **fit_params)
        except StopTraining:
            return self
        except KeyboardInterrupt as interrupt:
            self.interrupted = not _stopped_by_skorch(interrupt)
            if self.interrupted and self.watch.last is not None:
                self.watch.last.restore(self.module_, self.criterion_)
            return self

    def get_iterator(self, dataset, training=False):
        return self.iterator_train__part if training else self.iterator_valid__part

    def train_step(self, batch, **fit_params):
        if self.takes_closure:
            return super().train_step(batch, **fit_params)
        if not self.module_.training:
            self._set_training(True)  # slow: it visits all layers
        x, targets = batch
        self.optimizer_.zero_grad()
        if self.chunk_size is not None and len(x) > self.chunk_size:
            loss, z = self.train_step_single(batch).values()
        else:
            z = self.embed_some(x)
            loss = self.get_loss(z, targets)
            loss.backward()
        parameters = TeeGenerator(self.get_all_learnable_params())
        self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        with naming("optimizer", type(self.optimizer_)) if self.of_others else NOTHING:
            self.optimizer_.step()
        return {"loss": loss, "y_pred": z}

    def train_step_single(self, batch, **fit_params):
        x, targets = batch
        if self.chunk_size is None or len(x) <= self.chunk_size:
            return super().train_step_single(batch, **fit_params)
        self._set_training(True)
        loss_of = partial(self.get_loss, y_true=targets)
        options = {"size": self.chunk_size, "generator": self.generator, "device": self.device}
        z, loss = cached_gradients(self.module_, self.embed_some, loss_of, x, **options)
        return {"loss": loss, "y_pred": z}

    def embed_some(self, x):
        """The output of the network for some points."""
        with naming("module", self.module_) if self.of_others else NOTHING:
            return self.module_(x.to(self.device))

    def infer(self, x, **fit_params):
        if self.chunk_size is None or len(x) <= self.chunk_size:
            return super().infer(x, **fit_params)
        chunks = x.split(self.chunk_size)
        return joined([super(_Net, self).infer(some) for some in chunks], chunks)

    def run_single_epoch(self, iterator, training, *args, **kwargs):
        with NOTHING if training or iterator is None else same_draws(self.generator):  # of miners: epochs are compared
            super().run_single_epoch(iterator, training, *args, **kwargs)

    def get_loss(self, y_pred, y_true, X=None, training=True):
        criterion = self.criterion_ if self.function is None else self.function
        if self.processes is not None:
            criterion = partial(self.processes.loss_of_whole, criterion)
        loss = criterion(y_pred, y_true if self.device == "cpu" else y_true.to(self.device))
        is_scalar = isinstance(loss, torch.Tensor) and loss.ndim == 0 and (loss.requires_grad or not training)
        return loss if is_scalar else checked_loss(loss, training)


def train(module, criterion, parts, options):
    """Minimise ``criterion(module(x), targets)`` over batches.

    Parameters
    ----------
    module : torch.nn.Module
        Trained in place.
    criterion : callable or torch.nn.Module
        A module's parameters are trained too.
    parts : list of one or two `Part`
        The rows to train on and, if there is a second part, those held back: then the best epoch is kept.
    options : Options

    Returns
    -------
    history : list of dict
        epoch, train_loss, valid_loss and dur (seconds) of each finished epoch.
    interrupted : bool
        Whether the user interrupted it.
    learned : bool
        Whether the loss of any batch had a gradient; True for losses of ours, which may be 0 from the start.

    Raises
    ------
    ValueError
        If a loss is no longer finite.
    """
    kept, held_back = parts[0], parts[1] if len(parts) > 1 else None
    module = module if options.precision == "float32" else InBfloat16(module)
    function = None if isinstance(criterion, nn.Module) else criterion
    criterion = criterion if function is None else nn.Identity()  # skorch needs a module
    watch, gradients = Watch(options), Gradients()
    callbacks, progress = [watch], Progress(watch, options) if options.verbose else None
    if progress is not None:
        callbacks.append(progress)
    if options.of_others:
        callbacks.append(gradients)
    batches = [kept, held_back]
    if options.processes is not None:
        callbacks.insert(0, Together(options.processes))
        batches = [part and Shares(part, options.processes) for part in batches]
    if options.callbacks:
        callbacks += checked_callbacks(options.callbacks, held_back)
    if options.lr_schedule is not None:
        callbacks.append(schedule(options.lr_schedule, options.max_epochs))
    if options.passes is not None:
        callbacks.append(options.passes)
    if options.resumable is not None:
        callbacks.append(options.resumable)
    if held_back is not None:
        callbacks.append(StopEarly(watch, options.patience))
    net = _Net(
        module,
        criterion=criterion,
        optimizer=partial(_optimizer, options=options, criterion=criterion),
        max_epochs=options.max_epochs,
        iterator_train__part=batches[0],
        iterator_valid__part=batches[1],
        train_split=None if held_back is None else predefined_split(held_back.rows),
        callbacks=callbacks,
        device=options.device,
        verbose=0,
    )
    net.function, net.watch, net.of_others, net.generator = function, watch, options.of_others, options.generator
    net.chunk_size = options.chunk_size
    net.processes = options.processes
    try:
        net.fit(kept.rows)
    except KeyboardInterrupt:
        net.interrupted = True
        if watch.best is not None:
            watch.best.restore(module, criterion)
    finally:
        if progress is not None and progress.bar is not None:
            progress.bar.close()
    for trained in (module, criterion):
        trained.zero_grad(set_to_none=True)
        trained.cpu().eval()
    return watch.history, net.interrupted, gradients.found or not options.of_others


def _stopped_by_skorch(interrupt):
    """Whether the interrupt was raised by a callback of skorch to stop training, and not by the user."""
    innermost = traceback.extract_tb(interrupt.__traceback__)[-1]
    return innermost.filename.endswith("training.py") and "skorch" in innermost.filename and "raise" in innermost.line


def _optimizer(groups, options, criterion, **params):
    """Optimiser of the parameters of these groups; those of the loss have a rate of their own and no weight decay."""
    build = OPTIMIZERS.get(options.optimizer, options.optimizer)
    params["lr"] = options.lr
    if options.optimizer == "sgd":
        params["momentum"] = 0.9
    if build is not options.optimizer:
        params["fused"] = torch.__version__ >= (2, 4)  # the first version with fused optimisers on the CPU
    decayed, others = {"params": []}, {"params": [], "lr": options.loss_lr, "weight_decay": 0.0}
    of_loss = set(map(id, criterion.parameters()))
    for group in groups:
        for parameter in group["params"]:
            (others if id(parameter) in of_loss else decayed)["params"].append(parameter)
    groups = [decayed, others] if others["params"] else [decayed]
    if build is not options.optimizer:
        return build(groups, weight_decay=options.weight_decay, **params)
    return own_optimizer(build, groups, params, options.weight_decay)
