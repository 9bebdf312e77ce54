"""Samples with label sets and label distributions."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.utils import check_random_state

from metricnets._checks import check_not_negative, check_real
from metricnets.datasets._making.points import check_sizes, documented, hidden


@documented
def make_label_sets(
    n_samples: int = 200,
    n_features: int = 10,
    *,
    n_labels: int = 5,
    n_informative: int = 3,
    label_share: float = 0.4,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate samples with label sets.

    Each label has a random direction in the informative subspace, and the samples that are furthest in it have the
    label.  In all other directions the samples are noise.

    Parameters
    ----------
    n_samples : int >= 1, default=200
        Number of samples.
    {n_features}
    n_labels : int >= 1, default=5
        Number of labels.
    {n_informative}
    label_share : float in (0, 1), default=0.4
        Share of the samples that have a label; samples may have none.
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    Y : ndarray of 0 and 1 of shape (n_samples, n_labels)
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_label_sets
    >>> X, Y = make_label_sets(random_state=0)
    >>> X.shape, Y.shape
    ((200, 10), (200, 5))
    """
    check_sizes(n_features, n_informative, noise, n_samples=n_samples, n_labels=n_labels)
    check_real("label_share", label_share, above=0, below=1)
    X, scores, components = _scored(n_samples, n_features, n_informative, n_labels, noise, random_state)
    Y = (scores > np.quantile(scores, 1 - label_share, axis=0)).astype(np.int64)
    return (X, Y, components) if return_components else (X, Y)


@documented
def make_label_distributions(
    n_samples: int = 200,
    n_features: int = 10,
    *,
    n_labels: int = 5,
    n_informative: int = 3,
    sharpness: float = 2.0,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
    return_components: bool = False,
) -> tuple[np.ndarray, ...]:
    """Generate samples with label distributions.

    A distribution is the softmax of random linear functions of the informative coordinates.

    Parameters
    ----------
    n_samples : int >= 1, default=200
        Number of samples.
    {n_features}
    n_labels : int >= 1, default=5
        Number of labels.
    {n_informative}
    sharpness : float >= 0, default=2.0
        Factor of these functions: 0 gives uniform distributions, a large one nearly a single label for each sample.
    {noise}
    {random_state}

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    Y : ndarray of shape (n_samples, n_labels)
        Non-negative, with rows that sum to 1.
    {components}

    Raises
    ------
    {errors}

    Examples
    --------
    >>> from metricnets.datasets import make_label_distributions
    >>> X, Y = make_label_distributions(random_state=0)
    >>> X.shape, Y.shape
    ((200, 10), (200, 5))
    """
    check_sizes(n_features, n_informative, noise, n_samples=n_samples, n_labels=n_labels)
    check_not_negative(sharpness=sharpness)
    X, scores, components = _scored(n_samples, n_features, n_informative, n_labels, noise, random_state)
    Y = softmax(sharpness * scores, axis=1)
    return (X, Y, components) if return_components else (X, Y)


def _scored(n_samples, n_features, n_informative, n_scores, noise, random_state):
    """Samples, and linear functions of their informative coordinates in random directions of unit length."""
    rng = check_random_state(random_state)
    z = rng.standard_normal((n_samples, n_informative))
    directions = rng.standard_normal((n_scores, n_informative))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    X, components = hidden(rng, z, n_features, noise)
    return X, z @ directions.T, components
