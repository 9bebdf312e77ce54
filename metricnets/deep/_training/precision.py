"""Mixed precision: a network computed in bfloat16, whose weights and outputs are in single precision."""

import torch
from torch import nn


class InBfloat16(nn.Module):
    """A network whose matrix products are computed in bfloat16 in training, and in single precision otherwise."""

    def __init__(self, module):
        super().__init__()
        self.module, self.__name__ = module, type(module).__name__  # errors name the network

    def forward(self, x):
        if not self.training:
            return self.module(x)
        with torch.autocast(x.device.type, torch.bfloat16):
            z = self.module(x)
        return type(z)(map(in_single, z)) if isinstance(z, list | tuple) else in_single(z)


def in_single(z):
    """A tensor in single precision, if it is in bfloat16."""
    return z.float() if isinstance(z, torch.Tensor) and z.dtype == torch.bfloat16 else z


def check_precision(precision, device):
    """Raise ValueError if a device cannot compute in this precision."""
    kind = torch.device(device).type
    can = kind == "cpu" or (kind == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8)
    if not can:
        raise ValueError(
            f"precision={precision!r} needs bfloat16, which device={device!r} does not have; set precision='float32', "
            "or device='cpu'."
        )
