"""What happens between epochs: losses are recorded and shown, the learning rate falls."""

import math
import time

from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from tqdm.auto import tqdm


class Watch(Callback):
    """Record the losses, stop at one that is not a number, and show how far the training has got."""

    def __init__(self, lr, max_epochs, verbose):
        self.lr, self.verbose, self.best = lr, verbose, {}
        self.bar = tqdm(total=max_epochs, unit="epoch", disable=not verbose)

    def on_epoch_begin(self, net, **kwargs):
        self.start = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        losses = {f"{part}_loss": _mean_loss(net.history[-1]["batches"], part) for part in ("train", "valid")}
        losses = {name: loss for name, loss in losses.items() if loss is not None}
        if not losses:
            raise ValueError("the sampler gave no batch in this pass; it should be iterable anew, not a generator.")
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss became {loss} in epoch {len(net.history)}; lower lr (lr={self.lr:g}), or, if the "
                    "loss is your own, mask the pairs where r is NaN, the diagonal among them."
                )
            self.best[name] = min(loss, self.best.get(name, math.inf))
            net.history.record(name, loss)
            net.history.record(f"{name}_best", loss == self.best[name])
        net.history.record("dur", time.perf_counter() - self.start)
        if self.verbose:
            self.show(len(net.history), {name: f"{loss:.4g}" for name, loss in losses.items()})

    def show(self, epoch, losses):
        if self.verbose > 1:
            tqdm.write(f"epoch {epoch:4d}  " + "  ".join(f"{name} {loss}" for name, loss in losses.items()))
        self.bar.set_postfix(losses)
        self.bar.update()


def _mean_loss(batches, part):
    """Mean over rows of the losses of an epoch; None if it had no such part."""
    found = [(b[f"{part}_loss"], b[f"{part}_batch_size"]) for b in batches if f"{part}_loss" in b]
    return sum(loss * size for loss, size in found) / sum(size for _, size in found) if found else None


def schedule(lr_schedule, max_epochs):
    if lr_schedule == "cosine":
        return LRScheduler(CosineAnnealingLR, T_max=max_epochs)
    if lr_schedule == "linear":
        return LRScheduler(LinearLR, start_factor=1.0, end_factor=0.0, total_iters=max_epochs)
    return LRScheduler(lambda optimizer, last_epoch: lr_schedule(optimizer))
