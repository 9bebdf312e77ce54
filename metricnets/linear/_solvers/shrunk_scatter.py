"""The scatter of similar pairs, shrunk towards its diagonal, and coordinates in which it is the identity: MMC.

In coordinates of the span Q of few points a matrix C that is added up over pairs, and penalises M by tr(C M), becomes
(Qᵀ C⁻¹ Q)⁻¹: the least penalty among the metrics that agree in the span.  The scatter of pairs in the span stays what
it is, and the diagonal Λ becomes (Qᵀ Λ⁻¹ Q)⁻¹.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, eigh

from metricnets._class_scatter import ledoit_wolf
from metricnets._weights import rows_of, scaled_rows, total_of

LEAST_SIMILAR = 1e-4  # smallest scatter of similar pairs in a direction, as a share of that of all pairs
NO_SCATTER = 1e-10  # scatter that counts as none, as a share of the largest in any direction
MOST_AUTO = 0.5


@dataclass
class Diagonal:
    """A diagonal matrix Λ in coordinates of a span.

    Attributes
    ----------
    own : ndarray of shape (d,)
        The entries of Λ, those of features that never differ 0.
    basis : ndarray of shape (d, r), or None if the coordinates are the features
    """

    own: np.ndarray
    basis: np.ndarray | None

    def __post_init__(self) -> None:
        """Factor Qᵀ Λ⁻¹ Q."""
        self.varied = np.where(self.own > 0, self.own, 1.0)
        if self.basis is not None:
            self.root = cholesky((self.basis.T / self.varied) @ self.basis, lower=True)

    def matrix(self) -> np.ndarray:
        """Λ, of shape (r, r)."""
        if self.basis is None:
            return np.diag(self.own)
        return cho_solve((self.root, True), np.eye(len(self.root)))

    def standardized(self, V: np.ndarray, n: float) -> np.ndarray:
        """Rows of V whose inner products are those of n rows with features of mean square 1."""
        if self.basis is None:
            return V / np.sqrt(self.varied / n)
        return V @ self.root * np.sqrt(n)

    def lifted(self, L: np.ndarray) -> np.ndarray:
        """The map of all features with the least tr(L Λ Lᵀ) among those that agree with L in the span."""
        return L @ self.matrix() @ self.basis.T / self.varied


@dataclass
class ShrunkScatter:
    """The scatter C = (1 − ρ) SᵀS + ρ Λ of similar pairs, in coordinates of the span.

    Attributes
    ----------
    product : ndarray of shape (r, r)
        SᵀS.
    own : ndarray of shape (d,)
        Its diagonal in the features.
    diagonal : Diagonal
        Λ.
    share : float
        ρ.
    apart : ndarray of shape (n, r)
        Differences of dissimilar pairs, times the roots of their weights.
    features_apart : ndarray of shape (n, d)
        The same in the features.
    counts : ndarray of shape (n,) or None
        Weights of the dissimilar pairs.
    """

    product: np.ndarray
    own: np.ndarray
    diagonal: Diagonal
    share: float
    apart: np.ndarray
    features_apart: np.ndarray
    counts: np.ndarray | None

    def matrix(self) -> np.ndarray:
        """C, of shape (r, r)."""
        return (1 - self.share) * self.product + self.share * self.diagonal.matrix()

    def of_features(self) -> np.ndarray:
        """The diagonal of C in the features, of shape (d,)."""
        return (1 - self.share) * self.own + self.share * self.diagonal.own

    def whitening(self) -> np.ndarray:
        """Return W (r, rank) with Wᵀ C W = I, for C `raised`."""
        C = self.matrix()
        values, vectors = eigh(C + self.apart.T @ self.apart)
        kept = values > NO_SCATTER * max(values[-1], np.finfo(float).tiny)
        R = vectors[:, kept] / np.sqrt(values[kept])
        values, vectors = eigh(R.T @ C @ R) if kept.any() else (np.ones(0), np.ones((0, 0)))
        return R @ vectors / np.sqrt(raised(values, 1.0, exact=self.share == 0))

    def whitening_of_features(self) -> np.ndarray:
        """The same for the diagonal of C in the features, of shape (d,); 0 where there is no scatter."""
        own = self.of_features()
        own = raised(own, own + sums_of_squares(self.features_apart), exact=self.share == 0)
        return np.where(own > 0, 1 / np.sqrt(np.where(own > 0, own, 1.0)), 0.0)

    def lifted(self, L: np.ndarray) -> np.ndarray:
        """The map (k, d) of all features with the least tr(L C Lᵀ) among those that agree with L (k, r) in the span.

        Without a share of the diagonal that is any of them, and it is 0 orthogonal to the span.
        """
        if self.diagonal.basis is None:
            return L
        return self.diagonal.lifted(L) if self.share > 0 else L @ self.diagonal.basis.T

    def spent_by(self, prior: np.ndarray) -> float:
        """tr(C M₀) for a prior M₀ (d, d), or its diagonal (d,)."""
        if prior.ndim == 1:
            return self.of_features() @ prior
        basis = self.diagonal.basis
        if basis is None:
            return np.vdot(self.matrix(), prior)
        within = np.vdot(self.product, basis.T @ prior @ basis)
        return (1 - self.share) * within + self.share * (self.diagonal.own @ np.diag(prior))

    def weights(self, L: np.ndarray, prior: np.ndarray) -> tuple[float, float]:
        """Weights of the learned metric LᵀL and of the prior, so that each contributes its share of tr(C M) = 1."""
        learned, spent = bool(L.any()), self.spent_by(prior)
        trace = prior.sum() if prior.ndim == 1 else np.trace(prior)
        if spent <= NO_SCATTER * self.of_features().sum() * trace:  # no share of the prior changes tr(C M)
            return float(learned), float(not learned)
        return (1 - self.share, self.share / spent) if learned else (0.0, 1 / spent)


def shrunk_scatter(
    V: np.ndarray,
    U: np.ndarray,
    y: np.ndarray,
    basis: np.ndarray | None,
    shrinkage: float | str | None,
    weights: np.ndarray | None = None,
) -> ShrunkScatter:
    """Scatter of the similar differences with a share of its own diagonal.

    Parameters
    ----------
    V : ndarray of shape (m, d)
        Differences of pairs.
    U : ndarray of shape (m, r)
        The same in coordinates of the span: V = U basisᵀ.
    y : ndarray of shape (m,)
        Positive for similar pairs.
    basis : ndarray of shape (d, r), or None if U is V
    shrinkage : float, 'auto' or None
    weights : ndarray of shape (m,) or None
    """
    V, U = scaled_rows(V, weights), scaled_rows(U, weights)
    similar, features_apart = U[y > 0], V[y < 0]
    product = similar.T @ similar
    own = np.diag(product) if basis is None else sums_of_squares(V[y > 0])
    diagonal = Diagonal(np.maximum(own, LEAST_SIMILAR * (own + sums_of_squares(features_apart))), basis)
    share = estimated_share(similar, diagonal, rows_of(weights, y > 0)) if shrinkage == "auto" else shrinkage or 0.0
    return ShrunkScatter(product, own, diagonal, share, U[y < 0], features_apart, rows_of(weights, y < 0))


def estimated_share(similar: np.ndarray, diagonal: Diagonal, weights: np.ndarray | None) -> float:
    """The share of the diagonal that Ledoit and Wolf estimate, at most `MOST_AUTO`."""
    n = total_of(weights, len(similar))
    if n <= 1:
        return MOST_AUTO
    return min(ledoit_wolf(diagonal.standardized(similar, n), len(diagonal.own), weights), MOST_AUTO)


def raised(similar: np.ndarray, total: np.ndarray | float, exact: bool) -> np.ndarray:
    """Similar scatter along some directions, raised where it is 0 or, unless ``exact``, tiny in the total."""
    least = NO_SCATTER if exact else LEAST_SIMILAR
    return np.where(similar > least * total, similar, LEAST_SIMILAR * total)


def sums_of_squares(V: np.ndarray) -> np.ndarray:
    """Σ_i V_ij² for each column j."""
    return np.einsum("ij,ij->j", V, V)
