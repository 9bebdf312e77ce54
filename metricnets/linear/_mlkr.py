"""MLKR: metric learning for kernel regression."""

from typing import Literal

import numpy as np
from sklearn.utils import check_array

from metricnets._initialization import initial_components
from metricnets._linalg import standardized
from metricnets._params import Array, Count, Flag, Jobs, MaybeTolerance, Seed
from metricnets._progress import progress
from metricnets._weights import total_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.soft_neighbors import soften


class MLKR(LinearMetric):
    """Metric learning for kernel regression (MLKR).

    Minimise the leave-one-out error of a kernel regression: every target is predicted as the mean of the others,
    weighted by a Gaussian kernel of the learned distance,

        minimise  sum_i (y_i - sum_{j != i} p_ij y_j)^2,   p_ij = softmax over j != i of -||L x_i - L x_j||^2.

    The solver is L-BFGS, on centred features and targets in units of their standard deviations, which changes the
    path of the solver but not the problem.

    Cost of an iteration, with k components: if the weights of most pairs are negligible, as they soon are in many
    dimensions, the m other pairs are found by a search in single precision, n^2 k flops and no exponentials, and kept
    while the map moves too little to miss any; their distances cost O(m k).  Otherwise an iteration takes
    n^2 (k + d) flops and n^2 / 2 exponentials, and recomputes the weights that do not fit into memory.  Either way
    there are O(n d k) further operations.  Memory: O(n (d + k)), blocks of weights of at most 115 MiB in all, and at
    most max(2^19, 64 n) pairs; beyond 5000 samples there is no n x n array.  ``fit`` also takes sparse matrices, whose
    zeros stay zeros.

    Deviations from the paper: the kernel is exp(-d^2), as its width is part of L; it needs no lower bound, as the
    softmax is computed relative to the nearest neighbour.  Pairs with less than 1e-10 / n of the weight of their row
    are left out, so predictions are accurate to 1e-10 of the range of the targets, apart from rounding: squared
    distances are accurate to 1e-16 of the largest.  An ``init`` by name whose mean squared distance is not in
    [1, 8] log(n) is rescaled to make it 4 log(n): otherwise the softmax may be so sharp that each sample has one
    neighbour, or so flat that all are neighbours, and the gradient vanishes.

    Parameters
    ----------
    init : {'auto', 'pca', 'identity', 'random'} or array-like of shape (n_components, n_features), default='auto'
        Initial L.  'auto' is 'pca' if ``n_components`` reduces the dimension, else 'identity'.
        An array is used unchanged.
    tol : float >= 0 or None, default=None
        Stop when the change of the mean squared error, or the largest entry of the gradient of the sum of squared
        errors, in units of the variance of y, is at most this.  None takes SciPy's defaults, 2.2e-9 and 1e-5.
    max_iter : int >= 1, default=1000
        Maximum number of iterations; there is a ConvergenceWarning if they are not enough.
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
        Number of iterations, at least 1.

    See Also
    --------
    NCA : Soft nearest neighbours.
    RAML : Linear metric from graded relations of targets.

    References
    ----------
    K. Q. Weinberger, G. Tesauro, "Metric learning for kernel regression", AISTATS 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from metricnets import MLKR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> MLKR(n_components=2, max_iter=20, tol=0.01).fit(X, y).transform(X).shape
    (442, 2)
    """

    init: Literal["auto", "pca", "identity", "random"] | Array = "auto"
    tol: MaybeTolerance = None
    max_iter: Count = 1000
    verbose: Flag = False
    n_jobs: Jobs = None
    random_state: Seed = None

    _sparse = "csr"

    def _solve_points(self, X, y, weights):
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if (y == y[0]).all():
            warn("y is the same for all samples, so there is nothing to learn; init is kept.")
        L = initial_components(self.init, self.n_components, X, None, self.random_state, weights)
        with progress(self, "raise tol, for example to 1e-4, or max_iter") as report:
            L, self.n_iter_, report.converged = soften(
                RegressionLoss(standardized(y[:, None], weights)[0].ravel(), weights),
                L,
                X,
                rescale=isinstance(self.init, str),
                max_iter=self.max_iter,
                ftol=2.2e-9 if self.tol is None else self.tol,
                gtol=(1e-5 if self.tol is None else self.tol) / total_of(weights, len(y)),
                report=report,
                weights=weights,
                n_jobs=self.n_jobs,
            )
        return L


class RegressionLoss:
    """The mean squared error of the expected targets: a `SoftLoss`.

    Parameters
    ----------
    y : ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
    """

    def __init__(self, y: np.ndarray, weights: np.ndarray | None = None) -> None:
        self.y, self.ones, self.weights = y, np.ones((len(y), 2)), weights
        self.targets = np.column_stack([y, self.ones[:, 0]])

    def value(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.y[j]

    def factors(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        return self.ones[rows], self.targets[columns]

    def total(self, e: np.ndarray) -> tuple[float, np.ndarray]:
        errors = e - self.y
        if self.weights is None:
            return errors @ errors / len(e), 2 * errors / len(e)
        shares = self.weights / self.weights.sum()
        return shares @ errors**2, 2 * shares * errors
