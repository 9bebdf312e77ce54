"""L-BFGS: SciPy's for smooth functions, and one for sums of hinges, at whose kinks SciPy's line search gives up."""

from collections import deque
from operator import itemgetter

import numpy as np
from scipy import optimize

NUDGE, MOST_NUDGES = 1e-3, 3  # relative changes of x where no step is found, and how many of them
MEMORY = 10  # steps that the curvature is learned from, and over which convergence is judged


def minimize_smooth(objective, start, *, ftol, gtol, max_iter, report, bounds=None):
    """Minimise a smooth function by SciPy's L-BFGS-B.

    Parameters
    ----------
    objective : callable
        Of an array of the shape of ``start``; gives the value and the gradient.
    start : ndarray
    ftol, gtol : float
        Decrease, relative to the value or 1, and greatest entry of the gradient, at which to stop.
    max_iter : int
    report : callable
        Called with the value after every iteration.
    bounds : scipy.optimize.Bounds or None

    Returns
    -------
    x : ndarray of the shape of ``start``
    n_iter : int
        At least 1: to look at the start is an iteration.
    converged : bool
    """
    last = None

    def flat(x):
        nonlocal last
        last, gradient = objective(x.reshape(start.shape))
        return last, gradient.ravel()

    found = optimize.minimize(
        flat,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=lambda x: report(last),
        options={"maxiter": max_iter, "maxfun": 100 * max_iter, "ftol": ftol, "gtol": gtol},
    )
    return found.x.reshape(start.shape), max(int(found.nit), 1), found.status != 1 and np.isfinite(found.fun)


def minimize(loss, x, *, max_iter, tol, report):
    """Minimise a function that has kinks by L-BFGS, from x.

    Parameters
    ----------
    loss : callable
        Gives the value and the gradient.
    x : ndarray
        Of any shape.
    max_iter : int
    tol : float
        Converged when the value fell by no more than this share of it in ten iterations.
    report : callable
        Called with the value after every iteration.

    Returns
    -------
    x : ndarray
    value : float
    n_iter : int
    converged : bool
    """
    value, gradient = loss(x)
    best, n_nudges = (x, value), 0
    steps, values = deque(maxlen=MEMORY), deque([value], maxlen=MEMORY + 1)
    for n_iter in range(1, max_iter + 1):
        if np.linalg.norm(gradient) * np.linalg.norm(x) <= 1e-14 * value:
            return x, value, n_iter, True
        direction = descent(gradient, steps, 0.1 * np.linalg.norm(x))
        found = line_search(loss, x, value, gradient, direction)
        if found is None:
            if not steps and n_nudges == MOST_NUDGES:
                return *lowest((x, value), best), n_iter, True
            if not steps:  # off the kink, though it costs a little
                best, n_nudges = lowest((x, value), best), n_nudges + 1
                x = x * (1 + NUDGE)
                value, gradient = loss(x)
            steps.clear()  # what was learned of the curvature is of no use at this kink
            continue
        step, value, change = found[0] - x, found[1], found[2] - gradient
        x, gradient = found[0], found[2]
        if np.vdot(step, change) > 0:
            steps.append((step, change, 1 / np.vdot(step, change)))
        values.append(value)
        report(value)
        if len(values) > MEMORY and values[0] - value <= tol * value:
            return *lowest((x, value), best), n_iter, True
    return *lowest((x, value), best), max_iter, False


def lowest(*found):
    """Of pairs (x, value), the one of the least value."""
    return min(found, key=itemgetter(1))


def descent(gradient, steps, length):
    """The direction of L-BFGS; without any steps, of steepest descent and the given length."""
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


def line_search(loss, x, value, gradient, direction):
    """Find a point on the way that is lower by enough, and less steep: the weak Wolfe conditions, by bisection.

    Returns
    -------
    x, value, gradient : there, or None if there is no such point, up to rounding
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
