"""Relations of distributions, and of other non-negative rows."""

import numpy as np

from metricnets.relations._classes import Targets

TINY = 1e-12


def cosine(y_a: Targets, y_b: Targets) -> Targets:
    """Cosine similarity of non-negative rows; 0 if one of them is zero.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Non-negative rows.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> cosine(np.array([[3.0, 4.0]]), np.array([[3.0, 4.0], [1.0, 0.0]]))
    array([[1. , 0.6]])
    """
    y_a, y_b = y_a * 1.0, y_b * 1.0
    norm_a = (y_a * y_a).sum(1)[:, None] ** 0.5
    norm_b = (y_b * y_b).sum(1)[None, :] ** 0.5
    return ((y_a @ y_b.T) / (norm_a * norm_b + TINY)).clip(0, 1)


def hellinger(y_a: Targets, y_b: Targets) -> Targets:
    """1 minus the Hellinger distance of two distributions, √(1 − Σ √(a b)).

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Distributions, non-negative rows that sum to 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> hellinger(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([[1., 0.]])
    """
    return 1 - (1 - y_a**0.5 @ (y_b**0.5).T).clip(0, 1) ** 0.5


def symmetric_kl(y_a: Targets, y_b: Targets) -> Targets:
    """1 / (1 + J), with the symmetric Kullback–Leibler divergence J = Σ (a − b)(log a − log b).

    1e-12 is added to all entries, so that J is finite.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Distributions, non-negative rows that sum to 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> symmetric_kl(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    array([[1.]])
    """
    y_a, y_b = y_a + TINY, y_b + TINY
    log_a, log_b = _log(y_a), _log(y_b)
    own = (y_a * log_a).sum(1)[:, None] + (y_b * log_b).sum(1)[None, :]
    divergence = own - y_a @ log_b.T - log_a @ y_b.T
    return 1 / (1 + divergence.clip(0, None))


def l1(y_a: Targets, y_b: Targets, span: float = 2.0) -> Targets:
    """1 minus the scaled ℓ₁ distance, 1 − ‖a − b‖₁ / ``span``, equation (11) of HRAML.

    Memory n_a × n_b × L.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
    span : float, default=2.0
        The largest possible ‖a − b‖₁: 2 for distributions and one-hot rows, L for label sets.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> l1(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([[1. , 0.5]])
    """
    return 1 - abs(y_a[:, None] - y_b[None, :]).sum(2) / span  # (n_a, n_b)


def overlap(y_a: Targets, y_b: Targets) -> Targets:
    """Overlap of two distributions, Σ min(a, b).

    Memory n_a × n_b × L.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Distributions, non-negative rows that sum to 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> overlap(np.array([[0.2, 0.8]]), np.array([[0.5, 0.5]]))
    array([[0.7]])
    """
    y_a, y_b = y_a[:, None] * 1.0, y_b[None, :] * 1.0
    return (y_a + y_b - abs(y_a - y_b)).sum(2).clip(0, 2) / 2


def _log(a):
    return a.log() if hasattr(a, "log") else np.log(a)
