"""Cached gradients: the gradient of a batch whose points are embedded some at a time.

The points are embedded without gradients; the loss gives the gradient by the embeddings; then the points are embedded
again, and it is propagated to the weights.  Memory is that of the activations of some points, and of all embeddings.
"""

from functools import partial
from itertools import count

import torch

from metricnets.deep._training.embedding import is_known
from metricnets.networks import Dropout, drawn


def cached_gradients(module, embed, loss_of, x, *, size, generator, device):
    """Add the gradient of a batch to those of the parameters.

    Parameters
    ----------
    module : torch.nn.Module
        The network, which treats each point by itself.
    embed : callable
        Applies it to some points.
    loss_of : callable
        Function of the output of the network for all points, a tensor, list or tuple of tensors with as many rows as
        points, or as many in each of several parts.
    x : tensor of shape (n, ...)
    size : int
        Number of points embedded at a time.
    generator : torch.Generator
        Generator of what the network draws: the numbers are the same both times.  Masks of our dropout are those of the
        whole batch.
    device : str

    Returns
    -------
    z : tensor, or list or tuple of tensor
        The output, without gradients.
    loss : tensor of shape ()

    References
    ----------
    L. Gao, Y. Zhang, J. Han, J. Callan, "Scaling deep contrastive learning batch size under memory limited setup",
    RepL4NLP 2021.
    """
    chunks = x.split(size)
    is_ours = all(map(is_known, module.modules()))  # so that nothing but our dropout draws
    same = Masks(module, len(x), size) if is_ours else States(module, generator, torch.device(device))
    with same:
        with torch.no_grad():
            outputs = []
            for number, some in enumerate(chunks):
                same.draw(number)
                outputs.append(embed(some))
        z = joined(outputs, chunks)
        leaves = [each.requires_grad_() for each in tensors(z)]
        loss = loss_of(like(z, [each.clone() for each in leaves]))  # a loss may change them in place
        loss.backward()
        same.go_back()
        for number, some in enumerate(chunks):
            same.draw(number)
            parts = tensors(embed(some))
            rows = [of_chunk(each.grad, number * size, len(some), len(x)) for each in leaves]
            pairs = [(part, row) for part, row in zip(parts, rows) if row is not None and part.requires_grad]
            if pairs:
                torch.autograd.backward(*zip(*pairs))
    return like(z, [each.detach() for each in leaves]), loss


def tensors(z):
    """The tensors of an output."""
    return list(z) if isinstance(z, list | tuple) else [z]


def like(z, parts):
    """Tensors in the form of an output."""
    return type(z)(parts) if isinstance(z, list | tuple) else parts[0]


def joined(outputs, chunks):
    """The output for all points from those of chunks; each part of the rows of an output has a row for each point."""
    parts = zip(*(tensors(output) for output in outputs))
    whole = [
        torch.cat([z.unflatten(0, (-1, len(x))) for z, x in zip(each, chunks)], dim=1).flatten(0, 1) for each in parts
    ]
    return like(outputs[0], whole)


def of_chunk(gradient, start, n_rows, n):
    """The rows of a gradient that belong to some points of n, in the order of the output for them; None for None."""
    return gradient if gradient is None else gradient.unflatten(0, (-1, n))[:, start : start + n_rows].flatten(0, 1)


class Masks:
    """The masks of our dropout, drawn for the whole batch at once as without chunks, and kept for both passes."""

    def __init__(self, module, n, size):
        self.layers = [part for part in module.modules() if isinstance(part, Dropout)]
        self.n, self.size, self.masks = n, size, {}

    def __enter__(self):
        for layer in self.layers:
            layer.forward = partial(self.forward, layer)

    def __exit__(self, *error):
        for layer in self.layers:
            del layer.forward

    def draw(self, number):
        """Go to a chunk."""
        self.rows, self.calls = slice(number * self.size, min(self.n, (number + 1) * self.size)), count()

    def forward(self, dropout, x):
        """Apply a layer of dropout to the points of a chunk, or to some of them, whose mask is then of them alone."""
        if not dropout.training:
            return x
        is_whole = len(x) == self.rows.stop - self.rows.start
        call = next(self.calls), None if is_whole else self.rows.start
        if call not in self.masks:
            shape = (self.n if is_whole else len(x), *x.shape[1:])
            device = x.device if dropout.generator is None else dropout.generator.device
            self.masks[call] = drawn(shape, 1 - dropout.p, dropout.generator, device).bool()
        mask = self.masks[call][self.rows] if is_whole else self.masks[call]
        return x * mask.to(x.dtype).div_(1 - dropout.p).to(x.device)

    def go_back(self):
        """Prepare the second pass."""


class States:
    """The states of generators at each chunk, restored in the second pass, and the buffers, which move once.

    The buffers of a module are, for instance, the running means of normalisation by batches.
    """

    def __init__(self, module, generator, device):
        self.module, self.generator, self.is_cuda = module, generator, device.type == "cuda"
        self.device, self.states, self.again = device, [], False

    def __enter__(self):
        self.buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]

    def state(self):
        """The states of the generator on the CPU and of that of the GPU."""
        return self.generator.get_state(), torch.cuda.get_rng_state(self.device) if self.is_cuda else None

    def restore(self, state):
        """Give the generators a state."""
        self.generator.set_state(state[0])
        if self.is_cuda:
            torch.cuda.set_rng_state(state[1], self.device)

    def draw(self, number):
        """Go to a chunk."""
        if self.again:
            self.restore(self.states[number])
        else:
            self.states.append(self.state())

    @torch.no_grad()
    def go_back(self):
        """Prepare the second pass."""
        self.again, self.end = True, self.state()
        for buffer, before in self.buffers:
            buffer.copy_(before)

    def __exit__(self, *error):
        if self.again:
            self.restore(self.end)
