"""Relations of real values."""

from dataclasses import dataclass

from metricnets._checks import check_not_negative
from metricnets.relations._classes import Targets, indicator


def absolute(y_a: Targets, y_b: Targets) -> Targets:
    """1 minus the absolute difference of real targets in [0, 1], averaged over the columns.

    Memory n_a × n_b × L.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a,) or (n_a, L)
    y_b : array or tensor of shape (n_b,) or (n_b, L)
        Real targets, scaled to [0, 1].

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> absolute(np.array([0.0, 0.25]), np.array([1.0]))
    array([[0.  ],
           [0.25]])
    """
    y_a, y_b = (y[:, None] if y.ndim == 1 else y for y in (y_a, y_b))
    return 1 - abs(y_a[:, None] - y_b[None, :]).mean(2)


@dataclass(frozen=True)
class Tolerance:
    """1 for real targets that differ by a tolerance at most, 0 for others.

    Rows with several values have to be as near in each of them.  Given as ``relation=Tolerance(0.5)``, it takes the
    targets as they are, in their own unit.

    Memory n_a × n_b × L.

    Parameters
    ----------
    tolerance : float >= 0
        Largest difference of similar targets.

    Examples
    --------
    >>> import numpy as np
    >>> Tolerance(0.5)(np.array([0.0, 3.0]), np.array([0.5, 2.0]))
    array([[1., 0.],
           [0., 0.]])
    """

    tolerance: float

    def __post_init__(self):
        check_not_negative(tolerance=self.tolerance)

    def __call__(self, y_a: Targets, y_b: Targets) -> Targets:
        y_a, y_b = (y[:, None] if y.ndim == 1 else y for y in (y_a, y_b))
        return indicator((abs(y_a[:, None] - y_b[None, :]) <= self.tolerance).all(2))
