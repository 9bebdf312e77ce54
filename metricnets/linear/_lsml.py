"""LSML: least squared-residual metric learning, from comparisons of distances."""

from dataclasses import dataclass

import numpy as np

from metricnets._params import Count, Flag, NonNegative
from metricnets.linear._near_prior import NearPrior
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.logdet import minimize_logdet
from metricnets.linear._weakly_supervised import QuadrupletsFromLabels, QuadrupletsLearner


class _BaseLSML(NearPrior):
    """What LSML from quadruplets and from classes share.

    Parameters
    ----------
    tol : float >= 0, default=0.001
        Relative error of M at which iterations stop: M and the metric implied by its
        residuals differ by at most this in the norm ‖M^{-½} · M^{-½}‖.
    max_iter : int >= 1, default=1000
        Maximum number of Newton steps; about five are usual.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    w_ : ndarray of shape (n_quadruplets,)
        Weights of the quadruplets whose weight is not 0, scaled to sum to 1.
    n_iter_ : int
        Number of Newton steps, at least 1.
    """

    tol: NonNegative = 1e-3
    max_iter: Count = 1000
    verbose: Flag = False

    def _solve_near(self, prior, X, quadruplets, labels, weights, report):
        weights = np.ones(len(quadruplets)) if weights is None else weights / weights.max()
        self.w_ = weights / weights.sum()
        near, far = pair_differences(X, quadruplets[:, :2]), pair_differences(X, quadruplets[:, 2:])  # (m, d) each
        counted = np.flatnonzero((self.w_ > 0) & near.any(axis=1))
        V, loss = np.concatenate([near[counted], far[counted]]), ComparisonLoss(self.w_[counted])
        return minimize_logdet(V, prior, loss, tol=self.tol, max_iter=self.max_iter, report=report)


class LSML(_BaseLSML, QuadrupletsLearner):
    """Least squared-residual metric learning (LSML), from quadruplets.

    A quadruplet (a, b, c, e) says that a and b should be nearer to each other than c and e.  A violated one costs
    the squared difference of its two distances, and the metric costs its divergence from a prior.

    min Σ_q w_q (d(a,b) − d(c,e))₊² + tr(M M₀⁻¹) − log det M,   d(a,b)² = (a − b)ᵀ M (a − b),   Σ_q w_q = 1.

    The problem is convex in M, because −√(p q) is convex in the squared distances, with one minimum.  The solver is
    Newton's method with conjugate gradients instead of the paper's gradient descent: a step takes about ten products
    of O(m d²) operations for m quadruplets, and O(d³), where d is the number of features or, if that is smaller, of
    points; the memory is O(m d + n_features²).

    See Also
    --------
    LSML_Supervised : The same method from classes.
    SCML : Sparse combination of rank-one metrics, from triplets.

    References
    ----------
    E. Y. Liu, Z. Guo, X. Zhang, V. Jojic, W. Wang, "Metric learning from relative comparisons by minimizing
    squared residual", ICDM 2012.

    Examples
    --------
    >>> from metricnets import LSML
    >>> quadruplets = [[[0.0, 0.0], [9.0, 0.0], [0.0, 0.0], [0.0, 1.0]]]  # 9 apart, should be less than 1
    >>> lsml = LSML().fit(quadruplets)
    >>> lsml.get_mahalanobis_matrix().round(2)
    array([[0.04, 0.  ],
           [0.  , 1.68]])
    """

    _from_labels = "LSML_Supervised"


class LSML_Supervised(_BaseLSML, QuadrupletsFromLabels):  # noqa: N801
    """Least squared-residual metric learning (LSML), from classes.

    Quadruplets of two samples of one class and two samples of different classes are drawn at random; see `LSML`
    for the objective and the solver.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Determines which quadruplets are drawn, and the random prior.  Pass an int for reproducible results.

    See Also
    --------
    LSML : The same method from quadruplets.
    SCML_Supervised : Sparse combination of rank-one metrics, from classes.

    References
    ----------
    E. Y. Liu, Z. Guo, X. Zhang, V. Jojic, W. Wang, "Metric learning from relative comparisons by minimizing
    squared residual", ICDM 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LSML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> LSML_Supervised(random_state=0).fit(X, y).components_.shape
    (4, 4)
    """


@dataclass
class ComparisonLoss:
    """Loss of violated comparisons of distances, Σ_q w_q (√p_q − √p_{m+q})₊².

    It has the form that `minimize_logdet` expects, with 2m squared distances, those that should be smaller first.

    Attributes
    ----------
    weights : ndarray of shape (m,)
    """

    weights: np.ndarray

    def __call__(self, p: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        near, far = np.sqrt(p.reshape(2, -1))
        violated = np.where(near > far, self.weights, 0.0)
        pull = violated * (near - far)
        return pull @ (near - far), np.concatenate([pull * near, -pull * far]), violated * near * far

    def bend(self, curvature: np.ndarray, change: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Curvature along a relative change of p[rows]: only differences within a quadruplet count."""
        both = np.zeros((2, len(curvature)))
        both.flat[rows] = change
        bent = curvature * (both[0] - both[1]) / 2
        return np.concatenate([bent, -bent])[rows]
