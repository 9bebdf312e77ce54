"""NCA: neighbourhood components analysis."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from metricnets._initialization import initial_components
from metricnets._labels import class_codes
from metricnets._params import Array, Count, Flag, Jobs, MaybeTolerance, Seed
from metricnets._progress import progress
from metricnets._weights import rows_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.soft_neighbors import soften

FIRST_STEP = 0.1  # longer or shorter ones take more evaluations of the objective, and end at no better ones


class NCA(LinearMetric):
    """Neighbourhood components analysis (NCA).

    Maximise the expected number of samples that stochastic nearest neighbours classify correctly.  Each sample
    picks one neighbour at random, near ones with higher probability:

        maximise  sum_i sum_{j: y_j = y_i} p_ij,   p_ij = softmax over j != i of -||L x_i - L x_j||^2.

    The solver is L-BFGS, on centred features in units of their standard deviations, which changes the
    path of the solver but not the problem, and from a first step of a tenth of the length of L.

    Cost of an iteration, with k components: if the weights of most pairs are negligible, as they soon are in many
    dimensions, the m other pairs are found by a search in single precision, n^2 k flops and no exponentials, and kept
    while the map moves too little to miss any; their distances cost O(m k).  Otherwise an iteration takes
    n^2 (k + d) flops and n^2 / 2 exponentials, and recomputes the weights that do not fit into memory.  Either way
    there are O(n d k) further operations.  Memory: O(n (d + k)), blocks of weights of at most 115 MiB in all, and at
    most max(2^19, 64 n) pairs; beyond 5000 samples there is no n x n array.  ``fit`` also takes sparse matrices, whose
    zeros stay zeros.

    Deviations from the paper: pairs with less than 1e-10 / n of the weight of their row are left out, so the
    objective is accurate to 1e-10 of the number of samples, apart from rounding: squared distances are
    accurate to 1e-16 of the largest.  An ``init`` by name whose mean squared distance is not in [1, 8] log(n) is
    rescaled to make it 4 log(n): otherwise the softmax may be so sharp that each sample has one neighbour, or so
    flat that all are neighbours, and the gradient vanishes.

    Parameters
    ----------
    init : {'auto', 'pca', 'lda', 'identity', 'random'} or array-like of shape (n_components, n_features), \
default='auto'
        Initial L.  'auto' is 'lda' if ``n_components`` is below the number of classes, else 'pca'
        if it reduces the dimension, else 'identity'.  An array is used unchanged.
    max_iter : int >= 1, default=100
        Maximum number of iterations; there is a ConvergenceWarning if they are not enough.
    tol : float >= 0 or None, default=None
        Stop when the relative change of the objective, or the largest entry of its gradient, is at most this.
        None takes 5e-6 and 1e-5: smaller changes do not make nearest neighbours more accurate.
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
    LMNN : Large margins between nearest neighbours of different classes.
    MLKR : Soft nearest neighbours for real targets.

    References
    ----------
    J. Goldberger, S. Roweis, G. Hinton, R. Salakhutdinov, "Neighbourhood components analysis", NIPS 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import NCA
    >>> X, y = load_iris(return_X_y=True)
    >>> NCA(n_components=2).fit(X, y).transform(X).shape
    (150, 2)
    """

    init: Literal["auto", "pca", "lda", "identity", "random"] | Array = "auto"
    max_iter: Count = 100
    tol: MaybeTolerance = None
    verbose: Flag = False
    n_jobs: Jobs = None
    random_state: Seed = None

    _sparse = "csr"

    def _solve_points(self, X, y, weights):
        codes = class_codes(y)
        sizes = np.maximum(np.bincount(codes), np.bincount(codes, weights))
        if len(sizes) < 2 or sizes.max() < 2:
            what = "y has one class only" if len(sizes) < 2 else "no class has two samples"
            warn(f"{what}, so there is nothing to learn; init is kept.")
        order = np.argsort(codes, kind="stable")  # the rows of a class follow one another
        X, codes, weights = X[order], codes[order], rows_of(weights, order)
        L = initial_components(self.init, self.n_components, X, codes, self.random_state, weights)
        with progress(self) as report:
            L, self.n_iter_, report.converged = soften(
                ClassLoss(codes, weights),
                L,
                X,
                rescale=isinstance(self.init, str),
                max_iter=self.max_iter,
                ftol=5e-6 if self.tol is None else self.tol,
                gtol=1e-5 if self.tol is None else self.tol,
                report=report,
                first_step=FIRST_STEP,
                weights=weights,
                n_jobs=self.n_jobs,
            )
        return L


@dataclass
class ClassLoss:
    """Minus the expected number of rows that pick a neighbour of their class: a `SoftLoss`.

    Attributes
    ----------
    codes : ndarray of shape (n,)
        In ascending order.
    weights : ndarray of shape (n,) or None
    """

    codes: np.ndarray
    weights: np.ndarray | None = None

    def value(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.equal(self.codes[i], self.codes[j]).astype(float)

    def factors(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        left, right = self.codes[rows], self.codes[columns]
        shared = np.arange(max(left[0], right[0]), min(left[-1], right[-1]) + 1)
        return indicators(left, shared), indicators(right, shared)

    def total(self, e: np.ndarray) -> tuple[float, np.ndarray]:
        if self.weights is None:
            return -e.sum(), np.full(len(e), -1.0)
        return -(self.weights @ e), -self.weights


def indicators(codes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """One-hot classes of the rows and a last column of ones, (n, n_classes + 1)."""
    found = np.ones((len(codes), len(classes) + 1))
    np.equal.outer(codes, classes, out=found[:, :-1], casting="unsafe")
    return found
