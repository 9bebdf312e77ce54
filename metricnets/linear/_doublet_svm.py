"""DoubletSVM: a metric from a support vector machine on pairs."""

import numpy as np
from sklearn.svm import SVC

from metricnets._arrays import dense
from metricnets._labels import supervised_codes
from metricnets._linalg import extended_components, in_span
from metricnets._neighbors import neighborhoods
from metricnets._params import Count, Parametrized, Positive
from metricnets._weights import weights_of_tuples
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._pairwise.differences import check_dissimilar, pair_differences
from metricnets.linear._pairwise.doublets import finest, matrix_of, unit_of, vanishes
from metricnets.linear._weakly_supervised import PairsLearner


class _BaseDoubletSVM(Parametrized):
    """What DoubletSVM from pairs and from classes share.

    Parameters
    ----------
    C : float > 0, default=1.0
        Weight of the hinge losses of the pairs, whose mean squared distance is scaled to 1.
    max_iter : int >= 1, default=100000
        Maximum number of steps of the solver, each of which changes two coefficients.
    tol : float > 0, default=0.001
        Tolerance of the optimality conditions, as in scikit-learn's ``SVC``.

    Attributes
    ----------
    bias_ : float
        The bias b, the squared distance at the decision boundary before the projection.  ``predict`` uses the
        calibrated ``threshold_`` instead, as all learners from pairs do.
    n_iter_ : int
        Number of steps of the solver.
    """

    C: Positive = 1.0
    max_iter: Count = 100_000
    tol: Positive = 1e-3

    def _solve_tuples(self, X, pairs, y, weights):
        Z, basis = in_span(X)
        differences = pair_differences(Z, pairs)  # (n_pairs, r)
        check_dissimilar(differences, y)
        unit = unit_of(differences, weights)
        M, self.bias_, self.n_iter_ = separating_matrix(
            differences / unit, y, weights, C=self.C, max_iter=self.max_iter, tol=self.tol
        )
        L = extended_components(M, basis, 0.0, self.n_components)
        if vanishes(L, M):
            warn("dissimilar pairs are not farther apart than similar ones in any direction; the metric is 0.")
        return L / unit


class DoubletSVM(_BaseDoubletSVM, PairsLearner):
    """Doublet-SVM, from pairs.

    Train a support vector machine to separate dissimilar from similar pairs, called doublets.  A pair with
    the difference τ = x − x' is classified as dissimilar if τᵀMτ > b.  M and b minimise

        ½ ‖M‖² + C Σ over pairs of max(0, 1 − y (b − τᵀMτ)),    y ∈ {−1, +1},

    the support vector machine with the kernel K(τ, τ') = (τᵀτ')² on the differences; then
    M = Σ −y α ττᵀ is projected onto the positive semi-definite matrices.

    Scikit-learn's ``SVC`` solves it.  A step costs O(n_pairs d) operations if the kernel is not
    cached, and there are about n_pairs steps or more; memory is O(n_pairs d + d²) and the cache of ``SVC``.
    Deviation from the paper: differences are divided by their root mean square, so that
    ``C`` means the same in all units.  Features with large values dominate: scale them first.

    See Also
    --------
    DoubletSVM_Supervised : The same method from classes.
    RAML : Linear metric from graded relations of targets.

    References
    ----------
    F. Wang, W. Zuo, L. Zhang, D. Meng, D. Zhang, "A kernel classification framework for metric
    learning", IEEE Transactions on Neural Networks and Learning Systems 26(9), 2015.

    Examples
    --------
    >>> from metricnets import DoubletSVM
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> svm = DoubletSVM(C=100.0).fit(pairs, [1, 1, -1, -1])
    >>> svm.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "DoubletSVM_Supervised"


class DoubletSVM_Supervised(_BaseDoubletSVM, LinearMetric):  # noqa: N801
    """Doublet-SVM, from classes.

    Every sample forms similar pairs with its nearest neighbours in its class, and dissimilar
    pairs with its nearest neighbours in other classes; see `DoubletSVM` for the objective and the solver.  A pair
    of mutual neighbours counts once.  Differences of sparse samples stay sparse.  Labels that are None, NaN or
    negative numbers are unknown: these samples are in no pair.

    Parameters
    ----------
    k_genuine : int >= 1, default=2
        Number of neighbours of each sample in its class; all of them if there are fewer.
    k_impostor : int >= 1, default=2
        Number of neighbours of each sample in other classes; all of them if there are fewer.

    See Also
    --------
    DoubletSVM : The same method from pairs.
    RAML : Linear metric from graded relations of targets.

    References
    ----------
    F. Wang, W. Zuo, L. Zhang, D. Meng, D. Zhang, "A kernel classification framework for metric
    learning", IEEE Transactions on Neural Networks and Learning Systems 26(9), 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DoubletSVM_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> DoubletSVM_Supervised().fit_transform(X, y).shape
    (150, 4)
    """

    k_genuine: Count = 2
    k_impostor: Count = 2

    _labels = staticmethod(supervised_codes)
    _sparse = "csr"
    _few_dense = True

    def _solve_points(self, X, codes, weights):
        similar, dissimilar = doublets(X, codes, self.k_genuine, self.k_impostor)
        for kind, pairs in {"similar": similar, "dissimilar": dissimilar}.items():
            if len(pairs) == 0:
                raise ValueError(f"y gives no {kind} pairs; it needs two classes, and two samples in one of them.")
        labels, pairs = np.repeat([1, -1], [len(similar), len(dissimilar)]), np.concatenate([similar, dissimilar])
        return self._solve_tuples(X, pairs, labels, weights_of_tuples(weights, pairs))


def doublets(X: np.ndarray, codes: np.ndarray, k_genuine: int, k_impostor: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbours in the same class and in different classes.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
        −1 where the class is unknown.
    k_genuine, k_impostor : int

    Returns
    -------
    similar : ndarray of int of shape (n_similar, 2)
    dissimilar : ndarray of int of shape (n_dissimilar, 2)
    """
    n = X.shape[0]
    within, between = neighborhoods(X, codes, min(k_genuine, n), min(k_impostor, n))
    return _once(within), _once(between)


def _once(near):
    rows = np.repeat(np.arange(len(near)), near.shape[1])
    pairs = np.unique(np.sort(np.column_stack([rows, near.ravel()]), axis=1), axis=0)
    return pairs[pairs[:, 0] != pairs[:, 1]]  # a row itself replaces a missing neighbour


def separating_matrix(
    differences: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    C: float,
    max_iter: int,
    tol: float,
) -> tuple[np.ndarray, float, int]:
    """Solve the support vector machine of `DoubletSVM`.

    Parameters
    ----------
    differences : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        −1 or +1.
    weights : ndarray of shape (n,) or None
        Factors of C.

    Returns
    -------
    M : ndarray of shape (d, d)
        Symmetric, not yet projected.
    b : float
    n_iter : int
    """
    tol = finest(tol, differences, C if weights is None else C * weights.max())
    svc = SVC(C=C, kernel="poly", degree=2, gamma=1.0, coef0=0.0, max_iter=max_iter, tol=tol, random_state=0)
    svc.fit(differences, -y, weights)  # warns if it did not converge
    M = matrix_of(differences[svc.support_], dense(svc.dual_coef_)[0])
    return M, -float(svc.intercept_[0]), int(svc.n_iter_[0])
