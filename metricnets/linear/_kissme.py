"""KISSME: the log-likelihood ratio of similar and dissimilar differences as a metric."""

from metricnets._linalg import extended_components, in_span
from metricnets._params import NonNegative, Parametrized
from metricnets._weights import rows_of, scatter
from metricnets.linear._cross_view import CrossViewMetric
from metricnets.linear._pair_streams import SumsOfPairs
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.likelihood_ratio import variance_ratios


class _BaseKISSME(Parametrized):
    """What KISSME from pairs and from classes share.

    Parameters
    ----------
    regularization : float >= 0, default=0.3
        Weight λ of the identity that is added to both covariances, relative to the mean variance of similar
        differences.  At 0 both covariances have to be invertible.
    """

    regularization: NonNegative = 0.3

    def _solve_scatters(self, S, D, rank, basis):
        W, ratios = variance_ratios(S, D, self.regularization, rank)
        return extended_components((W * (1 - 1 / ratios)) @ W.T, basis, 0.0, self.n_components)


class KISSME(_BaseKISSME, SumsOfPairs):
    """KISS metric learning (KISSME), from pairs.

    If the differences of similar pairs are normal with covariance S, those of dissimilar pairs with covariance D, and
    both have the mean 0, then the log-likelihood ratio of a difference δ is, up to a factor and a constant, δᵀ M δ with

        M = S⁻¹ − D⁻¹.

    Its negative eigenvalues are set to 0.  Nothing is iterated, and nothing but two means of outer products is computed
    from the pairs: O(n_pairs d² + d³) operations and O(n_pairs d + d²) memory, in the span of the points if they are
    fewer than the features.

    Deviation from the paper, which reduces points to few principal components first: to both covariances the same
    λ tr(S)/r I is added, where r is the number of features, or of points minus 1 if that is smaller.  Directions in
    which the points do not vary then have the weight 0.  Features should have comparable units.

    See Also
    --------
    KISSME_Supervised : The same method from classes.
    XQDA : The same ratio in the subspace in which it is above 1.
    GMML : Geometric mean of S⁻¹ and D.

    References
    ----------
    M. Köstinger, M. Hirzer, P. Wohlhart, P. M. Roth, H. Bischof, "Large scale metric learning from equivalence
    constraints", CVPR 2012.

    Examples
    --------
    >>> from metricnets import KISSME
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> kissme = KISSME().fit(pairs, [1, 1, -1, -1])
    >>> kissme.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "KISSME_Supervised"

    def _solve_tuples(self, X, pairs, y, weights):
        Z, basis = in_span(X)
        differences = pair_differences(Z, pairs)  # (n_pairs, r)
        S, D = (scatter(differences[of], rows_of(weights, of)) for of in (y > 0, y < 0))
        return self._solve_scatters(S, D, max(min(len(X) - 1, X.shape[1]), 1), basis)

    def _solve_sums(self, sums):
        D, S = sums.means()
        return self._solve_scatters(S, D, max(min(sums.n_points - 1, len(S)), 1), None)


class KISSME_Supervised(_BaseKISSME, CrossViewMetric):  # noqa: N801
    """KISS metric learning (KISSME), from classes.

    Similar pairs are all pairs of samples of one class, and dissimilar pairs all others; with ``view``, those of
    samples of two views.  Their covariances follow from those of the samples, so no pairs are formed: O(n d² + d³)
    operations and O(n d + d²) memory.  See `KISSME` for the metric.

    See Also
    --------
    KISSME : The same method from pairs.
    XQDA : The same ratio in the subspace in which it is above 1.
    LDA : Linear discriminant analysis.

    References
    ----------
    M. Köstinger, M. Hirzer, P. Wohlhart, P. M. Roth, H. Bischof, "Large scale metric learning from equivalence
    constraints", CVPR 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import KISSME_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> KISSME_Supervised().fit_transform(X, y).shape
    (150, 4)
    """
