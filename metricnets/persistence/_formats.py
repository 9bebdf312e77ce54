"""Formats of files: what is in one of an older version becomes what this version would have written.

A file is of format 1, 2 and so on.  The number grows whenever older versions cannot read what this one writes, or this
one would misread what they wrote, as an attribute has another name or meaning.  Then `STEPS` gets a function, from the
value in the last format to that in the new one.  What is only moved needs no new format: its old name is put into
``RENAMED`` of ``_names.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metricnets._version import __version__

# From format 1 to 2, from 2 to 3, and so on: functions of the tree of JSON that a file holds, to another one, for good
STEPS: tuple[Callable[[Any], Any], ...] = ()


def newest() -> int:
    """The format that is written."""
    return len(STEPS) + 1


def value_of(content: dict[str, Any]) -> Any:
    """The value of a file in the newest format; ValueError if the file is of a newer one."""
    number = content["format"]
    if type(number) is not int or number < 1:
        raise ValueError("its format has no number.")
    if number > newest():
        version = content["versions"]["metricnets"]
        raise ValueError(
            f"it was written by metricnets {version}, in format {number}, and {__version__} reads formats up to "
            f"{newest()}; install metricnets {version} or newer."
        )
    value = content["value"]
    for step in STEPS[number - 1 :]:
        value = step(value)
    return value
