"""LDML: logistic discriminant metric learning, the maximum likelihood of pairs' labels."""

import numpy as np
from scipy.linalg import eigh
from scipy.special import expit

from metricnets._linalg import components_from_metric, in_span, out_of_span
from metricnets._params import Count, Flag, NonNegative, Parametrized
from metricnets._progress import progress
from metricnets.linear._pairwise.differences import check_dissimilar, in_units, pair_differences
from metricnets.linear._solvers.lbfgs import minimize_smooth
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


class _BaseLDML(Parametrized):
    """What both forms of LDML share.

    Parameters
    ----------
    regularization : float >= 0, default=0.1
        λ, the weight of ‖M‖².  At 0, M grows without bound where the pairs can be separated.
    max_iter : int >= 1, default=1000
        Most iterations of L-BFGS.
    tol : float >= 0, default=0.0001
        Greatest entry of the gradient, features being of unit scale, that counts as zero.
    verbose : bool, default=False
        Whether to show the progress.

    Attributes
    ----------
    bias_ : float
        b, the squared distance at which similar and dissimilar are as likely.  ``predict`` uses
        ``threshold_`` instead, which is calibrated, as it is for all learners from pairs.
    n_iter_ : int
        Iterations of L-BFGS.
    """

    regularization: NonNegative = 0.1
    max_iter: Count = 1000
    tol: NonNegative = 1e-4
    verbose: Flag = False

    def _solve_tuples(self, X, pairs, y):
        differences, units = in_units(pair_differences(X, pairs))  # (n_pairs, d)
        check_dissimilar(differences, y)
        Z, basis = in_span(X / units)
        differences = pair_differences(Z, pairs)
        k = self.n_components and min(self.n_components, Z.shape[1])
        L = steepest(differences, y, k)
        with progress(self) as report:
            L, self.bias_, self.n_iter_, report.converged = maximize_likelihood(
                differences,
                y,
                L,
                regularization=self.regularization,
                max_iter=self.max_iter,
                tol=self.tol,
                report=report,
            )
        return out_of_span(components_from_metric(L.T @ L, k), basis, self.n_components) / units


class LDML(_BaseLDML, PairsLearner):
    """Logistic discriminant metric learning: a pair is similar with probability σ(b − d²).

    With d² = (x − x')ᵀM(x − x'), M and the bias b minimise

        mean over pairs of log(1 + exp(−y (b − d²))) + λ/2 ‖M‖²,    M ⪰ 0, y ∈ {−1, +1},

    where the norm counts every feature in units of the root of its mean squared difference: what
    units the features are in makes no difference.  The problem is convex in (M, b); L-BFGS solves it
    in (L, b), M = LᵀL, which for a square L has no other minima.  With ``n_components`` L has so
    many rows, and the minimum may be a local one.  An iteration costs O(n_pairs d n_components)
    operations; memory is O(n_pairs d).

    Deviation from the paper: the norm.  The likelihood alone has no maximum where the pairs can be
    separated, as they always can in many dimensions.

    See Also
    --------
    LDML_Supervised : The same method from classes.
    DDMLPairs : Network trained with a logistic loss of given pairs.

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


class LDML_Supervised(_BaseLDML, PairsFromLabels):  # noqa: N801
    """Logistic discriminant metric learning from classes: `LDML` on pairs drawn from them.

    See Also
    --------
    LDML : The same method from pairs.
    DDMLPairs : Network trained with a logistic loss of given pairs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> LDML_Supervised(n_components=2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """


def steepest(differences, y, n_components):
    """Linear map to begin with (k, d), of mean squared distance 1.

    The identity; or, for fewer components, the directions in which the likelihood grows fastest at
    M = 0, those of dissimilar pairs beyond those of similar ones.
    """
    L = np.eye(differences.shape[1])
    if n_components is not None:
        similar, dissimilar = (differences[y == side] for side in (1, -1))
        M = dissimilar.T @ dissimilar / len(dissimilar) - similar.T @ similar / len(similar)
        L = eigh(M)[1].T[::-1][:n_components]
    size = ((differences @ L.T) ** 2).sum(axis=1).mean()
    return L / np.sqrt(size or 1.0)


def loss_and_gradient(L, b, differences, y, regularization):
    """Mean negative log-likelihood of the labels plus λ/2 ‖LᵀL‖², and its derivatives.

    Parameters
    ----------
    L : ndarray of shape (k, d)
    b : float
    differences : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        −1 or +1.
    regularization : float

    Returns
    -------
    loss : float
    by_L : ndarray of shape (k, d)
    by_b : float
    """
    z = differences @ L.T  # (n, k)
    margins = y * (b - np.einsum("ij,ij->i", z, z))
    residuals = y * expit(-margins) / len(y)
    gram = L @ L.T  # (k, k), of the same norm as LᵀL
    loss = np.logaddexp(0, -margins).mean() + regularization / 2 * (gram**2).sum()
    by_L = 2 * ((residuals[:, None] * z).T @ differences + regularization * gram @ L)
    return loss, by_L, -residuals.sum()


def maximize_likelihood(differences, y, L, *, regularization, max_iter, tol, report):
    """Minimise `loss_and_gradient` from ``L`` and b = 1 on.

    Returns
    -------
    L : ndarray of shape (k, d)
    b : float
    n_iter : int
    converged : bool
    """

    def objective(parameters):
        loss, by_L, by_b = loss_and_gradient(
            parameters[:-1].reshape(L.shape), parameters[-1], differences, y, regularization
        )
        return loss, np.append(by_L, by_b)

    found, n_iter, converged = minimize_smooth(
        objective, np.append(L, 1.0), ftol=0.0, gtol=tol, max_iter=max_iter, report=report
    )
    return found[:-1].reshape(L.shape), float(found[-1]), n_iter, converged
