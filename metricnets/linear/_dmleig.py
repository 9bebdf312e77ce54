"""DML-eig: distance metric learning with eigenvalue optimisation."""

from collections.abc import Callable

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

ROUNDING = 1e-13  # relative growth of the objective that may be rounding


class _BaseDMLEig(Parametrized):
    """What DML-eig from pairs and from classes share.

    Parameters
    ----------
    mu : float > 0, default=0.1
        Smoothing of the minimum over the dissimilar pairs, relative to their mean squared distance
        after the similar pairs are whitened.  With larger values more pairs count.
    regularization : float >= 0, default=0.1
        Added to the mean squared difference of similar pairs in every direction, with features of
        unit scale.  At 0, directions in which no similar pair differs are left out.
    max_iter : int >= 1, default=1000
        Maximum number of iterations, those of L-BFGS and Frank-Wolfe steps together.
    tol : float >= 0, default=0.01
        Relative duality gap at which iterations stop.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    n_iter_ : int
        Number of iterations of L-BFGS and Frank-Wolfe steps together.
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
                "no dissimilar pair can be separated: their points are equal, or regularization=0 leaves out all "
                "directions in which they differ."
            )
        with progress(self) as report:
            L, self.n_iter_, gap, report.converged = widest(
                T, mu=self.mu, max_iter=self.max_iter, tol=self.tol, report=report
            )
            report.advice = f"the relative duality gap is {gap:.2g}; raise max_iter, tol or mu"
        L = L @ W.T
        return components_from_metric(L.T @ L, self.n_components) / units


class DMLEig(_BaseDMLEig, PairsLearner):
    """Distance metric learning with eigenvalue optimization (DML-eig), from pairs.

    Maximise the smallest squared distance of a dissimilar pair, while the mean squared distance of the
    similar pairs is at most 1.  After whitening the similar pairs by W, that is

        max over M ⪰ 0, tr(M) = 1, of  −μ log mean over dissimilar pairs of exp(−d²/μ),
        d² = (x − x')ᵀ W M Wᵀ (x − x'),

    a smoothed minimum that tends to the smallest d² for μ → 0.  As in the paper, a Frank-Wolfe step
    goes along the leading eigenvector of the gradient, whose eigenvalue is an upper bound of the maximum;
    iterations stop when the relative gap to the bound is at most ``tol``.

    An iteration costs O(n_dissimilar d²) operations, a Frank-Wolfe step also O(d³); memory is
    O(n_pairs d).  The units of the features do not matter.  With ``n_components`` the leading
    eigenvectors of the metric are kept.  Deviations from the paper: Frank-Wolfe steps alone converge slowly,
    so each is followed by L-BFGS in a factor of M, and μ decreases from 1 to its value; the scatter of
    the similar pairs is regularised; dissimilar pairs of equal points, which no metric can separate,
    are left out.

    See Also
    --------
    DMLEig_Supervised : The same method from classes.
    MMC : Largest sum of distances of dissimilar pairs, from pairs.

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

    _from_labels = "DMLEig_Supervised"


class DMLEig_Supervised(_BaseDMLEig, PairsFromLabels):  # noqa: N801
    """Distance metric learning with eigenvalue optimization (DML-eig), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `DMLEig` for the
    objective and the solver.

    See Also
    --------
    DMLEig : The same method from pairs.
    MMC_Supervised : Largest sum of distances of dissimilar pairs, from classes.

    References
    ----------
    Y. Ying, P. Li, "Distance metric learning with eigenvalue optimization", JMLR 13, 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DMLEig_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> DMLEig_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """


def apart(T: np.ndarray) -> np.ndarray:
    """The differences (n, d) that are not zero up to rounding."""
    sizes = np.abs(T).max(axis=1, initial=0.0)
    return T[sizes > T.shape[1] * np.finfo(T.dtype).eps * sizes.max()]


def smooth_least(squares: np.ndarray, mu: float) -> float:
    """The smoothed minimum −μ log mean exp(−squares/μ), at most μ log(n) above the minimum."""
    return mu * (np.log(len(squares)) - logsumexp(-squares / mu))


def least_and_gradient(L: np.ndarray, T: np.ndarray, mu: float) -> tuple[float, np.ndarray]:
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


def climb(
    L: np.ndarray, T: np.ndarray, *, mu: float, max_iter: int, tol: float, report: Callable[[float], None]
) -> tuple[np.ndarray, int]:
    """Maximise `least_and_gradient`, starting from L; return L of norm 1 and the number of iterations."""

    def objective(L):
        least, by_L = least_and_gradient(L, T, mu)
        return -least, -by_L

    found, n_iter, _ = minimize_smooth(
        objective, L, ftol=0.0, gtol=tol, max_iter=max_iter, report=lambda value: report(-value)
    )
    return found / np.linalg.norm(found), n_iter


def widest(
    T: np.ndarray, *, mu: float, max_iter: int, tol: float, report: Callable[[float], None]
) -> tuple[np.ndarray, int, float, bool]:
    """Maximise the smoothed minimum of τᵀMτ over the rows τ of T, for M ⪰ 0 of trace 1.

    For non-negative weights u of the rows that sum to 1, the largest eigenvalue of Σ u ττᵀ is an upper bound
    of the smallest τᵀMτ, for every M; the weights are those of the gradient.

    Parameters
    ----------
    T : ndarray of shape (n, d)
    mu : float
        Relative to the mean of ‖τ‖²/d.
    max_iter : int
    tol : float
        Relative gap at which to stop, of the minimum or of the smoothed minimum.
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


def leading(T: np.ndarray, u: np.ndarray) -> tuple[float, np.ndarray]:
    """Largest eigenvalue of Σ u ττᵀ and its eigenvector (d,)."""
    d = T.shape[1]
    values, vectors = eigh((T.T * u) @ T, subset_by_index=[d - 1, d - 1])
    return values[0], vectors[:, 0]


def toward(v: np.ndarray, L: np.ndarray, T: np.ndarray, mu: float) -> np.ndarray:
    """Frank-Wolfe step, (1 − a) LᵀL + a vvᵀ with the best a in [0, 1]; return its root (d, d)."""
    here, there = ((T @ L.T) ** 2).sum(axis=1), (T @ v) ** 2
    a = minimize_scalar(lambda a: -smooth_least(here + a * (there - here), mu), bounds=(0, 1), method="bounded").x
    return components_from_metric((1 - a) * L.T @ L + a * np.outer(v, v))
