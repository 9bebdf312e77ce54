"""NCA: the right class for neighbours drawn at random."""

from typing import Literal

import numpy as np

from metricnets._initialization import initial_components
from metricnets._labels import class_codes
from metricnets._params import Array, Count, Flag, MaybeTolerance, Seed, random_state_of
from metricnets._progress import progress
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.soft_neighbors import SoftLoss, soften


class NCA(LinearMetric):
    """Neighbourhood components analysis: nearest neighbours, drawn at random, have the right class.

    Each row draws a neighbour, the nearer the likelier, and L is what makes the expected number of rows
    whose neighbour is of their class greatest:

        maximise  sum_i sum_{j: y_j = y_i} p_ij,   p_ij = softmax over j != i of -||L x_i - L x_j||^2.

    L-BFGS solves it, on centred features in units of their standard deviations, which changes the
    path and not the problem.  Cost of an iteration: where the weights of most pairs are negligible, as they
    soon are in many dimensions, a search for the others in single precision, n^2 k flops and no exponential, or, as
    long as the map has moved too little to miss any, none, and the distances of the m pairs found last, O(m k);
    elsewhere n^2 (k + d) flops and n^2 / 2 exponentials, and as much again as does not fit into the memory.
    To this comes O(n d k).  Memory: O(n (d + k)), blocks of weights, together at most 115 MiB, and at most
    max(2^19, 64 n) pairs; beyond 5000 rows never n x n.  ``fit`` takes sparse matrices too; their zeros stay zeros.

    Deviations from the paper: pairs that weigh less than 1e-10 / n of their row are left out:
    the objective is right to 1e-10 of the number of rows, but for rounding: squared distances are
    right to 1e-16 of the greatest.  An ``init`` by name may be so sharp that each row has one neighbour, or so flat
    that it has all, with no gradient to follow: if its mean squared distance is not in [1, 8] log(n), it is
    multiplied to make it 4 log(n).

    Parameters
    ----------
    init : {'auto', 'pca', 'lda', 'identity', 'random'} or array-like of shape (n_components, n_features), \
default='auto'
        Where L begins.  'auto' is 'lda' if ``n_components`` is below the number of classes, else 'pca'
        if it reduces the dimension, else 'identity'.  An array is taken as it is.
    max_iter : int >= 1, default=100
        Greatest number of iterations; ConvergenceWarning if they do not suffice.
    tol : float >= 0 or None, default=None
        Of ``scipy.optimize.minimize``: relative change of the objective, or the greatest entry of its gradient,
        at which to stop; None takes its defaults, 2.2e-9 and 1e-5.
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
    random_state: Seed = None

    _sparse = "csr"

    def _solve_points(self, X, y):
        codes = class_codes(y)
        order = np.argsort(codes, kind="stable")  # rows of a class stand together
        X, codes = X[order], codes[order]
        L = initial_components(self.init, self.n_components, X, codes, random_state_of(self.random_state))
        with progress(self) as report:
            L, self.n_iter_, report.converged = soften(
                class_loss(codes),
                L,
                X,
                rescale=isinstance(self.init, str),
                max_iter=self.max_iter,
                ftol=2.2e-9 if self.tol is None else self.tol,
                gtol=1e-5 if self.tol is None else self.tol,
                report=report,
            )
        return L


def class_loss(codes):
    """Minus the expected number of rows that draw a neighbour of their class; of codes in ascending order."""

    def factors(rows, columns):
        first, last = max(codes[rows][0], codes[columns][0]), min(codes[rows][-1], codes[columns][-1])
        shared = np.arange(first, last + 1)
        return indicators(codes[rows], shared), indicators(codes[columns], shared)

    return SoftLoss(
        value=lambda i, j: np.equal(codes[i], codes[j]).astype(float),
        factors=factors,
        total=lambda e: (-e.sum(), np.full(len(e), -1.0)),
    )


def indicators(codes, classes):
    """Array of shape (n, n_classes + 1) of ones for the class of each row, and in its last column."""
    found = np.ones((len(codes), len(classes) + 1))
    np.equal.outer(codes, classes, out=found[:, :-1], casting="unsafe")
    return found
