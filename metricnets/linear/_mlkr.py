"""MLKR: the metric of kernel regression."""

from typing import Literal

import numpy as np
from sklearn.utils import check_array

from metricnets._initialization import initial_components
from metricnets._linalg import standardized
from metricnets._params import Array, Count, Flag, MaybeTolerance, Seed, random_state_of
from metricnets._progress import progress
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.soft_neighbors import SoftLoss, soften


class MLKR(LinearMetric):
    """Metric learning for kernel regression: the target of a row follows from those of its neighbours.

    Every target is predicted as the mean of the others, weighted by a Gaussian kernel of the learned
    distance, and L is what makes the sum of the squared errors least:

        minimise  sum_i (y_i - sum_{j != i} p_ij y_j)^2,   p_ij = softmax over j != i of -||L x_i - L x_j||^2.

    L-BFGS solves it, on centred features and targets in units of their standard deviations, which changes the
    path and not the problem.  Cost of an iteration: where the weights of most pairs are negligible, as they
    soon are in many dimensions, a search for the others in single precision, n^2 k flops and no exponential, or, as
    long as the map has moved too little to miss any, none, and the distances of the m pairs found last, O(m k);
    elsewhere n^2 (k + d) flops and n^2 / 2 exponentials, and as much again as does not fit into the memory.
    To this comes O(n d k).  Memory: O(n (d + k)), blocks of weights, together at most 115 MiB, and at most
    max(2^19, 64 n) pairs; beyond 5000 rows never n x n.  ``fit`` takes sparse matrices too; their zeros stay zeros.

    Deviations from the paper: the kernel is exp(-d^2), its width being part of L; it needs no floor, as the
    softmax is computed from the nearest neighbour on.  Pairs that weigh less than 1e-10 / n of their row are left out:
    predictions are right to 1e-10 of the range of the targets, but for rounding: squared distances are
    right to 1e-16 of the greatest.  An ``init`` by name may be so sharp that each row has one neighbour, or so flat
    that it has all, with no gradient to follow: if its mean squared distance is not in [1, 8] log(n), it is
    multiplied to make it 4 log(n).

    Parameters
    ----------
    init : {'auto', 'pca', 'identity', 'random'} or array-like of shape (n_components, n_features), default='auto'
        Where L begins.  'auto' is 'pca' if ``n_components`` reduces the dimension, else 'identity'.
        An array is taken as it is.
    tol : float >= 0 or None, default=None
        Of L-BFGS: change of the mean squared error, or greatest entry of the gradient of their sum, in units of the
        variance of y, at which to stop; None takes SciPy's 2.2e-9 and 1e-5.
    max_iter : int >= 1, default=1000
        Greatest number of iterations; ConvergenceWarning if they do not suffice.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        For a random ``init``.

    Attributes
    ----------
    n_iter_ : int
        Iterations done, at least 1.

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
    random_state: Seed = None

    _sparse = "csr"

    def _solve_points(self, X, y):
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        L = initial_components(self.init, self.n_components, X, None, random_state_of(self.random_state))
        with progress(self, "raise tol, 1e-4 say, or max_iter") as report:
            L, self.n_iter_, report.converged = soften(
                regression_loss(standardized(y[:, None])[0].ravel()),
                L,
                X,
                rescale=isinstance(self.init, str),
                max_iter=self.max_iter,
                ftol=2.2e-9 if self.tol is None else self.tol,
                gtol=(1e-5 if self.tol is None else self.tol) / len(y),
                report=report,
            )
        return L


def regression_loss(y):
    """Mean of the squared errors of the expected targets."""
    F = np.ones((len(y), 2))
    G = np.column_stack([y, F[:, 0]])

    def total(e):
        errors = e - y
        return errors @ errors / len(y), 2 * errors / len(y)

    return SoftLoss(
        value=lambda i, j: y[j],
        factors=lambda rows, columns: (F[rows], G[columns]),
        total=total,
    )
