"""LDML: logistic discriminant metric learning, by maximum likelihood."""

from functools import partial

import numpy as np
from scipy.linalg import eigh
from scipy.special import expit

from metricnets._linalg import components_from_metric, in_span, out_of_span
from metricnets._params import Count, Flag, NonNegative, Parametrized
from metricnets._progress import Report, progress, through
from metricnets._weights import mean_of, rows_of, scatter
from metricnets.linear._pairwise.differences import check_dissimilar, in_units, pair_differences
from metricnets.linear._solvers.lbfgs import minimize_smooth
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


class _BaseLDML(Parametrized):
    """What LDML from pairs and from classes share.

    Parameters
    ----------
    regularization : float >= 0, default=0.1
        Weight λ of ‖M‖².  At 0, M grows without bound if the pairs can be separated.
    max_iter : int >= 1, default=1000
        Maximum number of iterations.
    tol : float >= 0, default=0.0001
        Stop when the largest entry of the gradient, with features of unit scale, is at most this.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    bias_ : float
        The bias b, the squared distance at which similar and dissimilar are equally likely.  ``predict`` uses
        the calibrated ``threshold_`` instead, as all learners from pairs do.
    n_iter_ : int
        Number of iterations.
    """

    regularization: NonNegative = 0.1
    max_iter: Count = 1000
    tol: NonNegative = 1e-4
    verbose: Flag = False

    def _solve_tuples(self, X, pairs, y, weights):
        differences, units = in_units(pair_differences(X, pairs), weights)  # (n_pairs, d)
        check_dissimilar(differences, y)
        Z, basis = in_span(X / units)
        differences = pair_differences(Z, pairs)
        k = self.n_components and min(self.n_components, Z.shape[1])
        L = steepest(differences, y, k, weights)
        to_map = partial(in_all_features, k=k, basis=basis, n_components=self.n_components, units=units)
        with progress(self) as report:
            L, self.bias_, self.n_iter_, report.converged = maximize_likelihood(
                differences,
                y,
                L,
                regularization=self.regularization,
                max_iter=self.max_iter,
                tol=self.tol,
                report=through(report, to_map),
                weights=weights,
            )
        return to_map(L)


class LDML(_BaseLDML, PairsLearner):
    """Logistic discriminant metric learning (LDML), from pairs.

    Fit a logistic regression of the labels of pairs on their squared distances: a pair is similar with
    probability σ(b − d²).  With d² = (x − x')ᵀM(x − x'), M and the bias b minimise

        mean over pairs of log(1 + exp(−y (b − d²))) + λ/2 ‖M‖²,    M ⪰ 0, y ∈ {−1, +1},

    where the norm measures every feature in units of its root mean squared difference, so that
    the units of the features do not matter.  The problem is convex in (M, b); L-BFGS solves it
    in (L, b), M = LᵀL, which adds no local minima if L is square.  With ``n_components`` L has that
    many rows, and the minimum may be a local one.  An iteration costs O(n_pairs d n_components)
    operations; memory is O(n_pairs d).

    Deviation from the paper: the norm.  The likelihood alone has no maximum if the pairs can be
    separated, which is always possible in many dimensions.

    See Also
    --------
    LDML_Supervised : The same method from classes.
    DDMLPairs : Network trained with a logistic loss, from pairs.

    References
    ----------
    M. Guillaumin, J. Verbeek, C. Schmid, "Is that you? Metric learning approaches for face
    identification", ICCV 2009.

    Examples
    --------
    >>> from metricnets import LDML
    >>> pairs = [[[0, 0], [0, 3]], [[1, 1], [1, 4]], [[0, 0], [1, 0]], [[1, 3], [0, 3]]]
    >>> ldml = LDML().fit(pairs, [1, 1, -1, -1])
    >>> ldml.predict([[[5, 5], [5, 7]], [[5, 5], [6, 5]]])
    array([ 1, -1])
    """

    _from_labels = "LDML_Supervised"


