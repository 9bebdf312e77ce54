"""Training in several processes: each embeds its share of a batch, and the loss is that of the whole batch.

All processes have the same rows, batches and draws of the loss, so that they decide alike.  Embeddings are gathered and
gradients averaged by torch.distributed.
"""

import dataclasses

import numpy as np
import torch
import torch.distributed as dist


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

    def draw_apart(self, generator, common):
        """Let layers draw from a generator, other numbers in each process, and losses those of a state."""
        self.generator, self.common = generator, common
        seeds = torch.randint(2**62, (self.size,), generator=torch.Generator().set_state(common))
        generator.manual_seed(int(seeds[self.rank]))

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
        """The loss of the whole batch; it draws the same numbers in all processes, which may share its pairs."""
        z, targets = self.whole(output), dataclasses.replace(targets, processes=self)
        if not torch.is_grad_enabled():  # `same_draws` of an evaluation
            return criterion(z, targets)
        own = self.generator.get_state()
        self.generator.set_state(self.common)
        loss = criterion(z, targets)
        self.common = self.generator.get_state()
        self.generator.set_state(own)
        return loss

    def anchors(self, n):
        """The rows, of n, whose losses with all rows this process computes."""
        return range(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def total(self, *tensors):
        """The sums of tensors over the processes."""
        sums = torch.cat([each.reshape(-1) for each in tensors])
        self._do(dist.all_reduce, sums)
        return [part.view_as(each) for part, each in zip(sums.split([each.numel() for each in tensors]), tensors)]

    def average(self, parameters, statistics):
        """Average the gradients of parameters, and the running statistics of layers, over the processes.

        The gradient of embeddings is multiplied by the number of processes before, so the average is the gradient of
        the whole batch, also where the loss depends on parameters otherwise.
        """
        parameters = [each for each in parameters if each.requires_grad]
        given = torch.tensor([float(each.grad is not None) for each in parameters], device=parameters[0].device)
        values = [torch.zeros_like(each) if each.grad is None else each.grad.to_dense() for each in parameters]
        given, *sums = self.total(given, *values, *statistics)
        for parameter, is_given, total in zip(parameters, given.tolist(), sums):
            parameter.grad = total.div_(self.size).to(parameter.dtype) if is_given else None
        for statistic, total in zip(statistics, sums[len(parameters) :]):
            statistic.copy_(total / self.size)

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

    def object_of_first(self, value):
        """The value of process 0."""
        box = [value]
        self._do(dist.broadcast_object_list, box, src=0)
        return box[0]

    def of_all(self, value):
        """The values of all processes."""
        values = [None] * self.size
        self._do(dist.all_gather_object, values, value)
        return values

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
