"""Sets of samples with a class for each set."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from metricnets._checks import check_not_negative
from metricnets.datasets._making.points import balanced, check_sizes, class_points, documented, hidden


@documented
def make_sets(
    n_sets: int = 30,
    n_per_set: int = 10,
    n_features: int = 10,
    *,
    n_informative: int = 3,
    n_classes: int = 3,
    class_sep: float = 3.0,
    spread: float = 2.0,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate sets of samples, such as the images of an object, with a class for each set.

    The centres of the sets are samples of :func:`make_planted_metric`, and those of a set scatter about its centre.

    Parameters
    ----------
    n_sets : int >= 1, default=30
        Number of sets.
    n_per_set : int >= 1, default=10
        Number of samples in each set.
    {n_features}
    {n_informative}
    n_classes : int >= 1, default=3
        Number of classes.
    class_sep : float >= 0, default=3.0
        Standard deviation of the coordinates of the class means; the centres of the sets of a class have 1.
    spread : float >= 0, default=2.0
        Standard deviation of the samples of a set, in the informative directions.
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_sets * n_per_set, n_features)
    y : ndarray of int of shape (n_sets * n_per_set,)
        Classes, the same for all samples of a set.
    groups : ndarray of int of shape (n_sets * n_per_set,)
        Sets, from 0.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_sets
    >>> X, y, groups = make_sets(n_sets=12, n_per_set=5, random_state=0)
    >>> X.shape, y.shape, groups.shape
    ((60, 10), (60,), (60,))
    """
    sizes = {"n_sets": n_sets, "n_per_set": n_per_set, "n_classes": n_classes}
    check_sizes(n_features, n_informative, noise, class_sep, **sizes)
    check_not_negative(spread=spread)
    rng = check_random_state(random_state)
    of_sets = balanced(rng, n_sets, n_classes)
    groups = np.repeat(np.arange(n_sets), n_per_set)
    centers = class_points(rng, of_sets, n_classes, n_informative, class_sep)
    z = centers[groups] + spread * rng.standard_normal((len(groups), n_informative))
    X, components = hidden(rng, z, n_features, noise)
    y = of_sets[groups]
    return (X, y, groups, components) if return_components else (X, y, groups)
