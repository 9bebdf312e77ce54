"""KNNOutlierDetector: samples that are far from their nearest neighbours."""

from typing import Literal, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from metricnets._params import Contamination, MaybeArray, Points, fitting
from metricnets._weights import weighted_quantile
from metricnets.predictors._base import NeighborsEstimator

FENCE = 1.5  # interquartile ranges below the lower quartile, Tukey's
SAME = 1e-6  # of the usual distance, below which a training row is the query itself


class KNNOutlierDetector(OutlierMixin, NeighborsEstimator):
    """Outlier and novelty detection by the distance to nearest neighbours.

    The score of a sample is the negative mean distance to its k nearest training samples.  Fit it to samples that are
    normal, or mostly normal; labels, if there are any, are only used to learn the metric.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        Number of neighbours k, smaller than the number of training samples.
    contamination : 'auto' or float in (0, 0.5], default='auto'
        What ``offset_`` is.  A number is the share of the training samples to be outliers.  'auto' is Tukey's fence:
        the lower quartile of their scores minus 1.5 interquartile ranges.
    aggregate : {'mean', 'largest'}, default='mean'
        Whether the score is the mean distance to the k neighbours, or that to the k-th.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.
    offset_ : float
        Samples with scores below it are outliers.

    See Also
    --------
    OpenSetKNN : Classification with a label for samples of no known class.

    Notes
    -----
    A training sample is not its own neighbour: one that equals a query, at a distance of 0 up to rounding, is left out,
    for new queries too.

    References
    ----------
    S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000.

    F. Angiulli, C. Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import KNNOutlierDetector
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> KNNOutlierDetector(n_neighbors=2).fit(X).predict([[0.52], [3.0]])
    array([ 1, -1])
    """

    contamination: Contamination | Literal["auto"] = "auto"
    aggregate: Literal["mean", "largest"] = "mean"

    @fitting
    def fit(self, X: Points, y: MaybeArray = None, *, sample_weight: MaybeArray = None) -> Self:
        """Store the training samples and choose ``offset_``; fit a clone of ``metric`` unless it is fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training points.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
        y : array-like of shape (n_samples,) or None, default=None
            Targets for a ``metric`` that is yet to be fitted; otherwise not used.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples in ``offset_``, non-negative.  Each is one neighbour, whatever its weight; samples of
            weight 0 are left out.  A ``metric`` that is yet to be fitted gets them, if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there are at most ``n_neighbors`` samples.
        """
        X, y, weights = self._validated(X, y if self._is_to_be_fitted() else None, sample_weight)
        z = self._index(X, y, weights, self.n_neighbors + 1)
        self._found = self._search(z, int(self.n_neighbors) + 1)
        self._same = SAME * float(np.median(self._found.with_distances(z, n_jobs=self.n_jobs)[1][:, 1:]))
        self.offset_ = fence(self.score_samples(X), self.contamination, weights)
        return self

    def fit_predict(self, X: Points, y: MaybeArray = None, *, sample_weight: MaybeArray = None) -> np.ndarray:
        """Fit, and predict whether the training samples are normal.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`.

        Returns
        -------
        y : ndarray of int of shape (n_samples,)
            +1 for normal samples, −1 for outliers.
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def score_samples(self, X: Points) -> np.ndarray:
        """Compute the negative distance to the nearest neighbours.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The larger, the more normal; at most 0.
        """
        check_is_fitted(self)
        d = self._found.with_distances(self._embedded(X), n_jobs=self.n_jobs)[1]  # (n, k + 1)
        d = np.where(d[:, :1] <= self._same, d[:, 1:], d[:, :-1])
        return -(d.mean(axis=1) if self.aggregate == "mean" else d[:, -1])

    def decision_function(self, X: Points) -> np.ndarray:
        """Compute ``score_samples`` minus ``offset_``: negative for outliers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Points) -> np.ndarray:
        """Predict whether samples are normal.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        y : ndarray of int of shape (n_samples,)
            +1 for normal samples, −1 for outliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._is_to_be_fitted() and get_tags(self.metric).target_tags.required
        return tags


def fence(scores: np.ndarray, contamination: float | str, weights: np.ndarray | None) -> float:
    """The score below which a sample is an outlier: a quantile, or Tukey's lower fence.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    contamination : float or 'auto'
    weights : ndarray of shape (n,) or None

    Returns
    -------
    offset : float
    """
    if contamination != "auto":
        return float(weighted_quantile(scores, contamination, weights))
    low, high = weighted_quantile(scores, [0.25, 0.75], weights)
    return float(low - FENCE * (high - low))
