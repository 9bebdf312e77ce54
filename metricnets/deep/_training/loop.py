"""Training a network: skorch's loop over batches of rows.

skorch drives the epochs, the schedule, the early stopping and the callbacks.  What is set here is
what makes it fast: a batch is one indexing of the whole table, and the optimiser is fused.
"""

import warnings

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split
from skorch.utils import TeeGenerator

from metricnets.deep._training.callbacks import Watch, schedule

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class _Batches:
    """The batches of a pass, in place of PyTorch's loader, which is made for one row at a time."""

    def __init__(self, dataset, sampler, device):
        self.dataset, self.sampler, self.device = dataset, sampler, device

    def __iter__(self):
        for indices in self.sampler:
            x, targets = self.dataset[indices]
            yield x.to(self.device), targets.to(self.device)


class _Net(NeuralNet):
    """skorch's loop, which prints nothing and wastes no time between steps.

    Its own step, which serves optimisers that evaluate the loss several times too, takes a tenth
    longer on small networks.
    """

    def get_iterator(self, dataset, training=False):
        sampler = self.iterator_train__sampler if training else self.iterator_valid__sampler
        return _Batches(dataset, sampler, self.device)

    def train_step(self, batch, **fit_params):
        if not self.module_.training:
            self._set_training(True)  # a walk through all layers
        x, targets = batch
        self.optimizer_.zero_grad()
        z = self.module_(x)
        loss = self.criterion_(z, targets)
        loss.backward()
        parameters = TeeGenerator(self.get_all_learnable_params())
        self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        self.optimizer_.step()
        return {"loss": loss, "y_pred": z}

    @property
    def _default_callbacks(self):
        return []


def train(
    module,
    criterion,
    rows,
    batches,
    *,
    optimizer,
    lr,
    weight_decay,
    max_epochs,
    lr_schedule=None,
    valid_batches=None,
    patience=10,
    callbacks=None,
    device="cpu",
    verbose=0,
):
    """Minimise ``criterion(module(x), targets)`` over batches.

    Parameters
    ----------
    module : torch.nn.Module
        Trained in place.
    criterion : callable or torch.nn.Module
        A module's parameters are trained too.
    rows : Dataset
        ``rows[indices]`` is ``(x, targets)``.
    batches : iterable of index arrays
    optimizer : str, class of torch.optim, or callable
    lr, weight_decay : float
    lr_schedule : str, callable or None
        A callable takes the optimiser and returns its scheduler.
    max_epochs : int
    valid_batches : iterable of index arrays or None
        With them training stops after ``patience`` epochs without a lower loss on these batches,
        and the best epoch is kept.
    callbacks : list or None
    device : str
    verbose : int

    Returns
    -------
    history : list of dict
        epoch, train_loss, valid_loss and dur (seconds) of every epoch.
    interrupted : bool
        Whether the user interrupted it, after the first epoch at least.

    Raises
    ------
    ValueError
        If a loss is no longer a finite number.
    KeyboardInterrupt
        If the user interrupted it in the first epoch.
    """
    watch = Watch(lr, max_epochs, verbose)
    callbacks = [watch, *(callbacks or [])]
    if lr_schedule is not None:
        callbacks.append(schedule(lr_schedule, max_epochs))
    if valid_batches is not None:
        callbacks.append(EarlyStopping("valid_loss", patience=patience, load_best=True, sink=_silent))
    net = _Net(
        lambda: module,
        criterion=lambda: criterion,
        optimizer=_optimizer(optimizer, criterion),
        optimizer__lr=lr,
        optimizer__weight_decay=weight_decay,
        max_epochs=max_epochs,
        iterator_train__sampler=batches,
        iterator_valid__sampler=valid_batches,
        train_split=None if valid_batches is None else predefined_split(rows),
        callbacks=callbacks,
        device=device,
        verbose=0,
    )
    try:
        net.fit(rows)
    finally:
        watch.bar.close()
    kept = ("epoch", "train_loss", "valid_loss", "dur")
    history = [{name: record[name] for name in kept if name in record} for record in net.history if "dur" in record]
    interrupted = len(history) < len(net.history)
    if interrupted and not history:
        raise KeyboardInterrupt
    if interrupted:
        message = (
            f"training was interrupted; the estimator keeps what it learned, {len(history)} of {max_epochs} epochs."
        )
        warnings.warn(message, stacklevel=6)
    module.zero_grad(set_to_none=True)
    module.cpu().eval()
    return history, interrupted


def _silent(message):
    pass


def _optimizer(optimizer, criterion):
    """``(parameter groups, **options) -> optimiser``, without decay of the parameters of the loss."""
    momentum = {"momentum": 0.9} if optimizer == "sgd" else {}
    fused = {"fused": torch.__version__ >= (2, 4)}  # the first to have them on the CPU
    named = {} if callable(optimizer) else momentum | fused
    of_loss = {id(p) for p in criterion.parameters()} if isinstance(criterion, torch.nn.Module) else set()

    def build(groups, **options):
        parameters = [p for group in groups for p in group["params"]]
        decayed = {"params": [p for p in parameters if id(p) not in of_loss]}
        others = {"params": [p for p in parameters if id(p) in of_loss], "weight_decay": 0.0}
        groups = [group for group in (decayed, others) if group["params"]]
        return OPTIMIZERS.get(optimizer, optimizer)(groups, **named, **options)

    return build
