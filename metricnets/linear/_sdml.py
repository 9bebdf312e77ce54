"""SDML: sparse determinant metric learning."""

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, eigh, eigvalsh
from sklearn.exceptions import ConvergenceWarning

from metricnets._linalg import components_from_metric, inverse_root
from metricnets._params import Flag, NonNegative, Parametrized, Prior, Seed, random_state_of
from metricnets._progress import progress
from metricnets.exceptions import warn
from metricnets.initial import initial_metric
from metricnets.linear._tuples import PairsFromLabels, PairsLearner

LEFT = 0.1  # of the prior's part of P, whatever dissimilar pairs take away
DEFINITE = 1e-8  # least eigenvalue of a positive definite matrix of unit diagonal
GAP = 1e-8  # for each feature, at which Newton steps stop
MAX_ITER = 60  # Newton steps
SPLIT_GAP = 1e-6
MAX_SPLITS = 1000  # steps of ADMM, if those do not converge
MOST_PRODUCTS = 50  # of conjugate gradients in one step


class _BaseSDML(Parametrized):
    """What SDML from pairs and from classes share.

    Parameters
    ----------
    balance_param : float >= 0, default=0.5
        Weight η of the pairs, over which the objective sums.  Where it is so great that the problem
        has no solution it is lowered, see `SDML`.
    sparsity_param : float >= 0, default=0.01
        Weight λ of the ℓ₁ norm: the greater, the more entries of M are 0 off the diagonal.
    prior : {'identity', 'covariance', 'random'} or array-like of shape (n_features, n_features), default='identity'
        M₀, positive definite; 'covariance' is the inverse covariance of the points.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        For a random prior.
    """

    balance_param: NonNegative = 0.5
    sparsity_param: NonNegative = 0.01
    prior: Prior = "identity"
    verbose: Flag = False
    random_state: Seed = None

    def _solve(self, X, pairs, y):
        prior = initial_metric(self.prior, X, random_state_of(self.random_state))
        V = X[pairs[:, 0]] - X[pairs[:, 1]]  # (m, d)
        P, self.balance_ = balanced(prior, V[y > 0], V[y < 0], self.balance_param)
        with progress("SDML", self.verbose, None) as report:
            M, self.n_iter_, converged = sparse_inverse(P, self.sparsity_param, report)
        if not converged:
            warn(
                "SDML did not converge: the problem is ill-conditioned. Scale the features, or lower balance_param.",
                ConvergenceWarning,
            )
        return components_from_metric(M, self.n_components)


class SDML(
    PairsLearner,
    _BaseSDML,
    positional="balance_param sparsity_param prior verbose preprocessor random_state",
):
    """Sparse determinant metric learning: few features interact, and M stays close to a prior.

    The pairs' squared distances, y = +1 for similar and −1 for dissimilar ones, are added to the
    log-determinant divergence from M₀ and the ℓ₁ norm off the diagonal:

    min tr(P M) − log det M + λ Σ_{i≠j} |M_ij|,   P = M₀⁻¹ + η Σ y (x − x')(x − x')ᵀ.

    This is the graphical lasso, solved to a known duality gap by Newton's method on the entries that
    are not 0, with conjugate gradients, and by ADMM if that does not converge.  P costs O(m d²) for m
    pairs of d features, an iteration some ten or twenty products of O(d³); the memory is O(m d + d²).

    Deviation from the paper: dissimilar pairs make P indefinite for all but small η, and the
    problem unbounded.  Then η is lowered until P ⪰ M₀⁻¹ / 10, so that it is the paper's problem
    for ``balance_``; where P is positive definite nothing is changed.  With a unit diagonal P needs
    eigenvalues above 10⁻⁸; lower ones are raised.

    Attributes
    ----------
    balance_ : float
        η, at most ``balance_param``.
    n_iter_ : int
        Iterations taken.

    References
    ----------
    G.-J. Qi, J. Tang, Z.-J. Zha, T.-S. Chua, H.-J. Zhang, "An efficient sparse metric learning in
    high-dimensional space via ℓ₁-penalized log-determinant regularization", ICML 2009.

    Examples
    --------
    >>> from metricnets import SDML
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> sdml = SDML().fit(pairs, [1, 1, -1, -1])
    >>> sdml.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """


class SDML_Supervised(  # noqa: N801
    PairsFromLabels,
    _BaseSDML,
    positional="balance_param sparsity_param prior n_constraints verbose preprocessor random_state",
):
    """SDML from classes: rows of one class make similar pairs, rows of two make dissimilar ones.

    The pairs are drawn at random; see `SDML` for what is learned from them, and how.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        What the pairs are drawn with, and a random prior.

    Attributes
    ----------
    balance_ : float
        η, at most ``balance_param``.
    n_iter_ : int
        Iterations taken.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import SDML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> SDML_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """


def balanced(prior, similar, dissimilar, balance):
    """Make P = M₀⁻¹ + η K, with K the scatter of similar less that of dissimilar differences.

    Parameters
    ----------
    prior : ndarray of shape (d, d)
        M₀.
    similar, dissimilar : ndarray of shape (m, d), (n, d)
    balance : float
        η.

    Returns
    -------
    P : ndarray of shape (d, d)
    balance : float
        The η given if that makes P positive definite, otherwise the greatest with P ⪰ LEFT M₀⁻¹.
    """
    W = inverse_root(prior)
    K, inverse = similar.T @ similar - dissimilar.T @ dissimilar, W @ W.T
    P = inverse + balance * K
    if not definite(P):
        root = components_from_metric(prior)
        least = eigvalsh(root @ K @ root)[0]
        balance = min(balance, (1 - LEFT) / max(-least, np.finfo(float).tiny))
        P = inverse + balance * K
    return P, balance


