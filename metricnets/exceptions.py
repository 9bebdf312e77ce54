"""Errors that the caller may want to tell from others, and warnings that point at the caller."""

import difflib
import os
import sys
import warnings

from numpy.linalg import LinAlgError

PACKAGE = os.path.dirname(__file__) + os.sep


class PreprocessorError(Exception):
    """A callable ``preprocessor`` failed; its own error is the cause, ``__cause__``."""


class NonPSDError(LinAlgError):
    """A matrix that should be positive semi-definite is not."""


def warn(message, category=UserWarning):
    """Warn, naming the line outside of this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class FitInterrupted(KeyboardInterrupt):
    """The user interrupted a ``fit``, and the estimator keeps what it had learned by then."""


def did_you_mean(name, options):
    """Return " Did you mean 'margin'?" for the option nearest to a misspelt name, or "" if none is near.

    >>> did_you_mean("margn", ["margin", "gap"])
    " Did you mean 'margin'?"
    """
    known = {str(option).lower(): option for option in options}
    near = difflib.get_close_matches(str(name).lower(), known, n=1) if isinstance(name, str) else []
    return f" Did you mean {known[near[0]]!r}?" if near else ""


def check_option(name, value, options):
    """Raise ValueError, with all options and the most similar one, if ``value`` is none of them."""
    if value not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name}={value!r} is unknown; it should be one of {known}.{did_you_mean(value, options)}")
