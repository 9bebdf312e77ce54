"""Samples with several targets, some of which are missing."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from metricnets._checks import check_real
from metricnets.datasets._making.points import check_sizes, documented, hidden


@documented
def make_tasks(
    n_samples: int = 200,
    n_features: int = 10,
    *,
    n_tasks: int = 2,
    n_classes: int = 3,
    n_informative: int = 3,
    missing: float = 0.3,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate samples with a class in each of several tasks, some of them not annotated.

    The class of a sample in a task is that of the nearest of ``n_classes`` random prototypes, in an informative
    subspace that all tasks share: what is learned from one task helps the others.

    Parameters
    ----------
    n_samples : int >= 1, default=200
        Number of samples.
    {n_features}
    n_tasks : int >= 1, default=2
        Number of tasks.
    n_classes : int >= 1, default=3
        Number of classes in each task.
    {n_informative}
    missing : float in [0, 1), default=0.3
        Probability that a class is not annotated, and NaN; one class of each sample is kept.  With 0 and the same
        ``random_state``, the same samples have all of their classes.
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    Y : ndarray of float of shape (n_samples, n_tasks)
        Classes from 0, or NaN.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_tasks
    >>> X, Y = make_tasks(random_state=0)
    >>> X.shape, Y.shape
    ((200, 10), (200, 2))
    """
    check_sizes(n_features, n_informative, noise, n_samples=n_samples, n_tasks=n_tasks, n_classes=n_classes)
    check_real("missing", missing, at_least=0, below=1)
    rng = check_random_state(random_state)
    z = rng.standard_normal((n_samples, n_informative))
    prototypes = rng.standard_normal((n_tasks, n_classes, n_informative))
    X, components = hidden(rng, z, n_features, noise)
    distances = np.linalg.norm(z[:, None, None] - prototypes, axis=-1)  # (n_samples, n_tasks, n_classes)
    Y = distances.argmin(axis=2).astype(float)
    left_out = rng.uniform(size=Y.shape) < missing
    left_out[np.arange(n_samples), rng.randint(n_tasks, size=n_samples)] = False
    Y[left_out] = np.nan
    return (X, Y, components) if return_components else (X, Y)
