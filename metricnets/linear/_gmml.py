"""GMML: geometric mean metric learning, in closed form."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular, svd

from metricnets._initialization import initial_metric, is_identity
from metricnets._linalg import extended_components, in_span, inverse_root, singular
from metricnets._params import NonNegative, Parametrized, Prior, Seed, ZeroToOne, random_state_of
from metricnets._weights import rows_of, scatter
from metricnets.linear._pair_streams import SumsOfPairs
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._weakly_supervised import PairsFromLabels


class _BaseGMML(Parametrized):
    """What GMML from pairs and from classes share.

    Parameters
    ----------
    t : float in [0, 1], default=0.5
        Position on the geodesic from S⁻¹ (t = 0), which only pulls similar pairs together, to D (t = 1), which only
        pushes dissimilar pairs apart.
    regularization : float >= 0, default=0.1
        Weight λ of the prior, relative to the trace of the scatters.  At 0 the scatters of similar and
        of dissimilar pairs both have to be invertible.
    prior : {'identity', 'covariance', 'random'} or array-like of shape (n_features, n_features), default='identity'
        The prior metric A₀, positive definite; 'covariance' is the inverse covariance of the points.
    random_state : int, RandomState or None, default=None
        Seed of ``prior='random'``.  Pass an int for reproducible results.
    """

    t: ZeroToOne = 0.5
    regularization: NonNegative = 0.1
    prior: Prior = "identity"
    random_state: Seed = None

    def _solve_tuples(self, X, pairs, y, weights):
        Z, basis = in_span(X) if is_identity(self.prior) else (X, None)
        prior = initial_metric(self.prior, Z, random_state_of(self.random_state))
        differences, n_outside = pair_differences(Z, pairs), X.shape[1] - Z.shape[1]  # (n_pairs, r)
        S, D = (scatter(differences[of], rows_of(weights, of)) for of in (y > 0, y < 0))
        return self._solve_scatters(S, D, prior, basis, n_outside)

    def _solve_scatters(self, S, D, prior, basis=None, n_outside=0):
        """L from mean scatters of similar and of dissimilar differences, in coordinates of the span of the points."""
        S, D, of_S, of_D = regularized(S, D, prior, self.regularization, n_outside)
        for kind, M in {"similar": S, "dissimilar": D}.items():
            if singular(M):
                raise ValueError(
                    f"regularization={self.regularization} leaves the scatter of the {kind} pairs singular; raise it."
                )
        outside = of_S ** (self.t - 1) * of_D**self.t if n_outside else 0.0
        return extended_components(geodesic(S, D, self.t), basis, outside, self.n_components)


class GMML(_BaseGMML, SumsOfPairs):
    """Geometric mean metric learning (GMML), from pairs.

    Similar pairs should be near under the metric A, and dissimilar pairs near under its inverse: minimise
    tr(A S) + tr(A⁻¹ D), with the mean scatters S of similar and D of dissimilar differences.  The minimum has a
    closed form, the geometric mean of S⁻¹ and D, which is the only positive definite solution of A S A = D and
    the midpoint of the geodesic between them; ``t`` selects other points of it.

    Two Cholesky factorisations and one singular value decomposition compute it: O(n_pairs d² + d³)
    operations, and O(n_pairs d + d²) memory; with the prior 'identity' they do so in the span of the points.
    Deviations from the paper: the scatters are means, not sums, which only scales A; the regularisation, S + λ A₀⁻¹
    and D + λ A₀, is relative to the traces of the scatters, and is not zero by default, so that singular scatters are
    allowed.  With the prior 'identity' features with large values dominate: scale them first.

    See Also
    --------
    GMML_Supervised : The same method from classes.
    ITML : Information-theoretic metric learning, from pairs.

    References
    ----------
    P. H. Zadeh, R. Hosseini, S. Sra, "Geometric mean metric learning", ICML 2016.

    Examples
    --------
    >>> from metricnets import GMML
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> gmml = GMML().fit(pairs, [1, 1, -1, -1])
    >>> gmml.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "GMML_Supervised"

    def _solve_sums(self, sums):
        D, S = sums.means()
        return self._solve_scatters(S, D, initial_metric(self.prior, np.zeros((1, len(S))), None))

    def _why_not_in_batches(self):
        if isinstance(self.prior, str) and not is_identity(self.prior):
            return f"prior={self.prior!r} needs all points at once; set 'identity', or give a matrix."
        return None


class GMML_Supervised(_BaseGMML, PairsFromLabels):  # noqa: N801
    """Geometric mean metric learning (GMML), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `GMML` for the
    objective.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Determines which pairs are drawn, and the random prior.  Pass an int for reproducible results.

    See Also
    --------
    GMML : The same method from pairs.
    ITML_Supervised : Information-theoretic metric learning, from classes.

    References
    ----------
    P. H. Zadeh, R. Hosseini, S. Sra, "Geometric mean metric learning", ICML 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import GMML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> GMML_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """


def regularized(
    S: np.ndarray, D: np.ndarray, prior: np.ndarray, share: float, n_outside: int
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Add the prior's part to both scatters: S + λ prior⁻¹ and D + λ prior; return them and each λ.

    Each λ is ``share`` times the trace of the scatter over the trace of the added matrix, to which ``n_outside``
    directions outside of the span add 1.  If a scatter is zero, the trace of the other one is taken.
    """
    W = inverse_root(prior)
    inverse = W @ W.T
    of_S, of_D = np.trace(S), np.trace(D)
    of_S, of_D = of_S or of_D or 1.0, of_D or of_S or 1.0
    of_S = share * of_S / (np.trace(inverse) + n_outside)
    of_D = share * of_D / (np.trace(prior) + n_outside)
    return S + of_S * inverse, D + of_D * prior, of_S, of_D


def geodesic(S: np.ndarray, D: np.ndarray, t: float) -> np.ndarray:
    """The point S⁻¹ #_t D = S^(-1/2) (S^(1/2) D S^(1/2))^t S^(-1/2) of the geodesic from S⁻¹ to D.

    With the upper Cholesky factors S = RᵀR and D = FᵀF, and the singular value decomposition
    R Fᵀ = U diag(s) Vᵀ, it is B Bᵀ with B = R⁻¹ U diag(sᵗ): symmetric and positive semi-definite.

    Parameters
    ----------
    S, D : ndarray of shape (d, d)
        Positive definite.
    t : float in [0, 1]

    Returns
    -------
    A : ndarray of shape (d, d)
    """
    R = cholesky(S)
    U, s, _ = svd(R @ cholesky(D).T)
    B = solve_triangular(R, U * s**t)
    return B @ B.T
