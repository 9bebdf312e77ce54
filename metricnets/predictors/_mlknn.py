"""MLKNN: label sets from the counts of labels among nearest neighbours."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from metricnets._params import Count, Positive, fitting
from metricnets.predictors._base import NeighborsEstimator, total


class MLKNN(ClassifierMixin, NeighborsEstimator):
    """Predict label sets: for each label, how likely it is given how many of k neighbours have it.

    The training rows say, label by label, how often a row with the label has j neighbours that have
    it too, and how often a row without it; Bayes' rule does the rest.  A row is not its own neighbour.

    Classes, a 1-D y, are label sets of one label each; ``predict`` then takes the most probable, and
    the rows of ``predict_proba`` are scaled to sum to 1, as in scikit-learn's OneVsRestClassifier.

    Parameters
    ----------
    n_neighbors : int >= 1, default=10
        k, at most one less than there are training rows.  Which of several rows at the same distance
        is the last neighbour is as in scikit-learn's NearestNeighbors: arbitrary, but always the same.
    smoothing : float > 0, default=1.0
        s, added to every count: 1 is Laplace's rule.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted ``metric``.
    classes_ : ndarray of shape (n_classes,), or (n_labels, 2) for label sets
        The classes, or 0 and 1 for each label: so scikit-learn's scorers read two labels as two labels,
        not as one label's two classes.
    posteriors_ : ndarray of shape (n_labels, n_neighbors + 1)
        Probability of each label, given that j = 0, 1, ..., k neighbours have it.

    See Also
    --------
    AAKNN : Label distributions from nearest neighbours.
    HRAML : Network aligned with graded relations of targets.

    Notes
    -----
    ``predict`` gives a label whose probability is above ½; the paper breaks ties at random, here a
    tie is a label not given.

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
    def fit(self, X, y):
        """Count labels among neighbours, having fitted ``metric`` if it is not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Sparse too, unless the metric says otherwise.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or array-like (n_samples,)
            Label sets, with entries 0 and 1, or classes.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y has other entries, or there are not more than ``n_neighbors`` rows.
        """
        X, y = self._validated(X, y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self.classes_, self._sets = label_sets(y)
        self._index(X, y, self.n_neighbors + 1)
        counts = total(self._neighbors(), self._sets)
        self.posteriors_ = posteriors(tally(self._sets, counts, self.n_neighbors), self.smoothing)
        return self

    def predict_proba(self, X):
        """Probability of each label, ndarray of shape (n_samples, n_labels), or of each class."""
        check_is_fitted(self)
        counts = total(self._neighbors(X), self._sets)
        p = self.posteriors_[np.arange(len(self.posteriors_)), counts]  # (n, L)
        return p if self.classes_.ndim == 2 else p / p.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Label sets, ndarray of int of shape (n_samples, n_labels), or classes, (n_samples,)."""
        p = self.predict_proba(X)
        return (p > 0.5).astype(int) if self.classes_.ndim == 2 else self.classes_[p.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def label_sets(y):
    """Classes, and an indicator of 0 and 1, int8 of shape (n, L); ValueError if y is neither classes nor sets."""
    if y.ndim == 1:
        with np.errstate(invalid="ignore"):  # huge numbers are no whole ones
            check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        return classes, (codes[:, None] == np.arange(len(classes))).astype(np.int8)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"Unknown label type: y of shape {y.shape} should hold label sets, with entries 0 and 1; "
            f"it has {y[~np.isin(y, (0, 1))].tolist()[0]!r}.  (y > 0).astype(int) makes 0 and 1 of -1 and 1; classes "
            f"are an array of shape ({len(y)},)."
        )
    return np.tile([0, 1], (y.shape[1], 1)), y.astype(np.int8)


def tally(Y, counts, n_neighbors):
    """Number of rows without, and with, each label that have j neighbours with it: (2, L, k + 1).

    Parameters
    ----------
    Y : ndarray of {0, 1} of shape (n, L)
    counts : ndarray of int of shape (n, L)
        How many neighbours of a row have each label.
    n_neighbors : int
    """
    n_labels, n_counts = Y.shape[1], n_neighbors + 1
    cells = counts + n_counts * (np.arange(n_labels) + n_labels * (Y == 1))
    return np.bincount(cells.ravel(), minlength=2 * n_labels * n_counts).reshape(2, n_labels, n_counts)


def posteriors(c, smoothing):
    """Probability of each label given j neighbours with it, (L, k + 1), from a `tally` c.

    P(H₁ | j) ∝ P(H₁) P(j | H₁) with P(H₁) = (s + n₁) / (2s + n), P(j | H₁) = (s + c₁[j]) / (s(k + 1) + n₁),
    and n₁ rows with the label; so too without it.  Denominators are multiplied out: whole numbers stay
    whole, and a tie is exactly ½.
    """
    s = np.clip(smoothing, 1e-90, 1e90)  # further out nothing changes, but the products leave the range of floats
    n = c.sum(axis=2, keepdims=True)
    joint = (s + n) * (s + c) * (s * c.shape[2] + n[::-1])  # (2, L, k + 1)
    return joint[1] / joint.sum(axis=0)
