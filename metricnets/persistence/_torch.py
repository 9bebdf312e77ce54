"""Networks: their layers by name, their tensors as arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from metricnets.persistence._containers import of_type, read_dict
from metricnets.persistence._names import name_of
from metricnets.persistence._objects import made, set_state
from metricnets.persistence._tree import Kind, Reader, Writer, refusal

BLANK = vars(nn.Module())
PARTS = ("_parameters", "_buffers", "_modules")
HOOKS = [name for name in BLANK if "hook" in name]


def _write_tensor(tensor, writer: Writer, where: str):
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise TypeError(refusal(tensor, where, "and has no plain array"))
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    content = {"requires_grad": True} if tensor.requires_grad else {}
    if plain.dtype == torch.bfloat16:  # of which NumPy has none
        plain, content = plain.view(torch.int16), content | {"dtype": "bfloat16"}
    return content | {"array": writer(plain.numpy(), where)}


def _read_tensor(content, reader: Reader):
    if "same" in content["array"]:
        raise ValueError("it has two tensors of one array.")
    array = reader.of_type(content["array"], np.ndarray)
    tensor = torch.from_numpy(array).clone()  # in memory of PyTorch's own, on whose place last bits may depend
    tensor = tensor.view(torch.bfloat16) if content.get("dtype") == "bfloat16" else tensor
    return tensor.requires_grad_(bool(content.get("requires_grad", False)))


def _read_parameter(content, reader):
    tensor = _read_tensor(content, reader)
    return nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


def _write_module(module, writer: Writer, where: str):
    state = dict(module.__getstate__())
    hooks = [name for name in HOOKS if state.get(name)]
    if hooks:
        raise TypeError(f"{where} cannot be saved: it has {hooks[0]}, which are code; remove them first.")
    content = {"class": name_of(type(module))}
    for part in PARTS:
        entries = state.pop(part)
        if entries:
            content[part] = {name: writer(entry, f"{where}.{name}") for name, entry in entries.items()}
    own = {name: value for name, value in state.items() if name not in BLANK or value != BLANK[name]}
    return content | {"state": {name: writer(value, f"{where}.{name}") for name, value in own.items()}}


def _read_module(content, reader: Reader):
    module = made(reader.names[content["class"]], nn.Module)
    nn.Module.__init__(module)
    for part, kinds in zip(PARTS, (nn.Parameter, torch.Tensor, nn.Module)):
        entries = read_dict(content.get(part, {}), reader)
        if not all(entry is None or isinstance(entry, kinds) for entry in entries.values()):
            raise ValueError(f"the entries of {part} should be of {kinds.__name__}.")
        vars(module)[part].update(entries)
    state = read_dict(content["state"], reader)
    if {*HOOKS, *PARTS} & state.keys():
        raise ValueError("it has a module with hooks, which are code.")
    set_state(module, vars(module) | state)
    return module


def _read_dtype(name, _):
    dtype = vars(torch).get(name)  # getattr might import
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"it has torch.{name} as a type of numbers.")
    return dtype


KINDS = {
    "parameter": Kind(of_type(nn.Parameter), _write_tensor, _read_parameter),
    "tensor": Kind(of_type(torch.Tensor), _write_tensor, _read_tensor),
    "module": Kind(lambda value: isinstance(value, nn.Module), _write_module, _read_module),
    "device": Kind(of_type(torch.device), lambda value, *_: str(value), lambda name, _: torch.device(name)),
    "torch_dtype": Kind(of_type(torch.dtype), lambda value, *_: str(value).removeprefix("torch."), _read_dtype),
    "size": Kind(
        of_type(torch.Size), lambda value, *_: [*value], lambda content, _: torch.Size([int(n) for n in content])
    ),
}
