"""Containers and numbers of Python."""

from __future__ import annotations

import types
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np

from metricnets.persistence._tree import PLAIN, Kind, Reader, Writer, refusal

METHODS = ("transform",)  # bound ones that estimators keep
BITS = 2**16  # of an integer, as what is done with it may take the square of their number
COLLISIONS = 100  # of keys with the same hash, which Python compares with each other


def of_type(kind: type):
    """Whether a value is of this type exactly."""
    return lambda value: type(value) is kind


def write_items(values, writer: Writer, where: str) -> list:
    """Write each value of a sequence."""
    return [writer(value, f"{where}[{i}]") for i, value in enumerate(values)]


def write_dict(values: dict, writer: Writer, where: str) -> dict | list:
    """Write a dictionary: an object of JSON if its keys are strings, and otherwise a list of pairs."""
    if all(type(key) is str for key in values):
        return {key: writer(value, f"{where}[{key!r}]") for key, value in values.items()}
    return [[writer(_key(key, where), where), writer(value, f"{where}[{key!r}]")] for key, value in values.items()]


def read_dict(content: dict | list, reader: Reader) -> dict:
    """Read a dictionary."""
    if isinstance(content, dict):
        return {key: reader(tree) for key, tree in content.items()}
    pairs = [(reader(key), reader(tree)) for key, tree in content]
    return dict(zip(_keys([key for key, _ in pairs]), (value for _, value in pairs)))


def _keys(keys):
    """Keys of a dictionary or members of a set; ValueError if their hashes are equal, so that it would take long."""
    keys = [_key(key) for key in keys]
    if len(keys) - len({hash(key) for key in keys}) > COLLISIONS:
        raise ValueError("it has keys whose hashes are equal.")
    return keys


def _key(key, where="a key"):
    """A key of a dictionary or member of a set: comparing such keys takes no time that a file could choose."""
    parts = key if type(key) in (tuple, frozenset) else (key,)
    if all(type(part) in (*PLAIN, int, float, bytes) or isinstance(part, np.generic) for part in parts):
        return key
    raise TypeError(refusal(key, where, "which is not supported as a key"))


def _write_int(value, writer, where):
    if value.bit_length() > BITS:
        raise TypeError(refusal(value, where, f"of more than {BITS} bits"))
    return hex(value)


def _read_int(text, reader):
    if len(text) > BITS:
        raise ValueError(f"it has an integer of more than {BITS} bits.")
    return int(text, 16)


def _write_set(values, writer, where):
    return write_items(sorted((_key(value, where) for value in values), key=repr), writer, where)


def _read_set(content, reader):
    return set(_keys(reader.each(content)))


def _write_partial(value, writer, where):
    parts = (value.func, value.args, value.keywords)
    return [writer(part, f"{where}.{name}") for part, name in zip(parts, ("func", "args", "keywords"))]


def _read_partial(content, reader):
    function, args, keywords = content
    function = reader(function)
    return partial(function, *reader.of_type(args, tuple), **reader.of_type(keywords, dict))


def _write_method(value, writer, where):
    if value.__name__ not in METHODS:
        raise TypeError(refusal(value, where, f"and {value.__qualname__} is not among the methods that are"))
    return [writer(value.__self__, where), value.__name__]


def _read_method(content, reader):
    owner, name = reader.each(content)
    return getattr(owner, METHODS[METHODS.index(name)])


def _is_named_tuple(value):
    return type(value).__bases__ == (tuple,) and hasattr(value, "_fields")


def _write_named_tuple(value, writer, where):
    return [writer(type(value), where), *write_items(value, writer, where)]


def _read_named_tuple(content, reader):
    cls, *values = reader.each(content)
    if not (isinstance(cls, type) and cls.__bases__ == (tuple,) and len(values) == len(cls._fields)):
        raise ValueError(f"it has {len(values)} fields of something that is not a named tuple of so many.")
    return tuple.__new__(cls, values)


KINDS = {
    "float": Kind(of_type(float), lambda value, *_: repr(value), lambda text, _: float(text)),
    "int": Kind(of_type(int), _write_int, _read_int),
    "complex": Kind(of_type(complex), lambda value, *_: str(value), lambda text, _: complex(text)),
    "bytes": Kind(of_type(bytes), lambda value, *_: value.hex(), lambda text, _: bytes.fromhex(text)),
    "path": Kind(of_type(type(Path())), lambda value, *_: str(value), lambda text, _: Path(text)),
    "list": Kind(of_type(list), write_items, lambda content, reader: reader.each(content)),
    "tuple": Kind(of_type(tuple), write_items, lambda content, reader: tuple(reader.each(content))),
    "set": Kind(of_type(set), _write_set, _read_set),
    "frozenset": Kind(of_type(frozenset), _write_set, lambda content, reader: frozenset(_read_set(content, reader))),
    "dict": Kind(of_type(dict), write_dict, read_dict),
    "OrderedDict": Kind(
        of_type(OrderedDict), write_dict, lambda content, reader: OrderedDict(read_dict(content, reader))
    ),
    "slice": Kind(
        of_type(slice),
        lambda value, writer, where: write_items((value.start, value.stop, value.step), writer, where),
        lambda content, reader: slice(*reader.each(content)),
    ),
    "range": Kind(
        of_type(range),
        lambda value, writer, where: write_items((value.start, value.stop, value.step), writer, where),
        lambda content, reader: range(*reader.each(content)),
    ),
    "partial": Kind(of_type(partial), _write_partial, _read_partial),
    "method": Kind(of_type(types.MethodType), _write_method, _read_method),
    "named_tuple": Kind(_is_named_tuple, _write_named_tuple, _read_named_tuple),
}
