"""LMNN: large margin nearest neighbor."""

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.sparse import csr_matrix, issparse

from metricnets._blocks import Blocks
from metricnets._initialization import initial_components
from metricnets._labels import class_codes
from metricnets._linalg import in_span, joined, split, spread_of_columns
from metricnets._neighbors import counted_within, nearest_within
from metricnets._params import Array, Count, Flag, Jobs, MaybeShare, NonNegative, Seed, UpToOne
from metricnets._progress import Report, progress, through
from metricnets._scatters import Scatters
from metricnets._weights import mean_of, rows_of, scatter
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.centred_rows import CentredRows
from metricnets.linear._pairwise.large_margins import LargeMargins, best_scale
from metricnets.linear._pairwise.shrunk_pull import shrunk_pull
from metricnets.linear._solvers.lbfgs import minimize


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
    ``fit`` also takes sparse matrices: they stay sparse, and instead of n d there are n n_components numbers
    and d × d matrices.

    Deviation from the paper: with few samples for the features some directions vary little between targets by chance,
    and without a price all margins are met along them, which harms nearest neighbours in new data.  By default,
    therefore, the scatter Σ_{i, j ∈ N(i)} (x_i − x_j)(x_i − x_j)ᵀ of the pull is shrunk towards its diagonal, the less
    the more samples there are; ``shrinkage=None`` solves the paper's problem.

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
    shrinkage : float in [0, 1], 'auto' or None, default='auto'
        Share of its diagonal in the scatter of the differences to targets, which the pull adds up.  'auto' takes the
        estimate of Ledoit and Wolf, at most ½; None and 0 solve the paper's problem unchanged.
    convergence_tol : float >= 0, default=0.001
        Stop when the last ten iterations lowered the objective by at most this share of it.
    verbose : bool, default=False
        Whether to show the progress.
    n_jobs : int or None, default=None
        Number of threads; see :ref:`cores`.  -1 is all cores; None is that of ``joblib.parallel_config``, or 1.
        With few samples there is one.  The result is the same to the last bit.
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
    shrinkage: MaybeShare = "auto"
    convergence_tol: NonNegative = 1e-3
    verbose: Flag = False
    n_jobs: Jobs = None
    random_state: Seed = None

    _sparse = "csr"
    _few_dense = True

    def _solve_points(self, X, y, weights):
        codes = checked_codes(y, self.n_neighbors, weights)
        if not issparse(X):
            X -= mean_of(X, weights)
        init = initial_components(self.init, self.n_components, X, codes, self.random_state, weights)
        order = np.argsort(codes, kind="stable")  # class by class, as the search needs it
        X, codes, weights = X[order], codes[order], rows_of(weights, order)
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
                weights=weights,
                n_jobs=self.n_jobs,
                shrinkage=self.shrinkage,
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
    report: Report,
    weights: np.ndarray | None = None,
    n_jobs: int | None = 1,
    shrinkage: float | str | None = None,
) -> tuple[np.ndarray | None, int, bool]:
    """Minimise the objective of `LMNN` from L on centred rows, or sparse ones that are not centred, in order of codes.

    An array X is overwritten.

    Returns
    -------
    L : ndarray of shape (n_components, d), or None
        None if zero is no worse than the best map found.
    n_iter : int
    converged : bool
    """
    if not spread_of_columns(X).any():
        return L, 1, True  # equal rows contain no information
    mean, deviations, down, up = whitening(X, weights)
    if weights is None:
        near, counts = nearest_within(X, codes, min(n_neighbors, np.bincount(codes).max() - 1)), None
    else:
        near, counts = counted_within(X, codes, n_neighbors, weights)
        counts *= weights[:, None]
    times = near != np.arange(len(near))[:, None] if counts is None else counts
    added = (1 - mu) * shrunk_pull(X, deviations, down, near, times, shrinkage) if shrinkage else None
    L, left, rest = split(L, down, up) if len(down) > down.shape[1] else (L @ up, None, 0.0)
    if issparse(X):
        X = CentredRows(X, mean, down)
    elif left is None:
        X[...] = X @ down  # the caller has no other use for it
    else:
        X = X @ down
    z = X @ L.T
    if not z.any():
        raise ValueError("init maps all samples to one point, where every gradient is zero; use init='auto'.")
    scale = np.sqrt(best_scale(z, near, codes, mu, counts, weights))
    del z  # as large as X
    loss = LargeMargins(X, near, codes, mu, counts, weights, n_jobs, added)
    to_map = partial(in_all_features, down=down, left=left, rest=scale * rest)
    report = through(report, to_map)
    L, objective, n_iter, converged = minimize(loss, scale * L, max_iter=max_iter, tol=tol, report=report)
    if objective >= (1 - 1e-6) * loss.at_zero:
        return None, n_iter, converged
    return to_map(L), n_iter, converged


def in_all_features(L: np.ndarray, down: np.ndarray, left: np.ndarray | None, rest: np.ndarray | float) -> np.ndarray:
    """The map of the features from one of the coordinates X @ down, with the parts of `split` in a span."""
    return L @ down.T if left is None else joined(L, left, down, rest)


def checked_codes(y: ArrayLike, n_neighbors: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Number the classes; warn if some are too small for ``n_neighbors`` targets, and refuse y without any targets."""
    codes = class_codes(y)
    sizes = np.bincount(codes, weights)
    if len(sizes) < 2:
        raise ValueError("y has one class only; LMNN needs at least two.")
    if max(sizes.max(), np.bincount(codes).max()) < 2:
        raise ValueError(f"no class has two samples; n_neighbors={n_neighbors} targets of the same class are needed.")
    n_small = np.count_nonzero(sizes <= n_neighbors)
    if n_small > 0:
        warn(
            f"n_neighbors={n_neighbors} is too many for {n_small} of {len(sizes)} classes, the smallest of which has "
            f"{sizes.min():g} samples; the targets of a sample are all others of its class then."
        )
    return codes


def whitening(
    X: np.ndarray | csr_matrix, weights: np.ndarray | None = None
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates in which the covariance of X, which is centred unless it is sparse, is nearly the identity.

    They are those of the span of X if it is an array of few rows.

    Columns are brought to one scale first.  Variances below a millionth of the largest are raised to
    that, so that directions which may be rounding error are not inflated further.

    Returns
    -------
    mean : ndarray of shape (d,), or None if X is centred
    deviations : ndarray of shape (d,)
        Standard deviations of the columns.
    down, up : ndarrays of shape (d, r)
        (X − mean) @ down are the coordinates, and upᵀ @ down is the identity; r is min(n, d), or d if X is sparse.
    """
    if issparse(X):
        (n,), _, (mean,), S = Blocks(X).summed(Scatters.of, Scatters.merged, None, weights)[1:]
        deviations = np.sqrt(S.diagonal() / n)
    else:
        mean, deviations = None, X.std(axis=0) if weights is None else np.sqrt(mean_of(X**2, weights))
    scale = np.where(deviations == 0, 1, deviations)
    if mean is None:
        Z, basis = in_span(X / scale)
        S = scatter(Z, weights)
    else:
        S, basis = S / n / np.outer(scale, scale), None
    values, vectors = eigh(S)
    roots = np.sqrt(np.maximum(values, 1e-6 * values[-1]))
    axes = vectors if basis is None else basis @ vectors
    return mean, deviations, axes / roots / scale[:, None], axes * roots * scale[:, None]
