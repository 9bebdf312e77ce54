"""DML-eig: the nearest dissimilar pair as far as can be, an eigenvalue optimisation."""

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from metricnets._linalg import components_from_metric, inverse_root
from metricnets._params import Count, Flag, NonNegative, Parametrized, Positive
from metricnets._progress import progress
from metricnets.linear._pairwise.differences import in_units, pair_differences
from metricnets.linear._solvers.lbfgs import minimize_smooth
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner

ROUNDING = 1e-13  # relative growth of the objective that is none


class _BaseDMLEig(Parametrized):
    """What both forms of DML-eig share.

    Parameters
    ----------
    mu : float > 0, default=0.1
        Smoothing of the minimum over the dissimilar pairs, as a share of their mean squared distance
        when similar pairs are white.  The greater it is, the more pairs count.
    regularization : float >= 0, default=0.1
        Added to the mean squared difference of similar pairs in every direction, features being of
        unit scale.  At 0, directions in which no similar pair differs are left out.
    max_iter : int >= 1, default=1000
        Most iterations, of L-BFGS and of Frank-Wolfe together.
    tol : float >= 0, default=0.01
        Relative duality gap to stop at.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    n_iter_ : int
        Iterations of L-BFGS and of Frank-Wolfe.
    """

    mu: Positive = 0.1
    regularization: NonNegative = 0.1
    max_iter: Count = 1000
    tol: NonNegative = 1e-2
    verbose: Flag = False

    def _solve_tuples(self, X, pairs, y):
        differences, units = in_units(pair_differences(X, pairs))  # (n_pairs, d)
        similar = differences[y > 0]
        W = inverse_root(similar.T @ similar / len(similar) + self.regularization * np.eye(len(units)))  # (d, rank)
        T = apart(differences[y < 0] @ W)
        if len(T) == 0:
            raise ValueError(
                "no dissimilar pair can be set apart: their points are equal, or regularization=0 leaves out all in "
                "which they differ."
            )
        with progress(self) as report:
            L, self.n_iter_, gap, report.converged = widest(
                T, mu=self.mu, max_iter=self.max_iter, tol=self.tol, report=report
            )
            report.advice = f"the relative duality gap is {gap:.2g}; raise max_iter, tol or mu"
        L = L @ W.T
        return components_from_metric(L.T @ L, self.n_components) / units


class DMLEig(_BaseDMLEig, PairsLearner):
    """DML-eig: the nearest dissimilar pair should be as far apart as can be.

    Maximise the least squared distance of a dissimilar pair, while the mean squared distance of the
    similar pairs is at most 1.  With similar pairs made white, by W, that is

        max over M ⪰ 0, tr(M) = 1, of  −μ log mean over dissimilar pairs of exp(−d²/μ),
        d² = (x − x')ᵀ W M Wᵀ (x − x'),

    a smoothed minimum that is the least d² for μ → 0.  As in the paper, a step of Frank and Wolfe
    goes along the leading eigenvector of the gradient, whose eigenvalue bounds the maximum: it stops
    when the bound is relatively near, by ``tol``.

    An iteration costs O(n_dissimilar d²) operations, a step of Frank and Wolfe also O(d³); memory is
    O(n_pairs d).  Units of the features make no difference.  With ``n_components`` the leading
    eigenvectors of the metric are kept.  Deviations from the paper: such steps alone converge slowly,
    so that after each L-BFGS climbs in a factor of M, and μ falls to its value from 1; the scatter of
    the similar pairs is regularised; a dissimilar pair of equal points, which no metric sets apart,
    is left out.

    See Also
    --------
    DMLEig_Supervised : The same method from classes.
    MMC : Large distances of dissimilar pairs, bounded ones of similar pairs.

    References
    ----------
    Y. Ying, P. Li, "Distance metric learning with eigenvalue optimization", JMLR 13, 2012.

    Examples
    --------
    >>> from metricnets import DMLEig
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> dmleig = DMLEig().fit(pairs, [1, 1, -1, -1])
    >>> dmleig.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """


class DMLEig_Supervised(_BaseDMLEig, PairsFromLabels):  # noqa: N801
    """DML-eig from classes: `DMLEig` on pairs drawn from them.

    See Also
    --------
    DMLEig : The same method from pairs.
    MMC_Supervised : Large distances of dissimilar pairs, bounded ones of similar pairs, from classes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DMLEig_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> DMLEig_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """


