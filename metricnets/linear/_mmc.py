"""MMC: Mahalanobis metric for clustering."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, eigvalsh
from sklearn.covariance import ledoit_wolf_shrinkage

from metricnets._initialization import initial_metric
from metricnets._linalg import components_from_metric
from metricnets._params import (
    Count,
    Flag,
    MaybeShare,
    NonNegative,
    Parametrized,
    Positive,
    Prior,
    Seed,
    random_state_of,
)
from metricnets._progress import progress
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.lbfgs import MEMORY, NearEnough, minimize_smooth
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner

LEAST_SIMILAR = 1e-4  # smallest scatter of similar pairs in a direction, as a share of that of all pairs
NO_SCATTER = 1e-10  # scatter that counts as none, as a share of the largest in any direction
MOST_AUTO = 0.5


class _BaseMMC(Parametrized):
    """What MMC from pairs and from classes share.

    Parameters
    ----------
    max_iter : int >= 1, default=100
        Maximum number of iterations; ten or twenty are usual.
    tol : float >= 0, default=0.001
        Relative gap at which iterations stop: the sum of distances is at least 1 − ``tol`` times
        the maximum.
    init : {'identity', 'covariance', 'random'} or array-like of shape (n_features, n_features), default='identity'
        The prior metric M₀, positive semi-definite, which ``shrinkage`` mixes in; 'covariance' is the inverse
        covariance of the points.  It is not a starting point: the problem is convex.
    diagonal : bool, default=False
        Whether to learn only weights of the features, a diagonal M.
    diagonal_c : float > 0, default=1.0
        Weight c of the dissimilar pairs for a diagonal M, which only scales it.
    shrinkage : float in [0, 1], 'auto' or None, default='auto'
        Share of the diagonal in the scatter of similar pairs, and of M₀ in M.  'auto' takes the estimate
        of Ledoit and Wolf for the scatter of similar pairs, at most ½; None and 0 solve the paper's
        problem unchanged.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        Seed of ``init='random'``.  Pass an int for reproducible results.

    Attributes
    ----------
    n_iter_ : int
        Number of iterations.
    converged_ : bool
        Whether the gap reached ``tol``, or became as small as rounding allows.
    """

    max_iter: Count = 100
    tol: NonNegative = 1e-3
    init: Prior = "identity"
    diagonal: Flag = False
    diagonal_c: Positive = 1.0
    shrinkage: MaybeShare = "auto"
    verbose: Flag = False
    random_state: Seed = None

    def _solve_tuples(self, X, pairs, y):
        prior = initial_metric(self.init, X, random_state_of(self.random_state), name="init", definite=False)
        V = pair_differences(X, pairs)  # (m, d)
        unit = np.abs(V).max(axis=0)
        unit[unit == 0] = 1.0
        V /= unit
        similar, dissimilar = V[y > 0], V[y < 0]
        scatter, share = shrunk_scatter(similar, dissimilar, self.shrinkage)
        W = whitening(scatter, dissimilar, self.diagonal, exact=share == 0)
        with progress(self) as report:
            L, self.n_iter_, self.converged_ = widest(
                dissimilar @ W, self.diagonal, tol=self.tol, max_iter=self.max_iter, report=report
            )
            report.converged = self.converged_
        L = L @ W.T
        M = mixed(L.T @ L, np.outer(unit, unit) * prior, scatter, share, self.diagonal)
        M = (self.diagonal_c / 2 if self.diagonal else 1.0) * M / np.outer(unit, unit)
        return components_from_metric(M, self.n_components)


class MMC(_BaseMMC, PairsLearner):
    """Mahalanobis metric for clustering (MMC), from pairs.

    Maximise the distances of dissimilar pairs while the similar pairs stay near.  With the scatter
    C = Σ_similar (x − x')(x − x')ᵀ and the distances d_M,

    max Σ_dissimilar d_M(x, x')   subject to   tr(C M) = Σ_similar d_M(x, x')² ≤ 1,   M ⪰ 0;

    or, for a diagonal M, min Σ_similar d_M² − c log Σ_dissimilar d_M, which is the same up to scale.
    In coordinates where C is the identity, L-BFGS maximises Σ ‖Le‖ / ‖L‖ over L, M = LᵀL, until
    the Frank-Wolfe gap of the convex problem in M certifies that the optimum is near; there are no
    projections.  For m pairs of d features an iteration costs O(m d² + d³) operations, or O(m d) with a
    diagonal M, and the memory is O(m d + d²).

    Deviations from the paper: its optimum has a low rank, often 1 to 3, and overfits the training
    pairs, which harms nearest neighbours in new data.  By default, therefore, C is shrunk towards its
    diagonal and M towards M₀, and the constraint uses the shrunk C.  ``shrinkage=None`` solves the paper's
    problem.  A direction without scatter of similar pairs, where the optimum would be infinite, gets 10⁻⁴ of the
    scatter of all pairs in it, and a direction without any scatter keeps only its share of M₀.

    See Also
    --------
    MMC_Supervised : The same method from classes.
    DMLEig : Largest distance of the nearest dissimilar pair, from pairs.

    References
    ----------
    E. P. Xing, A. Y. Ng, M. I. Jordan, S. Russell, "Distance metric learning with application to
    clustering with side-information", NIPS 2002.

    Examples
    --------
    >>> from metricnets import MMC
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> mmc = MMC().fit(pairs, [1, 1, -1, -1])
    >>> mmc.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "MMC_Supervised"


