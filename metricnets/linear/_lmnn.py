"""LMNN: large margin nearest neighbor."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from metricnets._initialization import initial_components
from metricnets._labels import class_codes
from metricnets._linalg import centered, in_span, joined, split
from metricnets._neighbors import neighborhoods
from metricnets._params import (
    Array,
    Count,
    Flag,
    NonNegative,
    Seed,
    UpToOne,
    random_state_of,
)
from metricnets._progress import progress
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.impostors import Impostors
from metricnets.linear._pairwise.near_pairs import squared_distances
from metricnets.linear._solvers.lbfgs import minimize

N_DENSE = 256  # rows up to which a graph is a dense matrix, as a sparse one takes longer to set up


class LMNN(LinearMetric):
    """Large margin nearest neighbor (LMNN).

    Pull the nearest neighbours of the same class close, and push other classes away by a margin.  The
    targets N(i) of a sample are its nearest neighbours of the same class in the input space.  A sample of another
    class that is closer than a target plus a margin of 1 is an impostor.  Minimise

    (1 − μ) Σ_{i, j ∈ N(i)} d²_ij + μ Σ_{i, j ∈ N(i), l: y_l ≠ y_i} [1 + d²_ij − d²_il]₊,   μ = ``regularization``.

    The solver is L-BFGS on L, in coordinates where the covariance of X is nearly the identity, starting
    from ``init`` at its best scale.  The sum is over all impostors at every step: a blocked
    search finds slightly more pairs than needed, and is repeated only when samples have
    moved so far that a pair might be missing.  A search takes O(n² n_components) operations
    in single precision, the rest of an iteration O((n d + n_pairs) n_components); the memory
    is O(n d) plus at most 200 MB of pairs.  If there are more pairs, the search is repeated at every step.

    Samples of a class with at most ``n_neighbors`` samples have fewer targets, with a warning.  If no
    map is better than zero, because the pull outweighs all margins, ``init`` is kept, with a warning.

    Parameters
    ----------
    init : {'auto', 'pca', 'lda', 'identity', 'random'} or array-like of shape (n_components, n_features), \
default='auto'
        Initial L, up to scale.  'auto' is 'lda' if there are enough classes for
        ``n_components``, else 'pca' if that reduces the dimension, else 'identity'.  With all
        components the problem is convex in LᵀL, and ``init`` only affects the running time.
    n_neighbors : int >= 1, default=3
        Number of targets of a sample.
    max_iter : int >= 1, default=1000
        Maximum number of iterations.
    regularization : float in (0, 1], default=0.5
        Weight μ of the impostors; the targets have weight 1 − μ.
    convergence_tol : float >= 0, default=0.001
        Stop when the last ten iterations lowered the objective by at most this share of it.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        Seed of ``init='random'``.  Pass an int for reproducible results.

    Attributes
    ----------
    n_iter_ : int
        Number of iterations.

    See Also
    --------
    NCA : Soft nearest neighbours.
    LFDA : Local Fisher discriminant analysis, for classes of several clusters.

    References
    ----------
    K. Q. Weinberger, L. K. Saul, "Distance metric learning for large margin nearest neighbor classification",
    JMLR 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from metricnets import LMNN
    >>> X, y = load_iris(return_X_y=True)
    >>> make_pipeline(LMNN(), KNeighborsClassifier(3)).fit(X, y).score(X, y) > 0.95
    True
    """

    init: Literal["auto", "pca", "lda", "identity", "random"] | Array = "auto"
    n_neighbors: Count = 3
    max_iter: Count = 1000
    regularization: UpToOne = 0.5
    convergence_tol: NonNegative = 1e-3
    verbose: Flag = False
    random_state: Seed = None

    def _solve_points(self, X, y):
        codes = class_codes(y)
        check_sizes(np.bincount(codes), self.n_neighbors)
        X = centered(X)
        init = initial_components(self.init, self.n_components, X, codes, random_state_of(self.random_state))
        with progress(self, "raise max_iter or convergence_tol") as report:
            L, self.n_iter_, report.converged = widen_margins(
                init,
                X,
                codes,
                n_neighbors=self.n_neighbors,
                mu=self.regularization,
                max_iter=self.max_iter,
                tol=self.convergence_tol,
                report=report,
            )
        if L is None:
            warn(
                "no map is better for LMNN than zero, as targets are further away than other classes; init is kept. "
                f"Raise regularization={self.regularization} or lower n_neighbors={self.n_neighbors}."
            )
        return init if L is None else L


def widen_margins(
    L: np.ndarray,
    X: np.ndarray,
    codes: np.ndarray,
    *,
    n_neighbors: int,
    mu: float,
    max_iter: int,
    tol: float,
    report: Callable[[float], None],
) -> tuple[np.ndarray | None, int, bool]:
    """Minimise the objective of `LMNN` from L on centred rows.

    Returns
    -------
    L : ndarray of shape (n_components, d), or None
        None if zero is no worse than the best map found.
    n_iter : int
    converged : bool
    """
    if not X.any():
        return L, 1, True  # equal rows contain no information
    order = np.argsort(codes, kind="stable")  # class by class, as the search needs it
    X, codes = X[order], codes[order]
    near, _ = neighborhoods(X, codes, np.ones(len(X), bool), min(n_neighbors, np.bincount(codes).max() - 1), 0)
    P, back = whitening(X)
    X, basis = in_span(X @ P)
    L, left, rest = split(L @ back.T, basis)
    if not (X @ L.T).any():
        raise ValueError("init maps all samples to one point, where every gradient is zero; use init='auto'.")
    scale = np.sqrt(best_scale(X @ L.T, near, codes, mu))
    loss = LargeMargins(X, near, codes, mu)
    L, objective, n_iter, converged = minimize(loss, scale * L, max_iter=max_iter, tol=tol, report=report)
    if objective >= (1 - 1e-6) * loss.at_zero:
        return None, n_iter, converged
    return joined(L, left, basis, scale * rest) @ P.T, n_iter, converged


def check_sizes(sizes: np.ndarray, n_neighbors: int) -> None:
    """Warn if classes have too few rows for ``n_neighbors`` targets, and refuse y without any targets."""
    if len(sizes) < 2:
        raise ValueError("y has one class only; LMNN needs at least two.")
    if sizes.max() < 2:
        raise ValueError(f"no class has two samples; n_neighbors={n_neighbors} targets of the same class are needed.")
    n_small = np.count_nonzero(sizes <= n_neighbors)
    if n_small > 0:
        warn(
            f"n_neighbors={n_neighbors} is too many for {n_small} of {len(sizes)} classes, the smallest of which has "
            f"{sizes.min()} samples; the targets of a sample are all others of its class then."
        )


def whitening(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in which the covariance of centred X is nearly the identity.

    Columns are brought to one scale first.  Variances below a millionth of the largest are raised to
    that, so that directions which may be rounding error are not inflated further.

    Returns
    -------
    P, back : ndarrays of shape (d, d)
        X @ P are the coordinates, and ``back`` is the inverse of P.
    """
    scale = X.std(axis=0)
    scale[scale == 0] = 1
    scaled = X / scale
    values, vectors = eigh(scaled.T @ scaled / len(X))
    roots = np.sqrt(np.maximum(values, 1e-6 * values[-1]))
    return vectors / roots / scale[:, None], (vectors * roots).T * scale


