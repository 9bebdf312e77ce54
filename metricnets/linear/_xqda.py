"""XQDA: cross-view quadratic discriminant analysis."""

import numpy as np

from metricnets._linalg import with_fixed_signs
from metricnets._params import MaybeCount, NonNegative
from metricnets.linear._cross_view import CrossViewMetric
from metricnets.linear._solvers.likelihood_ratio import variance_ratios


class XQDA(CrossViewMetric):
    """Cross-view quadratic discriminant analysis (XQDA).

    Learn a subspace together with a metric, so that samples of one view, such as images of a camera, find those of the
    same class in another view.  With the covariances S of intrapersonal differences, those of similar pairs, and D of
    extrapersonal ones, the directions w are the solutions of

        D w = ρ S w,   wᵀ S w = 1,   ρ > 1,

    the largest ratio ρ first: those in which dissimilar samples differ more than similar ones.  In this subspace, the
    columns of W, the metric is the log-likelihood ratio of `KISSME`,

        M = W ((Wᵀ S W)⁻¹ − (Wᵀ D W)⁻¹) Wᵀ = Σ (1 − 1/ρ) w wᵀ,

    which is positive semi-definite.  The pairs are all pairs of samples of two views, or, without ``view``, all pairs
    of samples.  None is formed, as their covariances follow from those of the samples: O(n d² + d³) operations
    and O(n d + d²) memory, in the span of the samples if they are fewer than the features.

    Deviation from the paper: the same λ tr(S)/r I is added to S and to D, where r is the number of features, or of
    samples minus 1 if that is smaller; in the paper 0.001 I is added to S.  Whether ρ > 1 does not depend on λ
    if it is added to both.  Features should have comparable units.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Largest number of directions; rows of L beyond those with ρ > 1 are 0.  None takes as many rows as features.
    regularization : float >= 0, default=0.3
        Weight λ of the identity that is added to both covariances, relative to the mean variance of similar
        differences.  At 0 both covariances have to be invertible.

    Attributes
    ----------
    ratios_ : ndarray of shape (n_directions,)
        The ratios ρ of the directions that are used, the largest first.

    See Also
    --------
    KISSME_Supervised : The same ratio in all features.
    LDA : Linear discriminant analysis.
    RCA : Whitening within chunks of similar points.

    References
    ----------
    S. Liao, Y. Hu, X. Zhu, S. Z. Li, "Person re-identification by local maximal occurrence representation and metric
    learning", CVPR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import XQDA
    >>> X = np.array([[0, 0], [2, 1], [4, 0], [0, 8], [2, 9], [4, 8]])  # three persons as seen by two cameras
    >>> xqda = XQDA().fit(X, [0, 1, 2, 0, 1, 2], view=["a", "a", "a", "b", "b", "b"])
    >>> xqda.pair_distance([[[0, 0], [0, 8]], [[0, 0], [2, 9]]]).round(2)
    array([0.09, 0.45])
    """

    n_components: MaybeCount = None
    regularization: NonNegative = 0.3

    def _solve_scatters(self, S, D, rank, basis):
        W, ratios = variance_ratios(S, D, self.regularization, rank)
        n_apart = np.count_nonzero(ratios > 1)
        d = len(S if basis is None else basis)
        n_rows = self.n_components or d
        self.ratios_ = ratios[: min(n_apart, n_rows)]
        W = W[:, : len(self.ratios_)] * np.sqrt(1 - 1 / self.ratios_)  # (r, n_directions)
        L = np.zeros((n_rows, d))
        L[: len(self.ratios_)] = with_fixed_signs((W if basis is None else basis @ W).T)
        return L
