"""Distances of the subspaces and hulls that sets of points span."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from metricnets._checks import check_count, check_real
from metricnets.metrics._checks import two_sets

COMMON = 1e-10  # eigenvalue of the products of directions, at most 2, of those that two sets have in common
HEAVY = 1e4  # weight of the constraint of convex_hull_distance, relative to the points


def mutual_subspace_distance(
    A: ArrayLike, B: ArrayLike, *, n_components: int = 10, n_angles: int = 1, center: bool = False
) -> float:
    """Mutual subspace distance of two sets, from the smallest angles of the spaces that they span.

    1 − mean_i cos² θ_i of the canonical angles θ_1 ≤ θ_2 ≤ ..., whose cosines are the singular values of U_Aᵀ U_B,
    where U has the first principal directions of a set.

    Parameters
    ----------
    A, B : array-like of shape (n_a, n_features) and (n_b, n_features)
        The points of each set.
    n_components : int >= 1, default=10
        Dimension of the subspaces; fewer if a set spans fewer.
    n_angles : int >= 1, default=1
        Number of angles, the smallest ones; fewer if there are fewer.
    center : bool, default=False
        Whether the mean of each set is subtracted, so that the directions are those in which its points vary.  Angles
        of a set whose points are all equal are then π/2.

    Returns
    -------
    distance : float in [0, 1]

    Raises
    ------
    ValueError
        If the sets do not have this form, or a number is no integer from 1.

    References
    ----------
    O. Yamaguchi, K. Fukui, K. Maeda, "Face recognition using temporal image sequence", FG 1998.

    Examples
    --------
    >>> from metricnets.metrics import mutual_subspace_distance
    >>> mutual_subspace_distance([[1.0, 0.0]], [[1.0, 1.0]])  # an angle of 45 degrees
    0.5
    """
    check_count(n_components=n_components, n_angles=n_angles)
    U, V = (subspace(S, n_components, center) for S in two_sets(A, B))
    return between_subspaces(U, V, n_angles)


def affine_hull_distance(A: ArrayLike, B: ArrayLike, *, variance: float = 0.98) -> float:
    """Distance of the affine hulls of two sets, min ‖(μ_A + U_Aᵀ s) − (μ_B + U_Bᵀ t)‖ over s and t.

    It is the norm of the difference of the means outside of the directions of both sets.

    Parameters
    ----------
    A, B : array-like of shape (n_a, n_features) and (n_b, n_features)
        The points of each set.
    variance : float in [0, 1], default=0.98
        Share of the variance of a set that its directions explain; 1 is the whole hull.  Hulls of many points in few
        dimensions meet, at a distance of 0, and leaving out directions of small variance prevents it.

    Returns
    -------
    distance : float
        At least 0.

    Raises
    ------
    ValueError
        If the sets do not have this form, or ``variance`` is not in its range.

    References
    ----------
    H. Cevikalp, B. Triggs, "Face recognition based on image sets", CVPR 2010.

    Examples
    --------
    >>> from metricnets.metrics import affine_hull_distance
    >>> affine_hull_distance([[0.0, 0.0], [1.0, 0.0]], [[5.0, 2.0], [9.0, 2.0]])  # two parallel lines
    2.0
    """
    check_real("variance", variance, at_least=0, at_most=1)
    return between_hulls(*(affine_hull(S, variance) for S in two_sets(A, B)))


def convex_hull_distance(A: ArrayLike, B: ArrayLike) -> float:
    """Distance of the convex hulls of two sets.

    It is min ‖Σ s_i a_i − Σ t_j b_j‖ over weights s, t >= 0 with sums 1: a non-negative least squares problem, which
    takes a time that grows like the cube of the number of points.

    Parameters
    ----------
    A, B : array-like of shape (n_a, n_features) and (n_b, n_features)
        The points of each set.

    Returns
    -------
    distance : float
        At least 0.

    Raises
    ------
    ValueError
        If the sets do not have this form.

    References
    ----------
    H. Cevikalp, B. Triggs, "Face recognition based on image sets", CVPR 2010.

    Examples
    --------
    >>> from metricnets.metrics import convex_hull_distance
    >>> round(convex_hull_distance([[0.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [1.0, 3.0]]), 6)
    1.0
    """
    A, B = two_sets(A, B)
    origin = A.mean(axis=0)
    points = np.vstack([A - origin, origin - B]).T  # (d, n_a + n_b)
    scale = np.abs(points).max() or 1.0
    points = np.linalg.qr(points / scale, mode="r")
    first = np.arange(points.shape[1]) < len(A)
    system = np.vstack([points, HEAVY * first, HEAVY * ~first])
    weights = nnls(system, np.r_[np.zeros(len(points)), HEAVY, HEAVY], maxiter=30 * system.shape[1])[0]
    weights /= np.where(first, weights[first].sum(), weights[~first].sum())
    return float(scale * np.linalg.norm(points @ weights))


def subspace(S: np.ndarray, n_components: int = 10, center: bool = False) -> np.ndarray:
    """The first principal directions of a set, (r, d)."""
    return _directions(S - center * S.mean(axis=0))[:n_components]


def between_subspaces(U: np.ndarray, V: np.ndarray, n_angles: int = 1) -> float:
    """The distance of `mutual_subspace_distance` from the directions of both sets."""
    if not len(U) or not len(V):
        return 1.0
    cosines = np.linalg.svd(U @ V.T, compute_uv=False)[:n_angles]
    return float(np.round(np.clip(1 - (cosines**2).mean(), 0, 1), 15))


def affine_hull(S: np.ndarray, variance: float = 0.98) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a set, and the directions of its affine hull, (r, d)."""
    mean = S.mean(axis=0)
    return mean, _directions(S - mean, variance)


def between_hulls(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """The distance of `affine_hull_distance` from means and directions of both sets."""
    difference, V = a[0] - b[0], np.vstack([a[1], b[1]])
    inverse = np.linalg.pinv(V @ V.T, rcond=COMMON, hermitian=True)
    return float(np.linalg.norm(difference - V.T @ (inverse @ (V @ difference))))


def _directions(S, variance=1.0):
    """Orthonormal directions of the rows of S that explain a share of its sum of squares, (r, d)."""
    values, V = np.linalg.svd(S, full_matrices=False)[1:]
    squares = values**2
    varies = values > values.max(initial=0) * max(S.shape) * np.finfo(float).eps
    before = np.cumsum(squares) - squares
    return V[varies & (before < variance * squares.sum())]
