"""ITML: information-theoretic metric learning."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._params import Count, Flag, NonNegative, Positive, fitting
from metricnets.exceptions import warn
from metricnets.linear._near_prior import NearPrior
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.bounds import SlackLoss, check_bounds, default_bounds
from metricnets.linear._solvers.logdet import minimize_logdet
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


class _BaseITML(NearPrior):
    """What ITML from pairs and from classes share.

    Parameters
    ----------
    gamma : float > 0, default=1.0
        Weight γ of the slack.  Larger values keep distances closer to their bounds, and move M further from the
        prior.
    max_iter : int >= 1, default=1000
        Maximum number of Newton steps.  Ten or twenty are usual for features of one scale and ``gamma``
        up to 10, hundreds for a large ``gamma`` on raw features.
    tol : float >= 0, default=0.001
        Relative error of M at which iterations stop: M and the metric implied by its multipliers
        differ by at most this in the norm ‖M^{-½} · M^{-½}‖, and the duality gap is at most about tol²/2.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    bounds_ : ndarray of shape (2,)
        Upper bound u on the squared distances of similar pairs, and lower bound l on those of dissimilar pairs.
    n_iter_ : int
        Number of Newton steps, at least 1.
    """

    gamma: Positive = 1.0
    max_iter: Count = 1000
    tol: NonNegative = 1e-3
    verbose: Flag = False

    def _solve_near(self, prior, X, pairs, y, weights, report):
        if self.bounds_ is None:  # `fit` was given none
            self.bounds_ = default_bounds(X)
        V = pair_differences(X, pairs)  # (m, d)
        V /= np.sqrt(np.where(y > 0, *self.bounds_))[:, None]
        same = np.einsum("ij,ij->i", V, V) == 0
        if (n_lost := np.count_nonzero(same & (y < 0))) > 0:
            warn(f"{n_lost} dissimilar pairs are of identical points; they are left out.")
        gamma = self.gamma if weights is None else self.gamma * weights[~same]
        loss = SlackLoss(y[~same] > 0, gamma)
        return minimize_logdet(V[~same], prior, loss, tol=self.tol, max_iter=self.max_iter, report=report)


class ITML(_BaseITML, PairsLearner):
    """Information-theoretic metric learning (ITML), from pairs.

    Find the metric closest to a prior M₀ under which squared distances of similar pairs are at most u, and those
    of dissimilar pairs at least l.  The distance to the prior, and the slack of each bound, are measured by the
    log-determinant divergence D(M, M₀) = tr(M M₀⁻¹) − log det(M M₀⁻¹) − d.  With the optimal slack inserted, the
    problem is convex in M, with one minimum:

    min D(M, M₀) + γ Σ_similar h(max(d²/u, 1)) + γ Σ_dissimilar h(min(d²/l, 1)),   h(t) = t − log t − 1.

    The solver is Newton's method with conjugate gradients, to a known accuracy, instead of the paper's
    cyclic projections, which lead to the same M.  A step takes about ten products of O(m d²) operations for m
    pairs, and O(d³), where d is the number of features or, if that is smaller, of points; the memory is
    O(m d + n_features²).  As in metric-learn, the bounds apply to
    squared distances, although their defaults are percentiles of distances.

    See Also
    --------
    ITML_Supervised : The same method from classes.
    GMML : Geometric mean of two metrics, from pairs, in closed form.
    LDML : Logistic regression on distances of pairs.

    References
    ----------
    J. V. Davis, B. Kulis, P. Jain, S. Sra, I. S. Dhillon, "Information-theoretic metric learning", ICML 2007.

    Examples
    --------
    >>> from metricnets import ITML
    >>> pairs = [[[1.0, 0.0], [9.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]]
    >>> itml = ITML(gamma=100.0).fit(pairs, [+1, -1], bounds=[4.0, 9.0])
    >>> (itml.pair_distance(pairs) ** 2).round(1)
    array([4. , 8.9])
    """

    _from_labels = "ITML_Supervised"

    @fitting
    def fit(
        self,
        pairs: ArrayLike,
        y: ArrayLike,
        bounds: ArrayLike | None = None,
        calibration_params: dict[str, object] | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the metric from pairs, then calibrate ``threshold_`` on them.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Training pairs.
        y : array-like of shape (n_pairs,)
            +1 for similar, −1 or 0 for dissimilar; or True and False.
        bounds : array-like of shape (2,) or None, default=None
            The bounds u and l of squared distances, positive.  None takes the 5th and the 95th percentile of the
            distances between the points, at most 2,000 of them.
        calibration_params : dict or None, default=None
            Keyword arguments of ``calibrate_threshold``.
        sample_weight : array-like of shape (n_pairs,), float or None, default=None
            How often each pair counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the pairs, y or sample_weight do not have this form, all pairs that count have the same label, or the
            bounds are not positive.
        """
        self.bounds_ = check_bounds(bounds)
        return super().fit(pairs, y, calibration_params, sample_weight=sample_weight)


class ITML_Supervised(_BaseITML, PairsFromLabels):  # noqa: N801
    """Information-theoretic metric learning (ITML), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `ITML` for the
    objective and the solver.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Determines which pairs are drawn, and the random prior.  Pass an int for reproducible results.

    See Also
    --------
    ITML : The same method from pairs.
    GMML_Supervised : Geometric mean of two metrics, from classes.
    LDML_Supervised : Logistic regression on distances of pairs, from classes.

    References
    ----------
    J. V. Davis, B. Kulis, P. Jain, S. Sra, I. S. Dhillon, "Information-theoretic metric learning", ICML 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import ITML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> ITML_Supervised(random_state=0).fit(X, y).components_.shape
    (4, 4)
    """

    @fitting
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        bounds: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the metric from classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points, also a sparse matrix, or an array of Dask, see :ref:`large_linear`.
        y : array-like of shape (n_samples,)
            Classes; None, NaN and negative numbers are unknown.
        bounds : array-like of shape (2,) or None, default=None
            Upper bound on the squared distances of similar pairs and lower bound on those of dissimilar pairs,
            positive.  None takes the 5th and the 95th percentile of the distances between the points of the pairs,
            at most 2,000 of them.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.
        """
        self.bounds_ = check_bounds(bounds)
        return super().fit(X, y, sample_weight=sample_weight)
