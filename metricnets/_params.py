"""Parameters as typed fields: one line gives the constructor, the default and the range check.

The only file that imports scikit-learn's private names.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Annotated, get_args

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from metricnets._runtime import one_thread
from metricnets.exceptions import FitInterrupted


def checked(plain, *constraints):
    """Annotate the ``plain`` type with scikit-learn's parameter ``constraints``."""
    return Annotated[plain, constraints]


def one_of(*names, or_else=None):
    """Type a parameter that is one of ``names``, or of the further type ``or_else``."""
    options = StrOptions(set(names))
    if or_else is None:
        return checked(str, options)
    plain, *constraints = get_args(or_else) if get_args(or_else) else (or_else, or_else)
    constraints = constraints[0] if isinstance(constraints[0], tuple) else constraints
    return checked(str | plain, options, *constraints)


Count = checked(int, Interval(Integral, 1, None, closed="left"))
Whole = checked(int, Interval(Integral, 0, None, closed="left"))
MaybeCount = checked(int | None, Interval(Integral, 1, None, closed="left"), None)
Positive = checked(float, Interval(Real, 0, None, closed="neither"))
NonNegative = checked(float, Interval(Real, 0, None, closed="left"))
Share = checked(float, Interval(Real, 0, 1, closed="neither"))
RateBelowOne = checked(float, Interval(Real, 0, 1, closed="left"))
UpToOne = checked(float, Interval(Real, 0, 1, closed="right"))
MaybeShare = checked(float | str | None, Interval(Real, 0, 1, closed="both"), StrOptions({"auto"}), None)
MaybeTolerance = checked(float | None, Interval(Real, 0, None, closed="left"), None)
MaybeRate = checked(float | None, Interval(Real, 0, 1, closed="both"), None)
Flag = checked(bool, "boolean")
Verbosity = checked(int, "verbose")
Seed = checked(int | np.random.RandomState | None, "random_state")
Sizes = checked(tuple, tuple, list)
MaybeList = checked(list | None, list, tuple, None)
MaybeDict = checked(dict | None, dict, None)
Array = checked(np.ndarray, "array-like")
MaybeArray = checked(np.ndarray | None, "array-like", None)
MaybeSource = checked(np.ndarray | Callable | None, "array-like", callable, None)
MaybeObject = checked(object, object, None)
MaybeMetric = checked(object, HasMethods("pair_distance"), HasMethods("transform"), None)
LearnerOrDistance = checked(object, HasMethods("transform"), callable, None)
Prior = one_of("identity", "covariance", "random", or_else=checked(np.ndarray, "array-like"))
Function = checked(Callable, callable)
MaybeFunction = checked(Callable | None, callable, None)


def random_state_of(seed):
    """Make the generator of a ``random_state``; NumPy's global one, which None means elsewhere, is left alone."""
    return np.random.RandomState() if seed is None else check_random_state(seed)


def check_instance(value, name):
    """Raise ValueError if a class was given for an estimator."""
    if isinstance(value, type):
        raise ValueError(f"{name}={value.__name__} is a class; give an instance, {value.__name__}().")


class Parametrized(BaseEstimator):
    """An estimator whose class body lists its parameters, ``margin: Positive = 1.0``.

    Subclassing makes a dataclass whose fields become scikit-learn's parameters, and reads the
    range checks from the annotations.  Parameters are keyword-only, unless they are declared as
    ``field(default=..., kw_only=False)``.  ``help`` shows every parameter, inherited ones included,
    with the text of the class that declares it.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        dataclass(kw_only=True, eq=False, repr=False)(cls)
        metadata = {field.name: get_args(field.type) for field in fields(cls)}
        cls._parameter_constraints = {name: list(args[1]) for name, args in metadata.items()}
        cls.__init__.__annotations__ = {name: args[0] for name, args in metadata.items()}
        cls.__init__.__annotations__["return"] = None
        cls.__init__.__doc__ = _parameters_section(cls)


def _parameters_section(cls):
    """Join the "Parameters" sections of a class and its ancestors, the class's own first."""
    entries = {}
    for ancestor in cls.__mro__:
        _, _, after = inspect.cleandoc(ancestor.__doc__ or "").partition("Parameters\n----------\n")
        section, _, _ = after.partition("\n\n")
        for entry in re.split(r"\n(?=\S)", section):
            name, _, _ = entry.partition(" : ")
            if name in cls.__dataclass_fields__:
                entries.setdefault(name, entry)
    return "Parameters\n----------\n" + "\n".join(entries.values())


def fitting(fit):
    """Decorate ``fit``: check the parameters first, and change nothing unless it succeeds.

    NumPy works in one thread meanwhile; see `metricnets._runtime.one_thread`.
    """

    @functools.wraps(fit)
    def wrapper(self, *args, **kwargs):
        self._validate_params()
        before = vars(self).copy()
        try:
            with one_thread():
                return fit(self, *args, **kwargs)
        except FitInterrupted:
            raise
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return wrapper