def best_scale(
    z: np.ndarray, near: np.ndarray, codes: np.ndarray, mu: float, n_rows: int = 64, n_columns: int = 4096
) -> float:
    """Scale s of squared distances that minimises the objective, exactly, on a sample of rows and impostors.

    The objective is convex and piecewise linear in s, with its minimum where a hinge closes.
    """
    rows = np.flatnonzero(near[:, 0] != np.arange(len(z)))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), n_rows)).astype(int)]
    columns = np.linspace(0, len(z) - 1, min(len(z), n_columns)).astype(int)
    pull = ((z[rows, None] - z[near[rows]]) ** 2).sum(axis=2)  # (n_rows, n_near)
    away = cdist(z[rows], z[columns], "sqeuclidean")[codes[rows, None] != codes[columns]]
    of = np.nonzero(codes[rows, None] != codes[columns])[0]
    excess = (pull[of] - away[:, None])[near[rows[of]] != rows[of, None]]  # (n_triplets,)
    weight = mu * len(z) / len(columns)
    closing = np.sort(excess[excess < 0])  # hinges that close at s = -1/excess, in this order
    slopes = (1 - mu) * pull.sum() + weight * (excess[excess > 0].sum() + closing[::-1].cumsum()[::-1])
    if len(closing) == 0 or slopes[0] >= 0:
        return len(z) / np.square(z).sum()
    n_closed = np.searchsorted(slopes, 1e-6 * slopes[0])
    return -1 / closing[max(n_closed - 1, 0)]


class LargeMargins:
    """The objective of `LMNN` and its gradient, exact at every L.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows of one class follow one another.
    near : ndarray of shape (n, n_near)
        Targets; a missing one is the row itself.
    codes : ndarray of shape (n,)
    mu : float
    """

    def __init__(self, X: np.ndarray, near: np.ndarray, codes: np.ndarray, mu: float) -> None:
        self.X, self.near, self.mu = X, near, mu
        self.rows, self.targets = np.repeat(np.arange(len(X)), near.shape[1]), near.ravel()
        self.missing = near == np.arange(len(X))[:, None]
        self.impostors = Impostors(np.searchsorted(codes, np.arange(codes.max() + 2)))
        others = len(X) - np.bincount(codes)[codes]
        self.at_zero = mu * np.sum(others[:, None] * ~self.missing)  # the objective of L = 0

    def __call__(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        z = self.X @ L.T
        pull = squared_distances(z, self.rows, self.targets).reshape(self.near.shape)
        margins = np.where(self.missing, -np.inf, 1 + pull)
        reach = np.sqrt(margins.max(axis=1).clip(0))
        push, forces, weights = 0.0, np.zeros_like(z), np.full(pull.shape, 1 - self.mu)
        for i, j in self.impostors.within(z, reach):
            d = squared_distances(z, i, j)
            close = d < reach[i] ** 2
            i, j, d = i[close], j[close], d[close]
            hinges = margins[i] - d[:, None]  # (n_pairs, n_near)
            is_open = hinges > 0
            push += hinges[is_open].sum()
            forces -= self.mu * pulled(z, i, j, is_open.sum(axis=1))
            for column, weight in enumerate(weights.T):
                weight += self.mu * np.bincount(i, is_open[:, column], len(z))
        forces += pulled(z, self.rows, self.targets, weights.ravel())
        return (1 - self.mu) * pull.sum() + self.mu * push, 2 * forces.T @ self.X


def pulled(z: np.ndarray, i: np.ndarray, j: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Half the gradient in z of Σ weight ‖z_i − z_j‖² over pairs: the graph Laplacian times z."""
    n = len(z)
    if n <= N_DENSE:
        W = np.bincount(i * n + j, weights, n * n).reshape(n, n)
        return (W.sum(axis=0) + W.sum(axis=1))[:, None] * z - (W + W.T) @ z
    W = csr_matrix((weights.astype(float), (i, j)), shape=(n, n))
    degrees = np.bincount(i, weights, n) + np.bincount(j, weights, n)
    return degrees[:, None] * z - W @ z - W.T @ z
