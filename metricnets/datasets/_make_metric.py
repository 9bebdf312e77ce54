"""Samples and pairs of classes that a planted metric separates."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from metricnets.datasets._making.points import balanced, check_sizes, class_points, documented, hidden


@documented
def make_planted_metric(
    n_samples: int = 200,
    n_features: int = 10,
    *,
    n_informative: int = 3,
    n_classes: int = 3,
    class_sep: float = 3.0,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate classes that differ in a few directions only.

    In the informative directions each class has a normal distribution; in all others the samples are noise, so that the
    Euclidean distance hides the classes if ``noise`` is large.

    Parameters
    ----------
    n_samples : int >= 1, default=200
        Number of samples.
    {n_features}
    {n_informative}
    {classes}
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of int of shape (n_samples,)
        Classes, of equal size if possible.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_planted_metric
    >>> X, y, components = make_planted_metric(random_state=0, return_components=True)
    >>> X.shape, y.shape, components.shape
    ((200, 10), (200,), (3, 10))
    """
    check_sizes(n_features, n_informative, noise, class_sep, n_samples=n_samples, n_classes=n_classes)
    rng = check_random_state(random_state)
    y = balanced(rng, n_samples, n_classes)
    X, components = hidden(rng, class_points(rng, y, n_classes, n_informative, class_sep), n_features, noise)
    return (X, y, components) if return_components else (X, y)


@documented
def make_pairs(
    n_pairs: int = 200,
    n_features: int = 10,
    *,
    n_informative: int = 3,
    n_classes: int = 10,
    class_sep: float = 3.0,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate pairs of points of the same class, or of two classes.

    The points are those of :func:`make_planted_metric`.  No point is in two pairs.

    Parameters
    ----------
    n_pairs : int >= 1, default=200
        Number of pairs; half of them are similar.
    {n_features}
    {n_informative}
    n_classes : int >= 2, default=10
        Number of classes.
    class_sep : float >= 0, default=3.0
        Standard deviation of the coordinates of the class means; the samples of a class have 1.
    {noise}
    {random_state}

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2, n_features)
    y : ndarray of int of shape (n_pairs,)
        +1 for similar, −1 for dissimilar pairs.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_pairs
    >>> pairs, y = make_pairs(random_state=0)
    >>> pairs.shape, y.shape
    ((200, 2, 10), (200,))
    """
    check_sizes(n_features, n_informative, noise, class_sep, n_pairs=n_pairs, n_classes=n_classes)
    if n_classes < 2:
        raise ValueError("n_classes=1 gives no dissimilar pairs; it should be at least 2.")
    rng = check_random_state(random_state)
    similar = balanced(rng, n_pairs, 2) == 0
    left = rng.randint(n_classes, size=n_pairs)
    right = np.where(similar, left, (left + rng.randint(1, n_classes, size=n_pairs)) % n_classes)
    z = class_points(rng, np.column_stack([left, right]), n_classes, n_informative, class_sep)
    pairs, components = hidden(rng, z, n_features, noise)
    y = np.where(similar, 1, -1)
    return (pairs, y, components) if return_components else (pairs, y)
