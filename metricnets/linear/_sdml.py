"""SDML: sparse determinant metric learning."""

import numpy as np
from scipy.linalg import eigvalsh

from metricnets._initialization import metric_in_span
from metricnets._linalg import components_from_metric, in_span, inverse_root
from metricnets._params import Flag, NonNegative, Parametrized, Prior, Seed, random_state_of
from metricnets._progress import progress
from metricnets._weights import scaled_rows
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._solvers.sparse_components import components_by_blocks, sparse_components
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner

LEFT = 0.1  # share of the prior's part of P that dissimilar pairs must leave


class _BaseSDML(Parametrized):
    """What SDML from pairs and from classes share.

    Parameters
    ----------
    balance_param : float >= 0, default=0.5
        Weight η of the pairs, over which the objective sums.  If it is so large that the problem
        has no solution, it is lowered, see `SDML`.
    sparsity_param : float >= 0, default=0.01
        Weight λ of the ℓ₁ norm.  Larger values set more off-diagonal entries of M to 0.
    prior : {'identity', 'covariance', 'random'} or array-like of shape (n_features, n_features), default='identity'
        The prior metric M₀, positive definite; 'covariance' is the inverse covariance of the points.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        Seed of ``prior='random'``.  Pass an int for reproducible results.

    Attributes
    ----------
    balance_ : float
        The weight η that was used, at most ``balance_param``.
    n_iter_ : int
        Number of iterations.
    """

    balance_param: NonNegative = 0.5
    sparsity_param: NonNegative = 0.01
    prior: Prior = "identity"
    verbose: Flag = False
    random_state: Seed = None

    def _solve_tuples(self, X, pairs, y, weights):
        Z, basis = in_span(X)
        small, prior = metric_in_span(self.prior, X, basis, random_state_of(self.random_state))
        V = pair_differences(Z, pairs)  # (m, r)
        V = scaled_rows(V, weights)
        similar, dissimilar = V[y > 0], V[y < 0]
        K = similar.T @ similar - dissimilar.T @ dissimilar
        self.balance_ = feasible_balance(small, K, self.balance_param)
        P = inverse(prior, X.shape[1]) + self.balance_ * (K if basis is None else basis @ K @ basis.T)
        advice = "the problem is ill-conditioned. Scale the features, or lower balance_param"
        solve = sparse_components if basis is None else components_by_blocks
        with progress(self, advice) as report:
            L, self.n_iter_, report.converged = solve(P, self.sparsity_param, self.n_components, report)
        return L


class SDML(_BaseSDML, PairsLearner):
    """Sparse determinant metric learning (SDML), from pairs.

    Learn a metric close to a prior in which few features interact.  The objective is the sum of the pairs' squared
    distances, with y = +1 for similar and −1 for dissimilar pairs, the log-determinant divergence from M₀ and
    the ℓ₁ norm off the diagonal:

    min tr(P M) − log det M + λ Σ_{i≠j} abs(M_ij),   P = M₀⁻¹ + η Σ y (x − x')(x − x')ᵀ.

    This is the graphical lasso, solved to a known duality gap by Newton's method on the entries that
    are not 0, with conjugate gradients, and by ADMM if that does not converge.  P costs O(m d²) operations for m
    pairs of d features, an iteration ten to twenty products of O(d³); the memory is O(m d + d²).  With fewer points
    than features only those that interact, abs(P_ij) > λ, are solved together.

    Deviation from the paper: except for small η, dissimilar pairs make P indefinite and the problem
    unbounded.  So η is lowered until P ⪰ M₀⁻¹ / 10, which on most data is necessary for the default of
    0.5; the paper's problem is solved with η = ``balance_``.  Scaled to a unit diagonal, P needs
    eigenvalues above 10⁻⁸; smaller ones are raised.

    See Also
    --------
    SDML_Supervised : The same method from classes.
    ITML : Information-theoretic metric learning, from pairs.

    References
    ----------
    G.-J. Qi, J. Tang, Z.-J. Zha, T.-S. Chua, H.-J. Zhang, "An efficient sparse metric learning in
    high-dimensional space via ℓ₁-penalized log-determinant regularization", ICML 2009.

    Examples
    --------
    >>> from metricnets import SDML
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> sdml = SDML().fit(pairs, [1, 1, -1, -1])
    >>> sdml.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "SDML_Supervised"


class SDML_Supervised(_BaseSDML, PairsFromLabels):  # noqa: N801
    """Sparse determinant metric learning (SDML), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `SDML` for the
    objective and the solver.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Determines which pairs are drawn, and the random prior.  Pass an int for reproducible results.

    See Also
    --------
    SDML : The same method from pairs.
    ITML_Supervised : Information-theoretic metric learning, from classes.

    References
    ----------
    G.-J. Qi, J. Tang, Z.-J. Zha, T.-S. Chua, H.-J. Zhang, "An efficient sparse metric learning in
    high-dimensional space via ℓ₁-penalized log-determinant regularization", ICML 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import SDML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> SDML_Supervised(random_state=0).fit_transform(X, y).shape
    (150, 4)
    """


def inverse(prior: np.ndarray | None, n_features: int) -> np.ndarray:
    """M₀⁻¹ (d, d) for a prior M₀ (d, d), or None for the identity."""
    if prior is None:
        return np.eye(n_features)
    W = inverse_root(prior)
    return W @ W.T


def feasible_balance(prior: np.ndarray, K: np.ndarray, balance: float) -> float:
    """The weight ``balance`` of K, or the largest η with M₀⁻¹ + η K ⪰ LEFT M₀⁻¹ if that is smaller.

    Parameters
    ----------
    prior, K : ndarray of shape (r, r)
        M₀ and the scatter of similar minus that of dissimilar differences, in coordinates of their span.
    balance : float
    """
    root = components_from_metric(prior)
    least = eigvalsh(root @ K @ root)[0]
    return min(balance, (1 - LEFT) / max(-least, np.finfo(float).tiny))
