"""Exceptions and warnings of the package."""

import difflib
import os
import sys
import warnings
from collections.abc import Iterable

from numpy.linalg import LinAlgError

PACKAGE = os.path.dirname(__file__) + os.sep
DECORATORS = "contextlib.py"  # of Python, and PyTorch's _contextlib.py: they call what contexts decorate
SYNONYMS = {  # our parameters by their names in other libraries, the nearest in meaning first
    "alpha": ["weight_decay"],
    "batch": ["batch_size"],
    "convergence_tol": ["tol"],
    "convergence_threshold": ["tol", "convergence_tol"],
    "criterion": ["loss"],
    "distance": ["metric"],
    "drop_rate": ["dropout"],
    "embedding_dim": ["n_components"],
    "embedding_size": ["n_components"],
    "epochs": ["max_epochs", "max_iter"],
    "estimator": ["metric"],
    "eta": ["lr"],
    "hidden_dim": ["hidden"],
    "hidden_dims": ["hidden"],
    "hidden_layer_sizes": ["hidden"],
    "hidden_layers": ["hidden"],
    "hidden_sizes": ["hidden"],
    "hidden_units": ["hidden"],
    "iterations": ["max_iter", "max_epochs"],
    "k": ["n_neighbors", "k_genuine", "n_neighbors_within"],
    "k_genuine": ["n_neighbors", "n_neighbors_within", "k"],
    "k_impostor": ["n_neighbors_between"],
    "l2": ["weight_decay", "regularization"],
    "learn_rate": ["lr"],
    "learning_rate": ["lr"],
    "learning_rate_init": ["lr"],
    "loss_fn": ["loss"],
    "m": ["n_per_class"],
    "max_epochs": ["max_iter"],
    "max_iter": ["max_epochs"],
    "mining_func": ["miner"],
    "model": ["module", "metric", "estimator"],
    "n_dims": ["n_components"],
    "n_epochs": ["max_epochs", "max_iter"],
    "n_iter": ["max_iter", "max_epochs"],
    "n_neighbors": ["n_neighbors_within", "k", "k_genuine"],
    "network": ["module"],
    "num_chunks": ["n_chunks"],
    "num_constraints": ["n_constraints"],
    "num_dims": ["n_components"],
    "num_epochs": ["max_epochs", "max_iter"],
    "num_iterations": ["max_iter", "max_epochs"],
    "patience": ["n_iter_no_change"],
    "samples_per_class": ["n_per_class"],
    "scheduler": ["lr_schedule"],
    "seed": ["random_state"],
    "solver": ["optimizer"],
    "tol": ["convergence_tol"],
    "trunk": ["module"],
}


class PreprocessorError(Exception):
    """Raised when a callable ``preprocessor`` fails; its own error is the ``__cause__``."""


class NonPSDError(LinAlgError):
    """Raised when a matrix that should be positive semi-definite is not."""


class SavedFileError(ValueError):
    """Raised when a file is none that :func:`metricnets.load` can load safely.

    Parameters
    ----------
    path : str
        The file.
    reason : str or Exception
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str | Exception) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self):
        plain = isinstance(self.reason, str) or type(self.reason) is ValueError
        kind = "" if plain else f"its content is wrong, {type(self.reason).__name__}: "
        return f"{self.path} cannot be loaded: {kind}{self.reason!s:.500}"


class InconsistentVersionWarning(UserWarning):
    """Warning that a pickle or saved file was written by another version of this package, and may not work.

    Parameters
    ----------
    name : str
        Class of the object.
    written_by : str or None
        Version that wrote it; None if it is unknown.
    read_by : str
        Version that reads it.
    """

    def __init__(self, name: str, written_by: str | None, read_by: str) -> None:
        super().__init__(name, written_by, read_by)
        self.name, self.written_by, self.read_by = name, written_by, read_by

    def __str__(self):
        return (
            f"this saved {self.name} was written by metricnets {self.written_by or 'of an unknown version'} and is "
            f"read by metricnets {self.read_by}: it may fail or give other results; refit it, or install the "
            "version that wrote it."
        )


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that points at the line outside of this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_between(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_between(file):
    return file.startswith(PACKAGE) or file.endswith(DECORATORS)


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
    """Return " Did you mean 'margin'?" for the option closest to a name, or "" if none is close.

    Names of the same parameter in other libraries are closest, then those of similar spelling.

    >>> did_you_mean("margn", ["margin", "gap"])
    " Did you mean 'margin'?"
    >>> did_you_mean("learning_rate", ["lr", "margin"])
    " Did you mean 'lr'?"
    """
    if not isinstance(name, str):
        return ""
    known = {str(option).lower(): option for option in options}
    same = [ours for ours in SYNONYMS.get(name.lower(), ()) if ours in known]
    near = same or _similar(name, known)
    return f" Did you mean {known[near[0]]!r}?" if near else ""


def nearest_first(name: object, options: Iterable[object]) -> list[object]:
    """Sort options: those of similar spelling to a name come first, then the others in the order of the alphabet.

    >>> nearest_first("tripplet", ["soft_triplet", "angular", "triplet"])
    ['triplet', 'soft_triplet', 'angular']
    """
    options = sorted(options, key=str)
    near = _similar(name, map(str, options)) if isinstance(name, str) else []
    return sorted(options, key=lambda option: near.index(option) if option in near else len(near))


def _similar(name, options):
    """Options of similar spelling, the nearest first, but those with the same initial before others."""
    near = difflib.get_close_matches(name.lower(), options)
    return sorted(near, key=lambda option: option[:1] != name[:1].lower())
