"""The log-likelihood ratio of two normal distributions of differences, similar and dissimilar: KISSME and XQDA."""

import numpy as np
from scipy.linalg import eigh

from metricnets._linalg import singular
from metricnets.exceptions import warn

ROUNDING = 1e-9  # of a ratio, the variances of which are equal


def variance_ratios(S: np.ndarray, D: np.ndarray, share: float, rank: float) -> tuple[np.ndarray, np.ndarray]:
    """Directions W and the ratios of the variance of dissimilar differences to that of similar ones along them.

    To both covariances the same ε I is added, ε = ``share`` tr(S) / ``rank``, so that directions without variance
    have the ratio 1; if S is 0, the trace is that of D.  Then Wᵀ S W = I and Wᵀ D W = diag(ratios), and
    S⁻¹ − D⁻¹ = W diag(1 − 1/ratios) Wᵀ.

    Parameters
    ----------
    S, D : ndarray of shape (d, d)
        Covariances of similar and of dissimilar differences.
    share : float >= 0
    rank : float
        Number of directions in which there may be variance.

    Returns
    -------
    W : ndarray of shape (d, d)
    ratios : ndarray of shape (d,)
        The largest first.
    """
    mean = (np.trace(S) or np.trace(D) or 1.0) / rank
    S, D = (M / mean + share * np.eye(len(M)) for M in (S, D))
    for kind, M in {"similar": S, "dissimilar": D}.items():
        if singular(M):
            raise ValueError(f"regularization={share} leaves the scatter of the {kind} pairs singular; raise it.")
    ratios, W = eigh(D, S)
    ratios[abs(ratios - 1) < ROUNDING] = 1.0
    if not (ratios > 1).any():
        warn(
            "dissimilar pairs differ more than similar ones in no direction; all distances are 0. Features should have "
            "comparable units."
        )
    return W[:, ::-1] / np.sqrt(mean), ratios[::-1]