def apart(T):
    """The differences (n, d) that are not zero but for rounding."""
    sizes = np.abs(T).max(axis=1, initial=0.0)
    return T[sizes > T.shape[1] * np.finfo(T.dtype).eps * sizes.max()]


def smooth_least(squares, mu):
    """The smoothed minimum −μ log mean exp(−squares/μ), at most μ log(n) above the least."""
    return mu * (np.log(len(squares)) - logsumexp(-squares / mu))


def least_and_gradient(L, T, mu):
    """`smooth_least` of the squared distances ‖Lτ‖²/‖L‖² of the rows τ of T, and its gradient.

    Parameters
    ----------
    L : ndarray of shape (k, d)
    T : ndarray of shape (n, d)
    mu : float

    Returns
    -------
    least : float
    by_L : ndarray of shape (k, d)
    """
    z, size = T @ L.T, (L**2).sum()
    squares = np.einsum("ij,ij->i", z, z) / size
    u = softmax(-squares / mu)
    near = u > np.finfo(float).eps * u.max()  # for a small μ most pairs do not count
    by_L = (u[near, None] * z[near]).T @ T[near] - (u @ squares) * L
    return smooth_least(squares, mu), 2 * by_L / size


def climb(L, T, *, mu, max_iter, tol, report):
    """Maximise `least_and_gradient` from L on; returns L of norm 1 and the number of iterations."""

    def objective(L):
        least, by_L = least_and_gradient(L, T, mu)
        return -least, -by_L

    found, n_iter, _ = minimize_smooth(
        objective, L, ftol=0.0, gtol=tol, max_iter=max_iter, report=lambda value: report(-value)
    )
    return found / np.linalg.norm(found), n_iter


def widest(T, *, mu, max_iter, tol, report):
    """Maximise the smoothed minimum of τᵀMτ over the rows τ of T, for M ⪰ 0 of trace 1.

    For weights u of the rows, at least 0 and of sum 1, the greatest eigenvalue of Σ u ττᵀ is at least
    the maximum of the least τᵀMτ; the weights are those of the gradient.

    Parameters
    ----------
    T : ndarray of shape (n, d)
    mu : float
        As a share of the mean of ‖τ‖²/d.
    max_iter : int
    tol : float
        Relative gap to stop at: of the minimum itself, or of the smoothed one.
    report : callable
        Called with the objective once an iteration.

    Returns
    -------
    L : ndarray of shape (d, d)
        M = LᵀL.
    n_iter : int
    gap : float
        The relative gap that was reached.
    converged : bool
        Whether it is at most ``tol``, or the last steps raised the smoothed minimum by rounding alone.
    """
    d = T.shape[1]
    T = T / np.sqrt((T**2).sum(axis=1).mean() / d)
    L, smoothing, n_iter, slope, highest = np.eye(d) / np.sqrt(d), max(1.0, mu), 0, 0.1 * tol, -np.inf
    while True:
        L, n_climbs = climb(L, T, mu=smoothing, max_iter=max_iter - n_iter, tol=slope, report=report)
        n_iter += n_climbs
        squares = ((T @ L.T) ** 2).sum(axis=1)
        bound, v = leading(T, softmax(-squares / smoothing))
        gap, stalled = (bound - squares.min()) / bound, False
        if smoothing <= mu:
            gap = min(gap, (bound - softmax(-squares / smoothing) @ squares) / bound)
            slope /= 10
            least = smooth_least(squares, smoothing)
            stalled, highest = least - highest <= ROUNDING * bound, max(least, highest)
        if gap <= tol or stalled or n_iter >= max_iter:
            return L, n_iter, gap, gap <= tol or stalled
        smoothing = max(mu, smoothing / 10)
        L = toward(v, L, T, smoothing)
        n_iter += 1


def leading(T, u):
    """Greatest eigenvalue of Σ u ττᵀ and its eigenvector (d,)."""
    d = T.shape[1]
    values, vectors = eigh((T.T * u) @ T, subset_by_index=[d - 1, d - 1])
    return values[0], vectors[:, 0]


def toward(v, L, T, mu):
    """Step of Frank and Wolfe, (1 − a) LᵀL + a vvᵀ with the best a in [0, 1]; returns its root (d, d)."""
    here, there = ((T @ L.T) ** 2).sum(axis=1), (T @ v) ** 2
    a = minimize_scalar(lambda a: -smooth_least(here + a * (there - here), mu), bounds=(0, 1), method="bounded").x
    return components_from_metric((1 - a) * L.T @ L + a * np.outer(v, v))
