"""Callbacks of scikit-learn 1.9 and newer: a fit is a task, and each of its passes a subtask."""

import copy
from collections.abc import Callable
from functools import partial
from inspect import BoundArguments
from typing import Self

import numpy as np
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # older than 1.9

    class CallbackSupportMixin:
        """What estimators have instead of callbacks."""

        def set_callbacks(self, *callbacks):
            """Raise an error."""
            raise AttributeError(
                f"set_callbacks needs scikit-learn 1.9 or newer, and this is {sklearn.__version__}; verbose=True of "
                "the learners that iterate shows a progress bar."
            )

    def with_callbacks(method):
        """The method."""
        return method


class CallbackSupport(CallbackSupportMixin):
    """Mixin of the estimators whose ``fit``, decorated with `metricnets._params.fitting`, calls callbacks.

    Hooks: ``_max_passes`` and ``_take``.
    """

    def set_callbacks(self, *callbacks: object) -> Self:
        """Set the callbacks that ``fit`` calls before and after each pass, see :ref:`training`.

        Parameters
        ----------
        *callbacks : callback instances
            Callbacks of :mod:`sklearn.callback`, or others that follow its protocol; none removes those that were
            set.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        AttributeError
            With scikit-learn older than 1.9.
        """
        return super().set_callbacks(*callbacks)

    def _max_passes(self):
        """Hook: the largest number of passes of a fit; 0 if it has none, None if it is not known beforehand."""
        max_iter = getattr(self, "max_iter", None)
        if not hasattr(self, "verbose"):
            return 0
        return None if max_iter is None else max_iter + 1  # the last one may turn out to be empty

    def _take(self, found, task):
        """Hook: set the learned attributes to what a solver has found when a pass ends."""
        raise NotImplementedError


class FitTask:
    """A fit of an estimator that has callbacks, ``_fit_task`` of the estimator while it lasts.

    Parameters
    ----------
    estimator : CallbackSupport
    arguments : dict
        Those of ``fit``, as the user gave them.

    Attributes
    ----------
    n_passes : int
        Number of passes that have ended.
    stopped : bool
        Whether a callback has asked to stop.
    learned : tuple or None
        What the estimator learns from, if it is more than the arguments say and `CallbackSupport._take` needs it.
    """

    def __init__(self, estimator: CallbackSupport, arguments: dict[str, object]) -> None:
        self.arguments, self.estimator, self.learned = arguments, estimator, None
        self.n_passes, self.stopped, self._open = 0, False, None
        self._root = estimator._init_callback_context(max_subtasks=estimator._max_passes())
        self._told = {"estimator": estimator, "X": next(iter(arguments.values())), "y": self._targets}
        self._root.call_on_fit_task_begin(**self._told)

    def _targets(self):
        """The targets; those of triplets and quadruplets are +1, which `predict` gives where they are satisfied."""
        given = self.arguments.get("y")
        return np.ones(len(self._told["X"])) if getattr(self.estimator, "_tuple_size", 2) > 2 else given

    def begin(self, name: str) -> None:
        """Begin a pass."""
        self._open = self._root.subcontext(task_name=name)
        self._open.call_on_fit_task_begin(**self._told)

    def end(self, found: object) -> bool:
        """End the pass with what was found, or a function that returns it; return whether to stop."""
        self.n_passes += 1
        known = partial(self._attributes, found)
        self.stopped = self._open.call_on_fit_task_end(**self._told, reconstruction_attributes=known)
        self._open = None
        return self.stopped

    def _attributes(self, found):
        """All attributes of the estimator as if the fit had ended with what was found."""
        fitted = copy.copy(self.estimator)
        fitted._fit_task = None
        fitted._take(resolved(found), self)
        return vars(fitted)

    def close(self) -> None:
        """End a pass that was begun for nothing."""
        if self._open is not None:
            self._open.call_on_fit_task_end(**self._told)

    def finish(self) -> None:
        """End the fit, which has learned nothing if the first batches of a stream are of one class."""
        learned = {"reconstruction_attributes": {}} if is_fitted(self.estimator) else {}
        self._root.call_on_fit_task_end(**self._told, **learned)


def resolved(found: object) -> object:
    """What was found, which may be a function that returns it."""
    return found() if callable(found) else found


def is_fitted(estimator: object) -> bool:
    """Whether an estimator, or the last step of a pipeline, is fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def is_task(estimator: object) -> bool:
    """Whether to tell callbacks of a fit: there are some, and the fit is not part of another of the same estimator."""
    has_callbacks = isinstance(estimator, CallbackSupport) and getattr(estimator, "_skl_callbacks", None)
    return bool(has_callbacks) and getattr(estimator, "_fit_task", None) is None


@with_callbacks
def fit_as_task(estimator: CallbackSupport, fit: Callable, bound: BoundArguments) -> object:
    """Fit the estimator, and tell its callbacks."""
    arguments = dict(list(bound.arguments.items())[1:])
    try:
        estimator._fit_task = task = FitTask(estimator, arguments)
        fitted = fit(*bound.args, **bound.kwargs)
    finally:
        vars(estimator).pop("_fit_task", None)
    task.finish()
    return fitted
