"""Checks of the parameters of functions; estimators declare theirs, see `metricnets._params`."""

import math
import operator
from collections.abc import Collection
from numbers import Integral, Real

from metricnets.exceptions import did_you_mean

HOLDS = {"above": operator.gt, "at_least": operator.ge, "below": operator.lt, "at_most": operator.le}


def check_real(name: str, value: float, what: str = "a finite number", **bounds: float) -> None:
    """Raise ValueError unless a parameter is a finite real number within its bounds.

    >>> check_real("momentum", 2.0, at_least=0, below=1)
    Traceback (most recent call last):
    ValueError: momentum=2.0 should be a finite number, at least 0 and below 1.
    """
    holds = isinstance(value, Real) and math.isfinite(value)
    for bound, limit in bounds.items():
        holds = holds and HOLDS[bound](value, limit)
    if not holds:
        limits = " and ".join(f"{bound.replace('_', ' ')} {limit:.4g}" for bound, limit in bounds.items())
        raise ValueError(f"{name}={value!r} should be {', '.join(filter(None, [what, limits]))}.")


def check_option(name: str, value: object, options: Collection[object]) -> None:
    """Raise ValueError, with all options and the most similar one, if ``value`` is not one of them."""
    if value not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name}={value!r} is unknown; it should be one of {known}.{did_you_mean(value, options)}")


def check_positive(**parameters: float) -> None:
    """Raise ValueError unless all parameters are finite real numbers above 0."""
    for name, value in parameters.items():
        check_real(name, value, above=0)


def check_not_negative(**parameters: float) -> None:
    """Raise ValueError unless all parameters are finite real numbers of at least 0."""
    for name, value in parameters.items():
        check_real(name, value, at_least=0)


def check_count(**parameters: int) -> None:
    """Raise ValueError unless all parameters are integers from 1."""
    for name, value in parameters.items():
        if not _is_count(value):
            raise ValueError(f"{name}={value!r} should be an integer from 1.")


def check_counts(**parameters: Collection[int]) -> None:
    """Raise ValueError unless all parameters are one or more integers from 1."""
    for name, values in parameters.items():
        if not isinstance(values, Collection) or not len(values) or not all(map(_is_count, values)):
            raise ValueError(f"{name}={values!r} should be one or more integers from 1, such as (1, 2, 4).")


def _is_count(value):
    return isinstance(value, Integral) and value >= 1
