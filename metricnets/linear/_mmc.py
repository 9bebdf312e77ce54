"""MMC: Mahalanobis metric for clustering."""

from functools import partial

import numpy as np

from metricnets._initialization import initial_metric, is_identity
from metricnets._linalg import components_from_metric, diagonal_components, extended_components, in_span
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
from metricnets._progress import progress, through
from metricnets._weights import scaled_rows
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.shrunk_scatter import shrunk_scatter
from metricnets.linear._solvers.sum_of_distances import widest
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


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

    def _solve_tuples(self, X, pairs, y, weights):
        V = pair_differences(X, pairs)  # (m, d)
        unit = np.abs(V).max(axis=0)
        unit[unit == 0] = 1.0
        V /= unit
        Z, basis = in_span(X / unit)
        prior = self._prior(X, basis)
        U = V if basis is None else pair_differences(Z, pairs)
        scatter = shrunk_scatter(V, U, y, basis, self.shrinkage, weights)
        return (self._solve_diagonal if self.diagonal else self._solve_full)(scatter, prior, unit)

    def _prior(self, X, basis):
        """M₀, as its diagonal where it is diagonal."""
        if basis is not None and is_identity(self.init):
            return np.ones(X.shape[1])
        prior = initial_metric(self.init, X, random_state_of(self.random_state), name="init", definite=False)
        return np.diag(prior) if self.diagonal else prior

    def _solve_full(self, scatter, prior, unit):
        W = scatter.whitening()  # (r, rank)
        to_map = partial(self._map_of, scatter, W, prior, unit)
        return self._widest(scaled_rows(scatter.apart, scatter.counts) @ W, np.eye(W.shape[1]), to_map)

    def _map_of(self, scatter, W, prior, unit, L):
        """The map of the features from the widest map L of their whitened span."""
        L = scatter.lifted(L @ W.T)  # (rank, d)
        if prior.ndim == 1:
            learned, rest = scatter.weights(L, unit**2 * prior)
            L = L if len(L) else np.zeros((1, len(unit)))  # older SciPy has no QR of no columns
            Z, basis = in_span(L / unit)
            return extended_components(learned * (Z.T @ Z) + rest * np.eye(len(Z)), basis, rest, self.n_components)
        units = np.outer(unit, unit)
        learned, rest = scatter.weights(L, units * prior)
        return components_from_metric((learned * (L.T @ L) + rest * (units * prior)) / units, self.n_components)

    def _solve_diagonal(self, scatter, prior, unit):
        w = scatter.whitening_of_features()
        to_map = partial(self._map_of_weights, scatter, w, prior, unit)
        E = scaled_rows(scatter.features_apart, scatter.counts)[:, w > 0] * w[w > 0]
        return self._widest(E, np.ones(np.count_nonzero(w)), to_map)

    def _map_of_weights(self, scatter, w, prior, unit, weights):
        """The same from the widest weights of features, which are scaled by w."""
        w = w.copy()
        w[w > 0] *= weights
        learned, rest = scatter.weights(w, unit**2 * prior)
        M = self.diagonal_c / 2 * (learned * w**2 + rest * unit**2 * prior) / unit**2
        return diagonal_components(M, self.n_components)

    def _widest(self, E, start, to_map):
        with progress(self) as report:
            L, self.n_iter_, report.converged = widest(
                E, start, tol=self.tol, max_iter=self.max_iter, report=through(report, to_map)
            )
        self.converged_ = report.converged and not report.stopped
        return to_map(L)


class MMC(_BaseMMC, PairsLearner):
    """Mahalanobis metric for clustering (MMC), from pairs.

    Maximise the distances of dissimilar pairs while the similar pairs stay near.  With the scatter
    C = Σ_similar (x − x')(x − x')ᵀ and the distances d_M,

    max Σ_dissimilar d_M(x, x')   subject to   tr(C M) = Σ_similar d_M(x, x')² ≤ 1,   M ⪰ 0;

    or, for a diagonal M, min Σ_similar d_M² − c log Σ_dissimilar d_M, which is the same up to scale.
    In coordinates where C is the identity, L-BFGS maximises Σ ‖Le‖ / ‖L‖ over L, M = LᵀL, until
    the Frank-Wolfe gap of the convex problem in M certifies that the optimum is near; there are no
    projections.  For m pairs an iteration costs O(m d² + d³) operations, where d is the number of features or, if that
    is smaller, of points; with a diagonal M it costs O(m n_features).  The memory is O(m n_features + n_features²).

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
