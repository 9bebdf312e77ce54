"""Points whose informative directions are hidden in noise: the metric that is to be learned is known."""

from __future__ import annotations

import numpy as np

from metricnets._checks import check_count, check_not_negative
from metricnets._documentation import filled

documented = filled(
    n_features="""n_features : int >= 1, default=10
    Number of features.""",
    n_informative="""n_informative : int >= 1, default=3
    Dimension of the informative subspace, at most ``n_features``.""",
    classes="""n_classes : int >= 1, default=3
    Number of classes.
class_sep : float >= 0, default=3.0
    Standard deviation of the coordinates of the class means; the samples of a class have 1.""",
    noise="""noise : float >= 0, default=5.0
    Standard deviation of the other directions.""",
    random_state="""random_state : int, RandomState instance or None, default=None
    Seed or generator of all draws.
return_components : bool, default=False
    Whether to return the planted metric too.""",
    components="""components : ndarray of shape (n_informative, n_features)
    Only with ``return_components=True``: the linear map :math:`L` to the informative coordinates, with orthonormal
    rows.  :math:`L^\\top L` is the matrix of the planted metric.""",
    errors="""ValueError
    If a parameter is out of its range.""",
)


def check_sizes(n_features: int, n_informative: int, noise: float, class_sep: float = 0.0, **counts: int) -> None:
    """Raise ValueError if a parameter of a maker is out of its range."""
    check_count(n_features=n_features, n_informative=n_informative, **counts)
    check_not_negative(noise=noise, class_sep=class_sep)
    if n_informative > n_features:
        raise ValueError(f"n_informative={n_informative} should be at most n_features={n_features}.")


def class_points(
    rng: np.random.RandomState, y: np.ndarray, n_classes: int, n_informative: int, class_sep: float
) -> np.ndarray:
    """Draw informative coordinates of samples of classes ``y``, a normal distribution for each class.

    Returns
    -------
    z : ndarray of shape (*y.shape, n_informative)
    """
    means = class_sep * rng.standard_normal((n_classes, n_informative))
    return means[y] + rng.standard_normal((*y.shape, n_informative))


def hidden(rng: np.random.RandomState, z: np.ndarray, n_features: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Add noisy coordinates to informative ones, and rotate them all.

    Parameters
    ----------
    rng : numpy.random.RandomState
    z : ndarray of shape (..., n_informative)
    n_features : int
    noise : float

    Returns
    -------
    X : ndarray of shape (..., n_features)
    components : ndarray of shape (n_informative, n_features)
        ``X @ components.T`` is z.
    """
    rotation = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    others = noise * rng.standard_normal((*z.shape[:-1], n_features - z.shape[-1]))
    return np.concatenate([z, others], axis=-1) @ rotation, rotation[: z.shape[-1]]


def balanced(rng: np.random.RandomState, n_samples: int, n_classes: int) -> np.ndarray:
    """Draw classes of samples in random order, as many of each as possible."""
    return rng.permutation(np.arange(n_samples) % n_classes)
