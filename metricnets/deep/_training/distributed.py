"""Training in several processes: each embeds its share of a batch, and the loss is that of the whole batch.

All processes have the same rows, batches and draws of the loss, so that they decide alike.  Embeddings are gathered and
gradients averaged by torch.distributed.
"""

import atexit
import contextlib
import multiprocessing
import os
import threading

import numpy as np
import torch
import torch.distributed as dist
from skorch.callbacks import Callback

from metricnets.deep._training.callbacks import StopTraining
from metricnets.deep._training.data import Rows

LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torch.distributed.run tells a process
_training = threading.Lock()  # messages of two fits at once would be mixed up


class Processes:
    """The processes that train together, as one of them sees them.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup
    """

    def __init__(self, group):
        self.group, self.rank, self.size = group, dist.get_rank(group), dist.get_world_size(group)

    def _do(self, collective, *args, **kwargs):
        try:
            collective(*args, group=self.group, **kwargs)
        except RuntimeError as error:
            raise RuntimeError(
                f"process {self.rank} of {self.size} stops, as another one that trains with it was killed, raised an "
                "error or does not answer; its own output says why. Nothing is learned by this fit."
            ) from error

    # ---- batches

    def own(self, x):
        """The share of this process of the rows of x, a part of ceil(n / size) rows; the last row fills it up."""
        self.n_rows, n_own = len(x), -(-len(x) // self.size)
        share = x[self.rank * n_own : (self.rank + 1) * n_own]
        return torch.cat([share, x[-1:].expand(n_own - len(share), *x.shape[1:])]) if len(share) < n_own else share

    def whole(self, output):
        """What a network gives for all rows of a batch, from its output for the share of each process.

        Outputs of several blocks of rows, such as those of two views, are put together block by block.
        """
        if isinstance(output, tuple | list):
            return type(output)(map(self.whole, output))
        n_own = -(-self.n_rows // self.size)
        parts = _Gathered.apply(output.contiguous(), self).unflatten(1, (-1, n_own))  # (size, n_blocks, n_own, ...)
        return parts.transpose(0, 1).flatten(1, 2)[:, : self.n_rows].flatten(0, 1)

    def loss_of_whole(self, criterion, output, targets):
        """The loss of the whole batch; it draws the same numbers in all processes."""
        z = self.whole(output)
        if not torch.is_grad_enabled():  # `same_draws` of an evaluation
            return criterion(z, targets)
        own = self.generator.get_state()
        self.generator.set_state(self.common)
        loss = criterion(z, targets)
        self.common = self.generator.get_state()
        self.generator.set_state(own)
        return loss

    def average(self, parameters, statistics):
        """Average the gradients of parameters, and the running statistics of layers, over the processes.

        The gradient of embeddings is multiplied by the number of processes before, so the average is the gradient of
        the whole batch, also where the loss depends on parameters otherwise.
        """
        parameters = [each for each in parameters if each.requires_grad]
        given = torch.tensor([float(each.grad is not None) for each in parameters], device=parameters[0].device)
        values = [torch.zeros_like(each) if each.grad is None else each.grad.to_dense() for each in parameters]
        flat = torch.cat([given, *(each.reshape(-1) for each in (*values, *statistics))])
        self._do(dist.all_reduce, flat)
        given, *means = flat.div_(self.size).split([len(given), *(each.numel() for each in (*values, *statistics))])
        for parameter, is_given, mean in zip(parameters, given.tolist(), means):
            parameter.grad = mean.view_as(parameter).to(parameter.dtype) if is_given else None
        for statistic, mean in zip(statistics, means[len(parameters) :]):
            statistic.copy_(mean.view_as(statistic))

    # ---- agreement

    def agree(self, *modules):
        """Give modules the parameters and buffers that they have in process 0."""
        for module in modules:
            if isinstance(module, torch.nn.Module):
                for tensor in (*module.parameters(), *module.buffers()):
                    self._do(dist.broadcast, tensor.data, src=0)

    def agreed(self, numbers):
        """The numbers of process 0."""
        numbers = torch.tensor(numbers, dtype=torch.float64)
        self._do(dist.broadcast, numbers, src=0)
        return numbers.tolist()

    def any(self, flag):
        """Whether a flag is set in any process."""
        flag = torch.tensor(int(flag))
        self._do(dist.all_reduce, flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def check_same(self, **numbers):
        """Raise ValueError, in all processes, unless these numbers are the same in all of them."""
        own = torch.tensor([*map(float, numbers.values())], dtype=torch.float64)
        every = [torch.empty_like(own) for _ in range(self.size)]
        self._do(dist.all_gather, every, own)
        for name, values in zip(numbers, torch.stack(every, dim=1).tolist()):
            differ = np.flatnonzero(~np.isclose(values, values[0], rtol=1e-4, atol=0))
            if differ.size:
                raise ValueError(
                    f"distributed=True: the {name} is {values[0]:g} in process 0 and {values[differ[0]]:g} in process "
                    f"{differ[0]}; give all processes the same data and parameters, they share the batches themselves."
                )


class _Gathered(torch.autograd.Function):
    """A tensor of each process, stacked; its gradient is multiplied by the number of processes."""

    @staticmethod
    def forward(ctx, own, processes):
        ctx.processes, every = processes, [torch.empty_like(own) for _ in range(processes.size)]
        processes._do(dist.all_gather, every, own)
        return torch.stack(every)

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.processes.rank] * ctx.processes.size, None


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
        processes, generator = self.processes, net.generator
        processes.generator, processes.common = generator, generator.get_state()
        seeds = torch.randint(2**62, (processes.size,), generator=torch.Generator().set_state(processes.common))
        generator.manual_seed(int(seeds[processes.rank]))
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


def share(processes, problem, options):
    """Let the options of a problem be those of one of the processes; ValueError if the others have another problem."""
    X = problem.rows.X
    processes.check_same(
        **{
            "number of rows": len(X),
            "size of a row": X[:1].numel(),
            "number of rows to train on": len(problem.kept),
            "checksum of the rows": _checksum(X[:: -(-len(X) // 1000)]),
            "checksum of the targets": _checksum(problem.rows.targets.labels),
            "max_epochs": options.max_epochs,
            "lr": options.lr,
            "n_networks": problem.plan.n_networks,
        }
    )
    options.processes = processes
    if processes.rank:
        options.verbose = 0


def _checksum(values):
    """A number by which other values, or the same in another order, are found."""
    values = values.double().nan_to_num().abs().flatten()
    return float(values @ torch.linspace(1, 2, len(values), dtype=torch.float64))


@contextlib.contextmanager
def processes():
    """Context of the `Processes` of the launched group; an error in one of them ends it in all.

    Raises
    ------
    ValueError
        If there is no group.
    RuntimeError
        If another fit is trained in it.
    """
    _join()
    if not _training.acquire(blocking=False):
        raise RuntimeError("distributed=True trains one learner at a time in each process; fit them one by one.")
    try:
        together = Processes(dist.new_group(backend=_backend()))
        try:
            yield together
            dist.barrier()  # nobody leaves before the others have read all messages
        finally:
            dist.destroy_process_group(together.group)
            together.group = None  # connections are closed with the last reference, so that the others do not wait
    finally:
        _training.release()


def _join():
    """Join the launched group, unless it has been joined."""
    if not dist.is_available():
        raise ValueError("distributed=True needs torch.distributed, which this build of PyTorch lacks; set False.")
    if dist.is_initialized():
        return
    if not all(name in os.environ for name in LAUNCHED):
        raise ValueError(
            "distributed=True needs a group of processes; start the script by 'python -m torch.distributed.run "
            "--nproc_per_node 2 script.py', or set distributed=False."
        )
    if multiprocessing.current_process().name.startswith("Loky"):
        raise ValueError("distributed=True is not for the workers of n_jobs; set n_jobs=None in the search.")
    if _backend() != "gloo":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    dist.init_process_group(_backend())
    atexit.register(_leave)


def _backend():
    """Gloo for the CPU, and NCCL for GPUs if there is one for each process."""
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return "cpu:gloo,cuda:nccl" if dist.is_nccl_available() and torch.cuda.device_count() >= n_here else "gloo"


def _leave():
    if dist.is_initialized():
        dist.destroy_process_group()


def agreed_seed(seed):
    """The seed of process 0."""
    with processes() as together:
        return int(together.agreed([seed])[0])
