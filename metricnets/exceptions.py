"""Exceptions and warnings of the package."""

import difflib
import os
import sys
import warnings
from collections.abc import Collection, Iterable

from numpy.linalg import LinAlgError

PACKAGE = os.path.dirname(__file__) + os.sep


class PreprocessorError(Exception):
    """Raised when a callable ``preprocessor`` fails; its own error is the ``__cause__``."""


class NonPSDError(LinAlgError):
    """Raised when a matrix that should be positive semi-definite is not."""


class InconsistentVersionWarning(UserWarning):
    """Warning that a pickle was written by another version of this package, and may not work.

    Parameters
    ----------
    name : str
        Class of the object.
    written_by : str or None
        Version that wrote the pickle; None if it is unknown.
    read_by : str
        Version that reads the pickle.
    """

    def __init__(self, name: str, written_by: str | None, read_by: str) -> None:
        super().__init__(name, written_by, read_by)
        self.name, self.written_by, self.read_by = name, written_by, read_by

    def __str__(self):
        return (
            f"this pickle of {self.name} was written by metricnets {self.written_by or 'of an unknown version'} and is "
            f"read by metricnets {self.read_by}: it may fail or give other results; refit it, or install the "
            "version that wrote it."
        )


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that points at the line outside of this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class FitInterrupted(KeyboardInterrupt):
    """Raised when the user interrupts a ``fit``; the estimator keeps the epochs that were finished.

    Parameters
    ----------
    message : str
        What was kept.
    estimator : object or None, default=None
        The estimator that was being fitted.
    """

    def __init__(self, message: str, estimator: object = None) -> None:
        super().__init__(message)
        self.estimator = estimator


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """Return " Did you mean 'margin'?" for the option closest to a misspelt name, or "" if none is close.

    >>> did_you_mean("margn", ["margin", "gap"])
    " Did you mean 'margin'?"
    """
    known = {str(option).lower(): option for option in options}
    near = difflib.get_close_matches(str(name).lower(), known, n=1) if isinstance(name, str) else []
    return f" Did you mean {known[near[0]]!r}?" if near else ""


def check_option(name: str, value: object, options: Collection[object]) -> None:
    """Raise ValueError, with all options and the most similar one, if ``value`` is not one of them."""
    if value not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name}={value!r} is unknown; it should be one of {known}.{did_you_mean(value, options)}")
