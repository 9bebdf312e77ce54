"""Classes and functions, by their names, and objects, by their state."""

from __future__ import annotations

import types

import numpy as np
from sklearn.base import BaseEstimator

from metricnets.persistence._containers import read_dict
from metricnets.persistence._names import name_of, own_name
from metricnets.persistence._scikit_learn import restored, state_to_save
from metricnets.persistence._tree import Kind, Reader, Writer, refusal

NAMED = (type, types.FunctionType, np.ufunc)


def _has_a_name(value):
    """Whether a value is a class or a function, and no method of an object."""
    of_c = isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType)
    return isinstance(value, NAMED) or of_c


def _write_name(value, writer: Writer, where: str):
    name = name_of(value)
    if own_name(value) == name and (getattr(value, "__closure__", None) or value.__name__ == "<lambda>"):
        raise TypeError(
            f"{where}={value!r} cannot be saved, as a lambda or a function of a function has no name of its own. "
            "Define it in a module, or give a functools.partial of such a function."
        )
    return name


def _has_a_state(value):
    """Whether the attributes of an object are all of it."""
    cls = type(value)
    of_python = cls.__reduce__ is object.__reduce__ and cls.__reduce_ex__ is object.__reduce_ex__
    return of_python and hasattr(value, "__dict__") and _is_plain(cls)


def _is_plain(cls):
    """Whether ``object.__new__`` makes an instance: the class is written in Python, and extends no built-in one."""
    try:
        object.__new__(cls)
    except TypeError:
        return False
    return True


def _write_object(value, writer: Writer, where: str):
    state = value.__getstate__()
    if not isinstance(state, dict):
        raise TypeError(refusal(value, where))
    if isinstance(value, BaseEstimator):
        state = state_to_save(value, state, where)
    content = {name: writer(part, f"{where}.{name}") for name, part in state.items()}
    return {"class": name_of(type(value)), "state": content}


def _read_object(content, reader: Reader):
    value = made(reader.names[content["class"]], object)
    set_state(value, read_dict(content["state"], reader))
    return restored(value, reader) if isinstance(value, BaseEstimator) else value


def made(cls: type, base: type) -> object:
    """A new instance of a class, without a call of its constructor; ValueError if it is no subclass of ``base``."""
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise ValueError(f"it has a state of {cls!r}, which has none.")
    return object.__new__(cls)


def set_state(value: object, state: dict) -> None:
    """Give an object its attributes."""
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
    else:
        vars(value).update(state)


KINDS = {
    "name": Kind(_has_a_name, _write_name, lambda name, reader: reader.names[name]),
    "object": Kind(_has_a_state, _write_object, _read_object),
}
