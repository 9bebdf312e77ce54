"""Values as files of checkpoints hold them: what modules, optimisers and schedules remember."""

import dataclasses

import numpy as np
import torch

from metricnets.deep._training.data import Targets

KIND = "kind of a packed value"


def load(module, state):
    """Give a module the weights and buffers of a state; buffers may have grown."""
    for name, value in state.items():
        owner, _, last = name.rpartition(".")
        buffers = module.get_submodule(owner)._buffers
        if last in buffers and (buffers[last] is None or buffers[last].shape != value.shape):
            buffers[last] = torch.empty_like(value)
    module.load_state_dict(state)


def attributes(module):
    """What the parts of a module remember besides their weights and buffers, such as past batches, as plain values."""
    found = {}
    for name, part in module.named_modules():
        unsaved = {key: part._buffers[key] for key in part._non_persistent_buffers_set}
        own = {key: value for key, value in vars(part).items() if not key.startswith("_") and key != "training"}
        found[name] = packable(own | unsaved)
    return found


def set_attributes(module, found, targets):
    """Let the parts of a module remember what `attributes` found; ``targets`` have the relation of past ones."""
    for name, part in module.named_modules():
        for key, value in found[name].items():
            value = unpack(value, targets)
            if isinstance(vars(part).get(key), torch.Generator):
                vars(part)[key].set_state(value)
            else:
                setattr(part, key, value)


def packable(values):
    """Those of the values that are plain, packed; functions and modules are not."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = pack(value)
        except TypeError:
            continue
    return found


def pack(value):
    """A value of numbers, strings, arrays, tensors, targets and generators in lists and dicts, as files hold it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {KIND: "array", "of": torch.from_numpy(value.copy())}
    if isinstance(value, torch.Generator):
        return {KIND: "generator", "of": value.get_state()}
    if isinstance(value, Targets):
        fields = {name: each for name, each in vars(value).items() if isinstance(each, torch.Tensor)}
        return {KIND: "targets", "of": pack(fields)}
    if isinstance(value, list | tuple):
        return type(value)(map(pack, value)) if type(value) in (list, tuple) else list(map(pack, value))
    if isinstance(value, dict):
        return {key: pack(each) for key, each in value.items()}
    raise TypeError(f"{type(value).__name__} cannot be written to a file")


def unpack(value, targets=None):
    """The value that was packed; ``targets`` have what those in it do not, such as the relation."""
    if isinstance(value, list | tuple):
        return type(value)(unpack(each, targets) for each in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind == "array":
        return value["of"].numpy()
    if kind == "generator":
        return value["of"]
    if kind == "targets":
        none = dict.fromkeys(("row", "source", "sets", "weights", "members"))
        return dataclasses.replace(targets, **none | unpack(value["of"]))
    return {key: unpack(each, targets) for key, each in value.items()}
