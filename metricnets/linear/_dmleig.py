"""DML-eig: distance metric learning with eigenvalue optimisation."""

from functools import partial

import numpy as np

from metricnets._linalg import extended_components, in_span, inverse_root
from metricnets._params import Count, Flag, NonNegative, Parametrized, Positive
from metricnets._progress import progress, through
from metricnets._weights import rows_of, scatter
from metricnets.linear._pairwise.differences import in_units, pair_differences
from metricnets.linear._solvers.eigenvalue_optimization import apart, widest
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


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

    def _solve_tuples(self, X, pairs, y, weights):
        differences, units = in_units(pair_differences(X, pairs), weights)  # (n_pairs, d)
        Z, basis = in_span(X / units)
        if basis is not None:
            differences = pair_differences(Z, pairs)  # (n_pairs, r)
        r, of_apart = differences.shape[1], rows_of(weights, y < 0)
        S = scatter(differences[y > 0], rows_of(weights, y > 0)) + self.regularization * np.eye(r)
        W = inverse_root(S, rescale=basis is None)  # (r, rank)
        T = differences[y < 0] @ W
        kept = apart(T)
        T, of_apart = T[kept], rows_of(of_apart, kept)
        if len(T) == 0:
            raise ValueError(
                "no dissimilar pair can be separated: their points are equal, or regularization=0 leaves out all "
                "directions in which they differ."
            )
        outside = len(units) - r if self.regularization else 0  # where the metric is 0, but μ counts directions
        to_map = partial(in_all_features, W=W, basis=basis, n_components=self.n_components, units=units)
        with progress(self) as report:
            L, self.n_iter_, gap, report.converged = widest(
                T,
                W.shape[1] + outside,
                mu=self.mu,
                max_iter=self.max_iter,
                tol=self.tol,
                report=through(report, to_map),
                weights=of_apart,
            )
            report.advice = f"the relative duality gap is {gap:.2g}; raise max_iter, tol or mu"
        return to_map(L)


class DMLEig(_BaseDMLEig, PairsLearner):
    """Distance metric learning with eigenvalue optimization (DML-eig), from pairs.

    Maximise the smallest squared distance of a dissimilar pair, while the mean squared distance of the
    similar pairs is at most 1.  After whitening the similar pairs by W, that is

        max over M ⪰ 0, tr(M) = 1, of  −μ log mean over dissimilar pairs of exp(−d²/μ),
        d² = (x − x')ᵀ W M Wᵀ (x − x'),

    a smoothed minimum that tends to the smallest d² for μ → 0.  As in the paper, a Frank-Wolfe step
    goes along the leading eigenvector of the gradient, whose eigenvalue is an upper bound of the maximum;
    iterations stop when the relative gap to the bound is at most ``tol``.

    An iteration costs O(n_dissimilar d²) operations, a Frank-Wolfe step also O(d³), where d is the number of features
    or, if that is smaller, of points; memory is O(n_pairs n_features).  The units of the features do not matter.
    With ``n_components`` the leading eigenvectors of the metric are kept.  Deviations from the paper: Frank-Wolfe
    steps alone converge slowly, so each is followed by L-BFGS in a factor of M, and μ decreases from 1 to its value;
    the scatter of the similar pairs is regularised; dissimilar pairs of equal points, which no metric can separate,
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


def in_all_features(
    L: np.ndarray, W: np.ndarray, basis: np.ndarray | None, n_components: int | None, units: np.ndarray
) -> np.ndarray:
    """The map of the features for one of their span after whitening by W, for features in these units."""
    L = L @ W.T
    return extended_components(L.T @ L, basis, 0.0, n_components) / units
