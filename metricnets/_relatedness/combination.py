"""Predictions of several tasks combined by their relatedness."""

import numpy as np

TINY = 1e-12


def combined(probabilities: list[np.ndarray], relatedness: dict) -> list[np.ndarray]:
    """Combine what several tasks predict, p^b, by Jeffrey's rule.

    If the classes c of a related task have the probabilities p^a, those of this one become
    Σ_c p^a_c p^b_k R'[k, c] / Σ_j p^b_j R'[j, c], where R'[k, c] = P(c | k).  The result is the mean of p^b and of this
    for all related tasks.  Tasks that do not depend on each other, and classes c that p^b excludes, leave p^b as it is.

    Parameters
    ----------
    probabilities : list of ndarray of shape (n, n_classes)
    relatedness : dict of ndarray
        Keys are pairs of numbers of tasks.

    Returns
    -------
    probabilities : list of ndarray of shape (n, n_classes)

    References
    ----------
    R. C. Jeffrey, "The logic of decision", 1965, chapter 11.

    Examples
    --------
    >>> p = [np.array([[0.5, 0.3, 0.2]]), np.array([[0.2, 0.8]])]
    >>> R = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> combined(p, {(0, 1): R})[0]  # the mean of p and [0.2, 0.8 · 3/5, 0.8 · 2/5]
    array([[0.35, 0.39, 0.26]])
    """
    means = []
    for b, own in enumerate(probabilities):
        parts = [own]
        for a, R in ((a, R) for (target, a), R in relatedness.items() if target == b):
            moved = own * ((probabilities[a] / np.maximum(own @ R, TINY)) @ R.T)
            parts.append(moved + (1 - moved.sum(axis=1, keepdims=True)) * own)
        means.append(sum(parts) / len(parts))
    return means