class MMC_Supervised(_BaseMMC, PairsFromLabels):  # noqa: N801
    """Mahalanobis metric for clustering (MMC), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `MMC` for the
    objective and the solver.

    Parameters
    ----------
    tol : float >= 0, default=1e-06
        Relative gap at which iterations stop: the sum of distances is at least 1 − ``tol`` times
        the maximum.
    random_state : int, RandomState or None, default=None
        Determines which pairs are drawn, and the random prior.  Pass an int for reproducible results.

    See Also
    --------
    MMC : The same method from pairs.
    DMLEig_Supervised : Largest distance of the nearest dissimilar pair, from classes.

    References
    ----------
    E. P. Xing, A. Y. Ng, M. I. Jordan, S. Russell, "Distance metric learning with application to
    clustering with side-information", NIPS 2002.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import MMC_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> MMC_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """

    tol: NonNegative = 1e-6


def shrunk_scatter(
    similar: np.ndarray, dissimilar: np.ndarray, shrinkage: float | str | None
) -> tuple[np.ndarray, float]:
    """Scatter C of the similar differences with a share ρ of its own diagonal: (1 − ρ) VᵀV + ρ diag(VᵀV).

    Parameters
    ----------
    similar, dissimilar : ndarray of shape (m, d), (n, d)
    shrinkage : float, 'auto' or None

    Returns
    -------
    scatter : ndarray of shape (d, d)
    share : float
        ρ.
    """
    C = similar.T @ similar
    own = np.diag(C)
    variances = np.maximum(own, LEAST_SIMILAR * (own + np.einsum("ij,ij->j", dissimilar, dissimilar)))
    if shrinkage == "auto":
        scaled = similar / np.sqrt(np.where(variances > 0, variances, 1.0) / len(similar))
        share = min(ledoit_wolf_shrinkage(scaled, assume_centered=True), MOST_AUTO) if len(scaled) > 1 else MOST_AUTO
    else:
        share = shrinkage or 0.0
    return (1 - share) * C + share * np.diag(variances), share


def raised(similar: np.ndarray, total: np.ndarray | float, exact: bool) -> np.ndarray:
    """Similar scatter along some directions, raised where it is 0 or, unless ``exact``, tiny in the total."""
    least = NO_SCATTER if exact else LEAST_SIMILAR
    return np.where(similar > least * total, similar, LEAST_SIMILAR * total)


