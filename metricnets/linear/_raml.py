"""RAML: relation alignment metric learning, by kernel regression."""

from typing import Annotated, Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import issparse
from sklearn.svm import SVR

from metricnets import relations
from metricnets._arrays import dense
from metricnets._linalg import components_from_metric, in_span, out_of_span
from metricnets._params import Count, Function, NonNegative, Positive, Seed, StrOptions, random_state_of
from metricnets._targets import readable, resolve
from metricnets._weights import mean_of, rows_of, scaled_rows, weights_of_tuples
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._pairwise.doublets import BLOCK, finest, graded_doublets, kernel, matrix_of, unit_of, vanishes


class RAML(LinearMetric):
    """Relation alignment metric learning (RAML).

    Regress the dissimilarity of two targets, g = 1 − r(y, y'), on the difference τ = x − x' of
    their points.  As the relation r may be graded, the targets may be classes, label sets, distributions or
    real values, y of shape (n,) or (n, n_targets).  M and b minimise, over pairs of samples, called doublets,

        mean ℓ(τᵀMτ + b − g) + ``alpha`` ‖M‖²,    ℓ(e) = e², or 2 max(0, abs(e) − ``epsilon``),

    which is ridge regression, or a support vector machine, with the kernel K(τ, τ') = (τᵀτ')²; then
    M = Σ w ττᵀ is projected onto the positive semi-definite matrices.

    A sample forms doublets with its nearest neighbours among the samples whose relation to it is above the mean
    relation, and with as many among the others: for classes, in its class and in other classes.  Memory is
    O(n² + n d + d²) for n doublets of d features, and time O(n² d + n³ + d³); ridge regression on more than
    p = d (d + 1) / 2 doublets is solved in the entries of M instead, in O(p²) memory and O(n p² + p³) time.  If
    there are fewer samples than features, d is the number of samples.  Of sparse samples the differences of doublets
    become dense.

    Deviations from the paper: τ is divided by its root mean square, and g by its standard
    deviation, while learning, so that ``alpha`` and ``epsilon`` mean the same in all units and for every scale
    of the relation.  Features with large values dominate: scale them first.

    Parameters
    ----------
    solver : {'krr', 'svr'}, default='krr'
        Kernel ridge regression, or support vector regression.
    relation : str or callable, default='auto'
        r: a name of :mod:`metricnets.relations`, or a function ``(y_a, y_b) -> r`` of arrays, symmetric.
        'auto' selects one by the type of y; the paper uses 'l1'.
    alpha : float > 0, default=0.1
        Weight of ‖M‖².
    epsilon : float >= 0, default=0.1
        For 'svr': errors up to this cost nothing, in standard deviations of g.
    n_neighbors : int >= 1, default=5
        Number of doublets of a sample with more similar samples, and with less similar samples.
    max_doublets : int >= 1, default=5000
        Maximum number of doublets; if there are more, a random subset is used.
    max_iter : int >= 1, default=1000000
        For 'svr': maximum number of steps, each of which changes two coefficients; there is a ConvergenceWarning if
        they are not enough.
    tol : float > 0, default=0.001
        For 'svr': tolerance of the optimality conditions, as in scikit-learn's ``SVR``.
    random_state : int, RandomState or None, default=None
        Determines which doublets are drawn.  Pass an int for reproducible results.

    Attributes
    ----------
    bias_ : float
        The bias b before the projection.
    n_iter_ : int
        Number of steps of 'svr'; 1 for 'krr'.

    See Also
    --------
    DoubletSVM : Support vector machine on pairs.
    HRAML : Network aligned with graded relations of targets.
    MLKR : Soft nearest neighbours for real targets.

    References
    ----------
    P. Zhu, R. Qi, Q. Hu, Q. Wang, C. Zhang, L. Yang, "Beyond similar and dissimilar relations: a kernel
    regression formulation for metric learning", IJCAI 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from metricnets import RAML
    >>> X, y = load_diabetes(return_X_y=True)  # y is real-valued
    >>> RAML(relation="absolute", n_components=2).fit_transform(X, y).shape
    (442, 2)
    """

    solver: Literal["krr", "svr"] = "krr"
    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"
    alpha: Positive = 0.1
    epsilon: NonNegative = 0.1
    n_neighbors: Count = 5
    max_doublets: Count = 5000
    max_iter: Count = 1_000_000
    tol: Positive = 1e-3
    random_state: Seed = None

    _multi_output = True
    _sparse = "csr"
    _few_dense = True

    def _labels(self, y):
        return readable(y, self.relation)

    def _solve_points(self, X, y, weights):
        relation, targets, _ = resolve(y, self.relation)
        X, basis = in_span(X if issparse(X) else X - X.mean(axis=0))
        pairs, r = graded_doublets(X, targets, relation, self.n_neighbors)
        equal = len(r) == 0 or np.ptp(r) <= 1e-6  # rounding of single precision is smaller
        if len(pairs) > self.max_doublets:
            drawn = random_state_of(self.random_state).choice(len(pairs), self.max_doublets, replace=False)
            pairs, r = pairs[drawn], r[drawn]
        if not equal and np.ptp(r) <= 1e-6:
            raise ValueError(f"the {len(r)} doublets drawn have one relation; raise max_doublets={self.max_doublets}.")
        if equal:
            raise ValueError(
                f"y gives all pairs of samples the relation {r.mean() if len(r) else np.nan:.3g}; there is nothing to "
                "align with. Use two classes or more, with two samples in one of them; for real values set "
                "relation='absolute'."
            )
        L = self._regress(dense(pair_differences(X, pairs)), 1 - r, weights_of_tuples(weights, pairs))
        return out_of_span(L, basis, self.n_components)

    def _regress(self, differences, g, weights):
        unit, mean = unit_of(differences, weights) or 1.0, mean_of(g, weights)
        scale = g.std() if weights is None else np.sqrt(mean_of((g - mean) ** 2, weights))
        differences /= unit
        g = (g - mean) / scale
        if self.solver == "krr":
            M, b, self.n_iter_ = *ridge(differences, g, weights, alpha=self.alpha), 1
        else:
            M, b, self.n_iter_ = support_vectors(
                differences, g, weights, alpha=self.alpha, epsilon=self.epsilon, max_iter=self.max_iter, tol=self.tol
            )
        self.bias_ = float(mean + scale * b)
        del differences  # as large as X or larger
        L = components_from_metric(M, self.n_components and min(self.n_components, len(M)))
        if vanishes(L, M):
            warn("less similar samples are not farther apart in any direction; the metric is 0.")
        return L * (np.sqrt(scale) / unit)


