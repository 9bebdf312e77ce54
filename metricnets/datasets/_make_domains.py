"""A source and a target that is shifted."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from metricnets._checks import check_not_negative
from metricnets.datasets._making.points import balanced, check_sizes, class_points, documented, hidden


@documented
def make_domains(
    n_source: int = 150,
    n_target: int = 150,
    n_features: int = 10,
    *,
    n_informative: int = 3,
    n_classes: int = 3,
    class_sep: float = 3.0,
    shift: float = 4.0,
    noise: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate a source domain and a target domain with the same classes.

    The samples are those of :func:`make_planted_metric`, and those of the target are moved by a vector in the
    informative subspace, the same for all.

    Parameters
    ----------
    n_source, n_target : int >= 1, default=150
        Numbers of samples.
    {n_features}
    {n_informative}
    {classes}
    shift : float >= 0, default=4.0
        Length of this vector.
    noise : float >= 0, default=1.0
        Standard deviation of the other directions.
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_source + n_target, n_features)
        The source first.
    y : ndarray of int of shape (n_source + n_target,)
        Classes; those of the target are for evaluation, :class:`~metricnets.DTML` ignores them.
    sample_domain : ndarray of int of shape (n_source + n_target,)
        1 for the source, −1 for the target.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_domains
    >>> X, y, sample_domain = make_domains(n_source=100, n_target=50, random_state=0)
    >>> X.shape, y.shape, sample_domain.shape
    ((150, 10), (150,), (150,))
    """
    sizes = {"n_source": n_source, "n_target": n_target, "n_classes": n_classes}
    check_sizes(n_features, n_informative, noise, class_sep, **sizes)
    check_not_negative(shift=shift)
    rng = check_random_state(random_state)
    y = np.concatenate([balanced(rng, n, n_classes) for n in (n_source, n_target)])
    sample_domain = np.repeat([1, -1], [n_source, n_target])
    z = class_points(rng, y, n_classes, n_informative, class_sep)
    direction = rng.standard_normal(n_informative)
    z[sample_domain < 0] += shift * direction / np.linalg.norm(direction)
    X, components = hidden(rng, z, n_features, noise)
    return (X, y, sample_domain, components) if return_components else (X, y, sample_domain)
