"""Template of a linear method: parameters, a hook, and the mathematics in functions of arrays.

Copy the file to ``metricnets/linear/_name.py``.  A method that learns from points is one class on
``LinearMetric`` with the hook ``_solve_points(X, y, weights)``; see ``metricnets/linear/_covariance.py``.
"""

import numpy as np

from metricnets._linalg import components_from_metric, inverse_root
from metricnets._params import NonNegative, Parametrized
from metricnets._weights import rows_of, scatter
from metricnets.linear._pairwise.differences import pair_differences
from metricnets.linear._weakly_supervised import PairsFromLabels, PairsLearner


class _BasePairWhitening(Parametrized):
    """What the method from pairs and from classes share.

    Parameters
    ----------
    ridge : float >= 0, default=0.001
        Share of the mean variance that is added to all variances.
    """

    ridge: NonNegative = 1e-3

    def _solve_tuples(self, X, pairs, y, weights):
        M = whitening(pair_differences(X, pairs[y > 0]), rows_of(weights, y > 0), ridge=self.ridge)
        return components_from_metric(M, self.n_components)


class PairWhitening(_BasePairWhitening, PairsLearner):
    """Whitening of the differences of similar pairs.

    Directions in which similar points differ get a small weight.

    See Also
    --------
    PairWhitening_Supervised : The same method from classes.

    Examples
    --------
    >>> pairs = [[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [3.0, 3.0]]]
    >>> PairWhitening(ridge=0.0).fit(pairs, [1, 1, -1]).get_mahalanobis_matrix().round(2)
    array([[0.5, 0. ],
           [0. , 2. ]])
    """

    _from_labels = "PairWhitening_Supervised"


class PairWhitening_Supervised(_BasePairWhitening, PairsFromLabels):  # noqa: N801
    """Whitening of the differences of similar pairs, which are drawn from classes.

    See Also
    --------
    PairWhitening : The same method from pairs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> PairWhitening_Supervised(random_state=0).fit(X, y).components_.shape
    (4, 4)
    """


def whitening(differences: np.ndarray, weights: np.ndarray | None, *, ridge: float) -> np.ndarray:
    """Return the pseudo-inverse M of the second moment matrix of the differences plus a ridge.

    Parameters
    ----------
    differences : ndarray of shape (m, d)
    weights : ndarray of shape (m,) or None
        How often each pair counts.
    ridge : float

    Returns
    -------
    M : ndarray of shape (d, d)
    """
    moments = scatter(differences, weights)  # (d, d)
    d = len(moments)
    W = inverse_root(moments + ridge * np.trace(moments) / d * np.eye(d))  # (d, rank)
    return W @ W.T
