"""Two views of the same samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils import check_random_state

from metricnets._checks import check_counts, check_not_negative
from metricnets.datasets._making.points import balanced, check_sizes, class_points, documented, hidden


@documented
def make_views(
    n_samples: int = 200,
    n_features: Sequence[int] = (10, 8),
    *,
    n_informative: int = 3,
    n_classes: int = 3,
    class_sep: float = 3.0,
    difference: float = 0.3,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate matched samples of two views with a shared informative subspace.

    Both views of a sample have the informative coordinates of :func:`make_planted_metric`, up to small differences;
    each view has noise of its own, and its own rotation.

    Parameters
    ----------
    n_samples : int >= 1, default=200
        Number of samples.
    n_features : sequence of two int >= 1, default=(10, 8)
        Numbers of features of the two views.
    n_informative : int >= 1, default=3
        Dimension of the shared subspace, at most the smaller of them.
    {classes}
    difference : float >= 0, default=0.3
        Standard deviation of the differences of the informative coordinates of the second view from those of the first.
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_samples, n_features[0])
    Y : ndarray of shape (n_samples, n_features[1])
        Row i is the other view of row i of X.
    y : ndarray of int of shape (n_samples,)
        Classes, of equal size if possible.
    components : tuple of two ndarray, of shapes (n_informative, n_features[0]) and (n_informative, n_features[1])
        Only with ``return_components=True``: the linear maps of both views to the informative coordinates.

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_views
    >>> X, Y, y = make_views(random_state=0)
    >>> X.shape, Y.shape, y.shape
    ((200, 10), (200, 8), (200,))
    """
    check_counts(n_features=n_features)
    if len(n_features) != 2:
        raise ValueError(f"n_features={n_features!r} should have two entries, one for each view.")
    check_sizes(min(n_features), n_informative, noise, class_sep, n_samples=n_samples, n_classes=n_classes)
    check_not_negative(difference=difference)
    rng = check_random_state(random_state)
    y = balanced(rng, n_samples, n_classes)
    z = class_points(rng, y, n_classes, n_informative, class_sep)
    others = z + difference * rng.standard_normal(z.shape)
    X, of_x = hidden(rng, z, n_features[0], noise)
    Y, of_y = hidden(rng, others, n_features[1], noise)
    return (X, Y, y, (of_x, of_y)) if return_components else (X, Y, y)
