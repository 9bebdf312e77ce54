"""The share of a process in training: its rows of each batch, and what it agrees on in the loop of skorch."""

from skorch.callbacks import Callback

from metricnets.deep._training.callbacks import StopTraining
from metricnets.deep._training.data import Rows


class Shares:
    """Batches of a `Part` with the share of this process of their points, and all of their targets."""

    def __init__(self, part, processes):
        self.part, self.processes = part, processes

    def __iter__(self):
        rows, own = self.part.rows, self.processes.own
        if type(rows).__getitem__ is Rows.__getitem__:  # then only the share is read
            for indices in self.part.numbers():
                yield rows.X[own(indices)], rows.targets[indices]
        else:
            for x, targets in self.part:
                yield own(x), targets


class Together(Callback):
    """Average gradients, let all processes stop when one does, and agree on losses and weights after each epoch.

    It is the first of the callbacks.  Layers draw from a stream of each process, as they see other rows.
    """

    def __init__(self, processes):
        self.processes = processes

    def on_train_begin(self, net, **kwargs):
        self.ended = False
        self.processes.draw_apart(net.generator, net.generator.get_state())
        buffers = dict(net.module_.named_buffers())
        self.statistics = [each for name, each in buffers.items() if name.endswith(("running_mean", "running_var"))]

    def on_epoch_begin(self, net, **kwargs):
        self.ended = self.processes.any(False)
        if self.ended:
            raise StopTraining

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.processes.average([parameter for _, parameter in named_parameters], self.statistics)

    def on_batch_end(self, net, training, **kwargs):
        net.history.record_batch(f"{'train' if training else 'valid'}_batch_size", self.processes.n_rows)

    def on_epoch_end(self, net, **kwargs):
        for part in ("train_loss", "valid_loss"):
            batches = [batch for batch in net.history[-1]["batches"] if part in batch]
            for batch, loss in zip(batches, self.processes.agreed([batch[part] for batch in batches])):
                batch[part] = loss
        self.processes.agree(net.module_, net.criterion_)

    def on_train_end(self, net, **kwargs):
        self.processes.generator.set_state(self.processes.common)
        if not (self.ended or net.interrupted):
            self.processes.any(True)