def ridge(
    differences: np.ndarray, g: np.ndarray, weights: np.ndarray | None = None, *, alpha: float
) -> tuple[np.ndarray, float]:
    """Minimise mean (τᵀMτ + b − g)² + alpha ‖M‖².

    Parameters
    ----------
    differences : ndarray of shape (n, d)
    g : ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
        Of the doublets in the mean, which have mean 1.

    Returns
    -------
    M : ndarray of shape (d, d)
        Symmetric, not yet projected.
    b : float
    """
    n, d = differences.shape
    return (_ridge_in_entries if d * (d + 1) // 2 < n else _ridge_in_doublets)(differences, g, weights, alpha)


def _ridge_in_doublets(differences, g, weights, alpha):
    n, mean = len(g), mean_of(g, weights)
    K = kernel(differences)
    means = mean_of(K, weights)
    K -= means - mean_of(means, weights)  # the bias is not penalised: centring fits it
    K -= means[:, None]
    if weights is None:
        w = _solve_shifted(K, g - mean, n * alpha)
    else:
        roots = np.sqrt(weights)
        K *= roots
        K *= roots[:, None]
        w = roots * _solve_shifted(K, roots * (g - mean), n * alpha)
    return matrix_of(differences, w), float(mean - w @ means)


def _ridge_in_entries(differences, g, weights, alpha):
    n, d = differences.shape
    i, j = np.triu_indices(d)
    norms = np.where(i == j, 1, np.sqrt(2))  # an entry off the diagonal counts twice in ‖M‖²
    shares = np.full(n, 1 / n) if weights is None else weights / n
    mean, centred = matrix_of(differences, shares)[i, j] * norms, g - mean_of(g, weights)
    A, v = np.zeros((len(i), len(i))), np.zeros(len(i))
    for rows in np.array_split(np.arange(n), 1 + n * len(i) // BLOCK):
        features = differences[rows][:, i] * differences[rows][:, j] * norms - mean
        scaled = scaled_rows(features, rows_of(weights, rows))
        A += np.dot(scaled.T, scaled)  # with @ NumPy 1.25 warns of invalid values where there are none
        v += (centred[rows] if weights is None else weights[rows] * centred[rows]) @ features
    v = _solve_shifted(A, v, n * alpha)
    M = np.zeros((d, d))
    M[i, j] = M[j, i] = v / norms
    return M, float(mean_of(g, weights) - v @ mean)


def _solve_shifted(A, v, shift):
    """Solve (A + shift I) x = v, overwriting A, with a shift above rounding."""
    A.flat[:: len(A) + 1] += max(shift, len(A) * np.finfo(float).eps * np.trace(A))
    return cho_solve(cho_factor(A.T, lower=True, overwrite_a=True, check_finite=False), v, check_finite=False)


def support_vectors(
    differences: np.ndarray,
    g: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    alpha: float,
    epsilon: float,
    max_iter: int,
    tol: float,
) -> tuple[np.ndarray, float, int]:
    """Minimise mean 2 max(0, |τᵀMτ + b − g| − epsilon) + alpha ‖M‖²; arguments as `ridge`.

    Returns
    -------
    M : ndarray of shape (d, d)
        Symmetric, not yet projected.
    b : float
    n_iter : int
    """
    C = 1 / (len(g) * alpha)
    most = C if weights is None else C * weights.max()
    svr = SVR(kernel="precomputed", C=C, epsilon=epsilon, max_iter=max_iter, tol=finest(tol, differences, most))
    svr.fit(kernel(differences), g, weights)  # warns if it did not converge
    M = matrix_of(differences[svr.support_], svr.dual_coef_[0])
    return M, float(svr.intercept_[0]), max(1, int(svr.n_iter_))