def whitening(scatter: np.ndarray, dissimilar: np.ndarray, diagonal: bool, exact: bool) -> np.ndarray:
    """Return W (d, rank) with Wᵀ C W = I for the scatter C, `raised`."""
    total = scatter + dissimilar.T @ dissimilar
    if diagonal:
        own = raised(np.diag(scatter), np.diag(total), exact)
        kept = own > 0
        return np.eye(len(own))[:, kept] / np.sqrt(own[kept])
    values, vectors = eigh(total)
    kept = values > NO_SCATTER * max(values[-1], np.finfo(float).tiny)
    R = vectors[:, kept] / np.sqrt(values[kept])
    values, vectors = eigh(R.T @ scatter @ R) if kept.any() else (np.ones(0), np.ones((0, 0)))
    return R @ vectors / np.sqrt(raised(values, 1.0, exact))


def widest(
    E: np.ndarray, diagonal: bool, *, tol: float, max_iter: int, report: Callable[[float], None]
) -> tuple[np.ndarray, int, bool]:
    """Maximise Σ ‖L e‖ over ‖L‖ = 1, L square or diagonal, for the rows e of E.

    In M = LᵀL the sum is concave on the matrices of trace 1, with the slope G / 2, G = Σ eeᵀ / ‖Le‖, so
    that the maximum is at most Σ ‖Le‖ + (λ_max(G) − tr(G M)) / 2, where tr(G M) = Σ ‖Le‖.

    Parameters
    ----------
    E : ndarray of shape (m, d)
    diagonal : bool
    tol : float
    max_iter : int
    report : callable
        Called once an iteration with the cost of `Spread`.

    Returns
    -------
    L : ndarray of shape (d, d)
        0 if no row of E has a length.
    n_iter : int
    converged : bool
    """
    d = E.shape[1]
    E = E[np.einsum("ij,ij->i", E, E) > 0]
    if len(E) == 0:
        return np.zeros((d, d)), 1, True
    start, memory = (np.ones(d), 50) if diagonal else (np.eye(d), MEMORY)
    L, n_iter, converged = minimize_smooth(
        Spread(E, tol), start, ftol=0.0, gtol=0.0, max_iter=max_iter, report=report, memory=memory
    )
    L = np.diag(L) if diagonal else L
    return L / np.linalg.norm(L), n_iter, converged


@dataclass
class Spread:
    """The cost log ‖L‖ − log Σ ‖Le‖ over the rows e of E and its slope, until the relative gap is at most ``tol``."""

    E: np.ndarray
    tol: float

    def __call__(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        total, G = distances(self.E, L)
        size, diagonal = np.vdot(L, L), L.ndim == 1
        largest = G.max() if diagonal else eigvalsh(G, subset_by_index=[len(G) - 1] * 2)[0]
        if (largest * size / total - 1) / 2 <= self.tol:
            raise NearEnough
        slope = L / size - (L * G if diagonal else L @ G) / total
        return np.log(size) / 2 - np.log(total), slope


def distances(E: np.ndarray, L: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of ‖Le‖ over the rows of E, and its slope Σ eeᵀ / ‖Le‖ (d, d); its diagonal (d,) for the diagonal L (d,)."""
    Z = E * L if L.ndim == 1 else E @ L.T
    d = np.maximum(np.sqrt(np.einsum("ij,ij->i", Z, Z)), np.finfo(float).tiny ** 0.5)
    B = E / np.sqrt(d)[:, None]
    return d.sum(), np.einsum("ij,ij->j", B, B) if L.ndim == 1 else B.T @ B


def mixed(M: np.ndarray, prior: np.ndarray, scatter: np.ndarray, share: float, diagonal: bool) -> np.ndarray:
    """Mix the learned metric M and the prior, so that each contributes its share of tr(C M) = 1."""
    if diagonal:
        M, prior = np.diag(np.diag(M)), np.diag(np.diag(prior))
    if not M.any():
        share = 1.0
    spent = np.vdot(scatter, prior)
    if spent <= NO_SCATTER * np.trace(scatter) * np.trace(prior):  # no share of the prior changes tr(C M)
        return M if M.any() else prior
    return (1 - share) * M + share / spent * prior
