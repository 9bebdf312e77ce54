"""MLKNN: prediction of label sets from the counts of labels among nearest neighbours."""

from typing import Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from metricnets._labels import check_known
from metricnets._params import Count, MaybeArray, Points, Positive, fitting
from metricnets.predictors._base import NeighborsEstimator, total


class MLKNN(ClassifierMixin, NeighborsEstimator):
    """ML-kNN (multi-label k-nearest neighbors) for label sets or classes.

    For each label, it counts how many of the k nearest neighbours have the label, and predicts the label if it is
    more probable than not given this count, by Bayes' rule.  The probabilities are estimated on the training
    samples; a sample is not its own neighbour.

    Classes, given as a 1-D y, are label sets of one label each.  ``predict`` then returns the most probable class,
    and the rows of ``predict_proba`` are scaled to sum to 1, as in scikit-learn's OneVsRestClassifier.

    Parameters
    ----------
    n_neighbors : int >= 1, default=10
        Number of neighbours k, smaller than the number of training samples.  Which of several samples at the same
        distance is the last neighbour is arbitrary, but deterministic, as in scikit-learn's NearestNeighbors.
    smoothing : float > 0, default=1.0
        Smoothing s, added to every count; 1 is Laplace smoothing.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.
    classes_ : ndarray of shape (n_classes,), or (n_labels, 2) for label sets
        The classes, or 0 and 1 for each label.
    posteriors_ : ndarray of shape (n_labels, n_neighbors + 1)
        Probability of each label, given that j = 0, 1, ..., k neighbours have the label.

    See Also
    --------
    AAKNN : Prediction of label distributions from nearest neighbours.
    HRAML : Network whose distances are aligned with relations of targets, such as label sets.

    Notes
    -----
    ``predict`` returns the labels whose probability is larger than ½.  The paper breaks ties at random; here a
    label with a probability of exactly ½ is not predicted.

    References
    ----------
    M.-L. Zhang, Z.-H. Zhou, "ML-KNN: a lazy learning approach to multi-label learning", Pattern
    Recognition 40, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import MLKNN
    >>> X, Y = np.arange(12.0)[:, None], np.repeat([[1, 1], [1, 0], [0, 0]], 4, axis=0)
    >>> MLKNN(n_neighbors=3).fit(X, Y).predict([[0.1], [5.3], [10.2]])
    array([[1, 1],
           [1, 0],
           [0, 0]])
    """

    n_neighbors: Count = 10
    smoothing: Positive = 1.0

    @fitting
    def fit(self, X: Points, y: Points, *, sample_weight: MaybeArray = None) -> Self:
        """Count labels among neighbours; fit a clone of ``metric`` first, unless it is fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training points.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or array-like (n_samples,)
            Label sets, with entries 0 and 1, or classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts in the probabilities, non-negative.  Each is one neighbour of others, whatever
            its weight; samples of weight 0 are left out.  A ``metric`` that is yet to be fitted gets them, if its
            ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y has other entries, or there are at most ``n_neighbors`` samples.
        """
        X, y, weights = self._validated(X, y, sample_weight)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self.classes_, self._sets = label_sets(y)
        self._index(X, y, weights, self.n_neighbors + 1)
        counts = total(self._neighbors(), self._sets)
        self.posteriors_ = posteriors(tally(self._sets, counts, self.n_neighbors, weights), self.smoothing)
        return self

    def predict_proba(self, X: Points) -> np.ndarray:
        """Predict the probability of each label, or of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        p : ndarray of shape (n_samples, n_labels) or (n_samples, n_classes)
            In [0, 1]; each row sums to 1 for classes.
        """
        check_is_fitted(self)
        counts = total(self._neighbors(X), self._sets)
        p = self.posteriors_[np.arange(len(self.posteriors_)), counts]  # (n, L)
        return p if self.classes_.ndim == 2 else p / p.sum(axis=1, keepdims=True)

    def predict(self, X: Points) -> np.ndarray:
        """Predict label sets or classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        y : ndarray of int of shape (n_samples, n_labels), or ndarray of shape (n_samples,)
            Label sets, with entries 0 and 1; or classes.
        """
        p = self.predict_proba(X)
        return (p > 0.5).astype(int) if self.classes_.ndim == 2 else self.classes_[p.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = tags.target_tags.multi_output = True
        return tags


def label_sets(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split y into classes and an indicator matrix, int8 of shape (n, L); ValueError for other targets."""
    if y.ndim == 1:
        with np.errstate(invalid="ignore"):  # huge numbers are not integers
            y = check_known(y)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        return classes, (codes[:, None] == np.arange(len(classes))).astype(np.int8)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"Unknown label type: y of shape {y.shape} should hold label sets, with entries 0 and 1; "
            f"it has {y[~np.isin(y, (0, 1))].tolist()[0]!r}.  Convert -1 and 1 with (y > 0).astype(int); give classes "
            f"as an array of shape ({len(y)},)."
        )
    return np.tile([0, 1], (y.shape[1], 1)), y.astype(np.int8)


def tally(Y: np.ndarray, counts: np.ndarray, n_neighbors: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the samples without, and with, each label that have j neighbours with the label: (2, L, k + 1).

    Parameters
    ----------
    Y : ndarray of {0, 1} of shape (n, L)
        Label sets.
    counts : ndarray of int of shape (n, L)
        Number of neighbours of each sample with each label.
    n_neighbors : int
        Number of neighbours k.
    weights : ndarray of shape (n,) or None
        How often each sample counts.
    """
    n_labels, n_counts = Y.shape[1], n_neighbors + 1
    cells = counts + n_counts * (np.arange(n_labels) + n_labels * (Y == 1))
    of_cells = None if weights is None else np.repeat(weights, n_labels)
    return np.bincount(cells.ravel(), of_cells, minlength=2 * n_labels * n_counts).reshape(2, n_labels, n_counts)


def posteriors(c: np.ndarray, smoothing: float) -> np.ndarray:
    """Compute the probability of each label given j neighbours with the label, (L, k + 1), from a `tally` c.

    P(H₁ | j) ∝ P(H₁) P(j | H₁) with P(H₁) = (s + n₁) / (2s + n), P(j | H₁) = (s + c₁[j]) / (s(k + 1) + n₁),
    where n₁ samples have the label; the same holds for H₀.  Denominators are multiplied out, so that integers
    stay integers and a tie is exactly ½.
    """
    s = np.clip(smoothing, 1e-90, 1e90)  # beyond these the result does not change, but products overflow
    n = c.sum(axis=2, keepdims=True)
    joint = (s + n) * (s + c) * (s * c.shape[2] + n[::-1])  # (2, L, k + 1)
    return joint[1] / joint.sum(axis=0)