class LDML_Supervised(_BaseLDML, PairsFromLabels):  # noqa: N801
    """Logistic discriminant metric learning (LDML), from classes.

    Similar pairs are drawn at random within classes, and dissimilar pairs between classes; see `LDML` for the
    objective and the solver.

    See Also
    --------
    LDML : The same method from pairs.
    DDMLPairs : Network trained with a logistic loss, from pairs.

    References
    ----------
    M. Guillaumin, J. Verbeek, C. Schmid, "Is that you? Metric learning approaches for face
    identification", ICCV 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> LDML_Supervised(n_components=2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """


def steepest(
    differences: np.ndarray, y: np.ndarray, n_components: int | None, weights: np.ndarray | None = None
) -> np.ndarray:
    """Initial linear map (k, d), scaled to mean squared distance 1.

    It is the identity or, for fewer components, the directions in which the likelihood grows fastest at
    M = 0: the leading eigenvectors of the scatter of dissimilar minus that of similar pairs.
    """
    L = np.eye(differences.shape[1])
    if n_components is not None:
        similar, dissimilar = (scatter(differences[y == side], rows_of(weights, y == side)) for side in (1, -1))
        M = dissimilar - similar
        L = eigh(M)[1].T[::-1][:n_components]
    size = mean_of(((differences @ L.T) ** 2).sum(axis=1), weights)
    return L / np.sqrt(size or 1.0)


def in_all_features(
    L: np.ndarray, k: int | None, basis: np.ndarray | None, n_components: int | None, units: np.ndarray
) -> np.ndarray:
    """The map of the features whose metric is that of L, a map of features in these units in their span."""
    return out_of_span(components_from_metric(L.T @ L, k), basis, n_components) / units


def loss_and_gradient(
    L: np.ndarray,
    b: float,
    differences: np.ndarray,
    y: np.ndarray,
    regularization: float,
    weights: np.ndarray | None = None,
) -> tuple[float, np.ndarray, float]:
    """Mean negative log-likelihood of the labels plus λ/2 ‖LᵀL‖², and its derivatives.

    Parameters
    ----------
    L : ndarray of shape (k, d)
    b : float
    differences : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        −1 or +1.
    regularization : float
    weights : ndarray of shape (n,) or None

    Returns
    -------
    loss : float
    by_L : ndarray of shape (k, d)
    by_b : float
    """
    z = differences @ L.T  # (n, k)
    margins = y * (b - np.einsum("ij,ij->i", z, z))
    residuals = y * expit(-margins) / len(y) if weights is None else weights * y * expit(-margins) / weights.sum()
    gram = L @ L.T  # (k, k), of the same norm as LᵀL
    loss = mean_of(np.logaddexp(0, -margins), weights) + regularization / 2 * (gram**2).sum()
    by_L = 2 * ((residuals[:, None] * z).T @ differences + regularization * gram @ L)
    return loss, by_L, -residuals.sum()


def maximize_likelihood(
    differences: np.ndarray,
    y: np.ndarray,
    L: np.ndarray,
    *,
    regularization: float,
    max_iter: int,
    tol: float,
    report: Report,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, float, int, bool]:
    """Minimise `loss_and_gradient`, starting from ``L`` and b = 1.

    Returns
    -------
    L : ndarray of shape (k, d)
    b : float
    n_iter : int
    converged : bool
    """

    def map_of(parameters):
        return parameters[:-1].reshape(L.shape)

    def objective(parameters):
        L = map_of(parameters)
        loss, by_L, by_b = loss_and_gradient(L, parameters[-1], differences, y, regularization, weights)
        return loss, np.append(by_L, by_b)

    found, n_iter, converged = minimize_smooth(
        objective, np.append(L, 1.0), ftol=0.0, gtol=tol, max_iter=max_iter, report=through(report, map_of)
    )
    return map_of(found), float(found[-1]), n_iter, converged
