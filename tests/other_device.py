"""A device that is no CPU, with the numbers of the CPU: what mixes the two raises an error, as on a GPU.

PyTorch calls it "meta", which has no numbers.  Within `OtherDevice` its tensors have them, so that networks are trained
on it, and whatever reads numbers or selects by them works.  A GPU takes tensors of the CPU only where they are single
numbers, indices or copied; it draws from no generator of the CPU.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

NAME = "meta"
CPU, aten = torch.device("cpu"), torch.ops.aten
COPIES, INDEXED = {aten._to_copy, aten.to, aten.copy_}, {aten.index, aten.index_put, aten.index_put_}


class Elsewhere(torch.Tensor):
    """A tensor of the other device, with one of the CPU, ``inner``, that has its numbers."""

    @staticmethod
    def __new__(cls, inner):
        place = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, inner.size(), device=NAME, **place)

    def __init__(self, inner):
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    def new_tensor(self, data):
        return there(self.inner.new_tensor(data))

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} is called outside of the other device.")


class OtherDevice(TorchDispatchMode):
    """Context in which there is another device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, values = kwargs or {}, tree_flatten((args, kwargs or {}))[0]
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        wrapped = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
        here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.ndim]
        if wrapped and here and function.overloadpacket not in COPIES | INDEXED:
            raise RuntimeError(f"{function} takes tensors of two devices, {[tuple(t.shape) for t in tensors]}.")
        devices = [value.type for value in values if isinstance(value, torch.device)]
        goes_there = devices == [NAME] if devices else bool(wrapped)
        goes_there = isinstance(args[0], Elsewhere) if function.overloadpacket is aten.copy_ else goes_there
        if goes_there and kwargs.get("generator") is not None:
            raise RuntimeError(f"{function} draws from a generator of the CPU on another device.")
        draws = goes_there and torch.Tag.nondeterministic_seeded in function.tags
        with torch.random.fork_rng([], enabled=draws):  # the device has a generator of its own
            result = function(*tree_map(here_of, args), **tree_map(here_of, kwargs))
        outer = {id(tensor.inner): tensor for tensor in wrapped}  # of what is changed in place
        return tree_map(lambda value: outer.get(id(value), there(value)), result) if goes_there else result


def there(value):
    """A tensor on the other device; other values as they are."""
    return Elsewhere(value) if isinstance(value, torch.Tensor) and not isinstance(value, Elsewhere) else value


def here_of(value):
    """The numbers of a tensor of the other device, and the CPU in place of this device; other values as they are."""
    return CPU if isinstance(value, torch.device) else value.inner if isinstance(value, Elsewhere) else value