def definite(P):
    """Whether P is positive definite in this precision, whatever the units of its rows."""
    own = np.diag(P)
    return bool((own > 0).all()) and eigvalsh(P / np.sqrt(np.outer(own, own)))[0] > DEFINITE


def sparse_inverse(P, penalty, report):
    """Minimise tr(P M) − log det M + λ Σ_{i≠j} |M_ij| over positive definite M.

    Solved in units in which P has a unit diagonal, and an eigenvalue of at least `DEFINITE`.

    Parameters
    ----------
    P : ndarray of shape (d, d)
    penalty : float
        λ.
    report : callable
        Called once an iteration with the objective.

    Returns
    -------
    M : ndarray of shape (d, d)
    n_iter : int
    converged : bool
    """
    unit = np.sqrt(np.diag(P))
    P = P / np.outer(unit, unit)
    if not definite(P):
        values, vectors = eigh(P)
        P = (vectors * np.maximum(values, 2 * DEFINITE)) @ vectors.T
    weights = penalty / np.outer(unit, unit)
    np.fill_diagonal(weights, 0.0)
    M, n_iter, converged = _newton(P, weights, report)
    if not converged:
        M, n_more, converged = _split(M, P, weights, report)
        n_iter += n_more
    return M / np.outer(unit, unit), n_iter, converged


def _newton(P, weights, report):
    """Solve the graphical lasso with ``weights`` (d, d) of the entries; returns M, n_iter, converged."""
    starts = [np.diag(1 / np.diag(P)), inverse_of(P)]
    value, M = min(((objective(M, P, weights), M) for M in starts), key=lambda pair: pair[0])
    for n_iter in range(1, MAX_ITER + 1):
        report(value)
        W = inverse_of(M)
        if value - bound(W - P, P, weights) <= GAP * len(P):
            return M, n_iter, True
        G = P - W
        slope = np.where(M != 0, G + weights * np.sign(M), np.sign(G) * np.maximum(np.abs(G) - weights, 0))
        signs = np.where(M != 0, np.sign(M), -np.sign(slope))  # of the entries of the orthant to stay in
        step = _direction(slope, signs != 0, M, W)
        M, before = _search(M, step, slope, signs, value, P, weights)
        value = objective(M, P, weights)
        if value >= before:
            break
    return M, n_iter, False


def _direction(slope, free, M, W):
    """Solve (W E W)_ij = −slope_ij on the free entries by conjugate gradients, with M E M to guide them."""
    E, R = np.zeros_like(M), -slope * free
    Y = free * (M @ R @ M)
    D, size = Y, np.vdot(R, Y)
    goal = 0.01 * size
    for _ in range(MOST_PRODUCTS):
        if size <= goal:
            break
        H = free * (W @ D @ W)
        length = size / np.vdot(D, H)
        E, R = E + length * D, R - length * H
        Y = free * (M @ R @ M)
        size, before = np.vdot(R, Y), size
        D = Y + size / before * D
    return (E + E.T) / 2


def _search(M, step, slope, signs, value, P, weights):
    """Walk from M along the step as far as pays, entries that would leave the orthant stopping at 0."""
    t = 1.0
    while t > 1e-12:
        new = M + t * step
        new[new * signs < 0] = 0.0
        if objective(new, P, weights) <= value + 1e-4 * np.vdot(slope, new - M):
            return new, value
        t /= 2
    return M, value


def _split(M, P, weights, report):
    """Solve the same problem by splitting (ADMM): slower, but surer than `_newton` for an ill-conditioned P.

    Starts from `_newton`'s M, and returns as it does.
    """
    best, least = M, objective(M, P, weights)
    Z, U, rho = M, np.zeros_like(P), 1.0  # M is of the log-determinant, Z of the norm; rho U of the dual problem
    for n_iter in range(1, MAX_SPLITS + 1):
        values, vectors = eigh(rho * (Z - U) - P)
        M = (vectors * ((values + np.sqrt(values**2 + 4 * rho)) / (2 * rho))) @ vectors.T
        A, before = 1.6 * M - 0.6 * Z + U, Z  # over-relaxed
        Z = np.sign(A) * np.maximum(np.abs(A) - weights / rho, 0)
        U = A - Z
        value = objective(Z, P, weights)
        report(value)
        if value < least:
            best, least = Z, value
        if least - bound(rho * U, P, weights) <= SPLIT_GAP * len(P):
            return best, n_iter, True
        if n_iter % 20 == 0:
            factor = _imbalance(M - Z, Z, Z - before, U)
            rho, U = rho * factor, U / factor
    return best, n_iter, False


def _imbalance(apart, Z, moved, U):
    """Factor of rho that makes the relative residuals, of Z and of U, go down alike."""
    apart, Z, moved, U = (max(np.linalg.norm(A), np.finfo(float).tiny ** 0.25) for A in (apart, Z, moved, U))
    return np.clip(np.sqrt(apart / Z * U / moved), 0.2, 5)


def bound(U, P, weights):
    """Lower bound of the minimum, the value of the dual problem at U clipped to ±``weights``."""
    return len(P) + log_det(P + np.clip(U, -weights, weights))


def objective(M, P, weights):
    """Value of tr(P M) − log det M + Σ w_ij |M_ij|; infinite where M is not positive definite."""
    return np.vdot(P, M) - log_det(M) + np.vdot(weights, np.abs(M))


def log_det(M):
    """Logarithm of the determinant; −∞ where M is not positive definite."""
    try:
        return 2 * np.log(np.diag(cholesky(M, lower=True))).sum()
    except LinAlgError:
        return -np.inf


def inverse_of(M):
    """Inverse of a positive definite matrix."""
    inverse = cho_solve((cholesky(M, lower=True), True), np.eye(len(M)))
    return (inverse + inverse.T) / 2
