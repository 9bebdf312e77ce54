"""L-BFGS: SciPy's for smooth functions, and one for sums of hinges, whose non-smooth points SciPy's cannot pass."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from scipy import optimize

from metricnets._progress import Report

NUDGE, MOST_NUDGES = 1e-3, 3  # relative change of x if no step is found, and how often it is tried
MEMORY = 10  # steps from which the curvature is estimated, and over which convergence is judged
ROUNDING = 2e-15  # relative decrease of the objective in an iteration that may be rounding
NOISE = 1e-10  # the same after a failed line search; larger, as objectives may leave out negligible terms
LEAST = itemgetter(1)  # the value, in a pair of a point and its value
OUT_OF_ITERATIONS, GAVE_UP = 1, 2  # SciPy's statuses


class NearEnough(Exception):  # noqa: N818
    """Raised by an objective that has a bound of its minimum, and is near enough to it; ends the iterations."""


def minimize_smooth(
    objective: Callable,
    start: np.ndarray,
    *,
    ftol: float,
    gtol: float,
    max_iter: int,
    report: Report,
    bounds: optimize.Bounds | None = None,
    memory: int = MEMORY,
    first_step: float = 1.0,
) -> tuple[np.ndarray, int, bool]:
    """Minimise a smooth function by SciPy's L-BFGS-B.

    If its line search fails, steps of steepest descent are tried: if none lowers the function beyond
    rounding, the minimum is found; otherwise the search continues from the lower point.

    Parameters
    ----------
    objective : callable
        A function of an array of the shape of ``start`` that returns the value and the gradient, or raises
        `NearEnough`.
    start : ndarray
    ftol, gtol : float
        Stop at this decrease, relative to the value or 1, or at this largest entry of the gradient.
    max_iter : int
    report : callable
        Called with the value and x after every iteration; stop if it returns True, which counts as converged.
    bounds : scipy.optimize.Bounds or None
    memory : int
        Number of steps from which the curvature is estimated.
    first_step : float
        Length of the first step, along the gradient: there is no curvature yet.

    Returns
    -------
    x : ndarray
        Of the shape of ``start``.
    n_iter : int
        At least 1: the evaluation at the start counts as an iteration.
    converged : bool
    """
    unit = first_step or 1.0  # SciPy's first step has length 1
    watched, x, converged = _Watched(objective, start.shape, report, unit), start.ravel() / unit, False
    options = {"maxcor": memory, "ftol": max(ftol, ROUNDING), "gtol": gtol * unit, "maxfun": 100 * max_iter}
    bounds = bounds and optimize.Bounds(bounds.lb / unit, bounds.ub / unit)
    how = {"jac": True, "method": "L-BFGS-B", "bounds": bounds, "callback": watched.count}
    try:
        while watched.n_iter < max_iter:
            options["maxiter"] = max_iter - watched.n_iter
            found = optimize.minimize(watched, x, options=options, **how)
            x, converged = found.x, found.status != OUT_OF_ITERATIONS and np.isfinite(found.fun)
            lower = lower_point(watched, found, bounds) if found.status == GAVE_UP else None
            if lower is None:
                break
            x, converged = lower, False
            watched.count(x)
    except NearEnough:
        x, converged = watched.x, True
    return unit * x.reshape(start.shape), max(watched.n_iter, 1), converged


@dataclass
class _Watched:
    """An objective of flat arrays in some unit, as SciPy needs it, that keeps the last point and counts iterations."""

    objective: Callable
    shape: tuple
    report: Report
    unit: float
    n_iter: int = 0

    def __call__(self, x):
        self.x = x.copy()
        self.value, gradient = self.objective(self.unit * self.x.reshape(self.shape))
        return self.value, self.unit * gradient.ravel()

    def count(self, x):
        self.n_iter += 1
        if self.report(self.value, self.unit * x.reshape(self.shape)):
            raise NearEnough


def lower_point(
    objective: Callable, found: optimize.OptimizeResult, bounds: optimize.Bounds | None
) -> np.ndarray | None:
    """A point along the steepest descent from where SciPy stopped that is lower beyond rounding, or None."""
    size = np.linalg.norm(found.jac) or 1.0
    for share in max(np.linalg.norm(found.x), 1.0) / size * 0.25 ** np.arange(30):
        x = found.x - share * found.jac
        x = x if bounds is None else np.clip(x, bounds.lb, bounds.ub)
        if objective(x)[0] < found.fun - NOISE * max(abs(found.fun), 1.0):
            return x
    return None


def minimize(
    loss: Callable, x: np.ndarray, *, max_iter: int, tol: float, report: Report
) -> tuple[np.ndarray, float, int, bool]:
    """Minimise a function with non-smooth points by L-BFGS, starting from x.

    Parameters
    ----------
    loss : callable
        Returns the value and the gradient.
    x : ndarray
        Of any shape.
    max_iter : int
    tol : float
        Converged when ten iterations lower the value by at most this share of it, or by rounding.
    report : callable
        Called with the value and x after every iteration; stop if it returns True, which counts as converged.

    Returns
    -------
    x : ndarray
    value : float
    n_iter : int
    converged : bool
    """
    value, gradient = loss(x)
    best, n_nudges, tol = (x, value), 0, max(tol, ROUNDING)
    steps, values = deque(maxlen=MEMORY), deque([value], maxlen=MEMORY + 1)
    for n_iter in range(1, max_iter + 1):
        if np.linalg.norm(gradient) * np.linalg.norm(x) <= 1e-14 * value:
            return x, value, n_iter, True
        direction = descent(gradient, steps, 0.1 * np.linalg.norm(x))
        found = line_search(loss, x, value, gradient, direction)
        if found is None and not steps and n_nudges == MOST_NUDGES:
            break
        if found is None:
            if not steps:  # away from the non-smooth point, at a small cost
                best, n_nudges, x = min((x, value), best, key=LEAST), n_nudges + 1, x * (1 + NUDGE)
                value, gradient = loss(x)
            steps.clear()  # the curvature is not valid at this non-smooth point
            continue
        step, change = found[0] - x, found[2] - gradient
        x, value, gradient = found
        if np.vdot(step, change) > 0:
            steps.append((step, change, 1 / np.vdot(step, change)))
        values.append(value)
        if report(value, x):
            return x, value, n_iter, True
        if len(values) > MEMORY and values[0] - value <= tol * value:
            break
    else:
        return *min((x, value), best, key=LEAST), max_iter, False
    return *min((x, value), best, key=LEAST), n_iter, True


def descent(gradient: np.ndarray, steps: deque, length: float) -> np.ndarray:
    """The direction of L-BFGS or, without any steps, steepest descent with the given length."""
    q = gradient.copy()
    if not steps:
        return -q * (length / np.linalg.norm(q))
    shares = []
    for step, change, weight in reversed(steps):
        shares.append(weight * np.vdot(step, q))
        q -= shares[-1] * change
    _, change, weight = steps[-1]
    q /= weight * np.vdot(change, change)
    for (step, change, weight), share in zip(steps, reversed(shares)):
        q += (share - weight * np.vdot(change, q)) * step
    return -q


def line_search(
    loss: Callable, x: np.ndarray, value: float, gradient: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Line search for the weak Wolfe conditions, by bisection.

    Returns
    -------
    x, value, gradient : tuple, or None if no such point is found, up to rounding
    """
    slope = np.vdot(gradient, direction)
    low, high, t, found = 0.0, np.inf, 1.0, None
    for _ in range(40 if slope < 0 else 0):
        there = x + t * direction
        value_there, gradient_there = loss(there)
        if not value_there < value + 1e-4 * t * slope:
            high = t
        else:
            low, found = t, (there, value_there, gradient_there)
            if np.vdot(gradient_there, direction) >= 0.9 * slope:
                break
        t = (low + high) / 2 if high < np.inf else 2 * low
    return found
