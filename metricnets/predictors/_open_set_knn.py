"""OpenSetKNN: nearest neighbours, with a label for samples of no known class."""

from typing import Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import rows_at
from metricnets._params import Array, MaybeArray, MaybeLabel, Points, RateBelowOne, Several, fitting
from metricnets._weights import kept_rows, rows_of
from metricnets.predictors._base import KNeighborsMixin, NeighborsEstimator
from metricnets.predictors._classes.novelty import AUTO, scores_of
from metricnets.predictors._classes.open_set import check_folds, clearly_best, held_out_in_turn, offset_of
from metricnets.predictors._classes.unknown import label_of_none
from metricnets.predictors._on_metric import check_classes


class OpenSetKNN(KNeighborsMixin, ClassifierMixin, NeighborsEstimator):
    """Nearest neighbours classifier that says if a sample is of none of the known classes.

    The class is the most frequent one among the k nearest neighbours; the sample is unknown if its score is below
    ``offset_``, which is chosen on training samples and classes that are held out in turn.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        Number of neighbours k, of the vote and, at most, of each class in the score.
    rejection_rate : 'auto' or float in [0, 1), default='auto'
        What ``offset_`` is.  'auto' holds out classes in turn, and a part of the samples of the other classes, and
        maximises the mean of two shares: of the former that are rejected, and of the latter that are not.  A number is
        the share of samples of known classes to be rejected, estimated on those held out; 0 rejects nothing.
    novelty : {'auto', 'kernel', 'relative', 'distance'}, default='auto'
        What `score_samples` computes: from the votes of the classes by kernel ridge regression, from distances to the
        nearest class and the second, or to the nearest.  'auto' is 'kernel', or 'relative' if ``metric`` is a
        function; or another one that tells held-out classes apart better, by 0.01 of the area under the ROC curve.
    n_folds : int >= 2, default=3
        Number of parts that are held out in turn.  A ``metric`` that is not fitted is fitted for each part, too; a
        fitted one has seen what is held out, and ``offset_`` may not suit new samples.
    unknown_label : int, str or None, default=None
        What is predicted for them.  None is −1, or the next smaller integer that is no class; 'unknown' for strings.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.
    classes_ : ndarray of shape (n_classes,)
        The known classes.
    novelty_ : str
        Name of the score.
    offset_ : float
        Samples with scores below it are of no known class.
    unknown_label_ : int or str
        Their label.

    See Also
    --------
    NearestClassMean : Nearest class mean, to which classes can be added.
    KNNOutlierDetector : Detection of outliers without classes.

    References
    ----------
    P. R. Mendes Júnior et al., "Nearest neighbors distance ratio open-set classifier", Machine Learning 106, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import OpenSetKNN
    >>> X = np.r_[0:1:9j, 4:5:9j, 8:9:9j][:, None]
    >>> OpenSetKNN(n_neighbors=2).fit(X, np.repeat([0, 1, 2], 9)).predict([[0.5], [4.2], [6.5]])
    array([ 0,  1, -1])
    """

    rejection_rate: RateBelowOne | Literal["auto"] = "auto"
    novelty: Literal["auto", "kernel", "relative", "distance"] = "auto"
    n_folds: Several = 3
    unknown_label: MaybeLabel = None

    @fitting
    def fit(self, X: Points, y: Array, *, sample_weight: MaybeArray = None) -> Self:
        """Store the training samples and choose ``offset_``; fit a clone of ``metric`` unless it is fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training points, or what ``metric`` takes.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples in ``offset_``, non-negative; 0 leaves a sample out, others have one vote each.  A
            ``metric`` that is yet to be fitted gets them, if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y does not hold classes or too few, ``unknown_label`` is one, or ``novelty`` is 'kernel' for a function.
        """
        X, y, weights = self._validated(X, y, sample_weight)
        y = check_classes(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.unknown_label_ = label_of_none(self.classes_, self.unknown_label)
        check_folds(codes, self.rejection_rate, self.n_folds, n_left=2 if self._is_to_be_fitted() else 1)
        self._learn(X, y, codes, weights)
        self._rows = kept_rows(sample_weight, len(y))
        self.novelty_, self.offset_ = next(iter(self._scores)), -np.inf
        if self.rejection_rate != 0:
            scores, known, weights = self._held_out(X, y, codes, weights)
            self.novelty_ = clearly_best(scores, known, weights)
            self.offset_ = offset_of(scores[self.novelty_], known, weights, self.rejection_rate)
        self._scores = {self.novelty_: self._scores[self.novelty_]}
        return self

    def _learn(self, X, y, codes, weights):
        z = self._index(X, y, weights, self.n_neighbors)
        if self.novelty == "kernel" and not self._embeds():
            raise ValueError("novelty='kernel' needs embeddings, and metric is a function of two points; use 'auto'.")
        names = AUTO[not self._embeds() :] if self.novelty == "auto" else (self.novelty,)
        self._codes, self._scores = codes, scores_of(names, self._search, z, codes, int(self.n_neighbors))
        return self

    def _held_out(self, X, y, codes, weights):
        """Scores by name of samples that are held out in turn, whether their class is known then, and their weights."""
        parts = []
        for train, tested, known in held_out_in_turn(codes, self.n_folds, self.rejection_rate == "auto"):
            model = clone(self).set_params(n_neighbors=min(int(self.n_neighbors), len(train)))
            left = np.unique(codes[train], return_inverse=True)[1]
            model._learn(rows_at(X, train, "X"), y[train], left, rows_of(weights, train))
            z = model._embedded(rows_at(X, tested, "X"))
            parts.append((tested, known, {name: score(z) for name, score in model._scores.items()}))
        rows, known = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        scores = {name: np.concatenate([part[2][name] for part in parts]) for name in parts[0][2]}
        return scores, known, (np.ones(len(y)) if weights is None else weights)[rows]

    def score_samples(self, X: Points) -> np.ndarray:
        """Compute how well samples agree with a known class; smaller for samples of none.

        - 'kernel': −d₁ exp(−2 v) / √u, with the distance d₁ to the nearest sample, the largest vote v of a class, 1
          among its samples and 0 far from all or between classes, and the mean distance u of the k nearest samples
          to their own k neighbours.  Votes are those of kernel ridge regression on the 100 nearest samples, with a
          Gaussian kernel whose width is 1.25 units and a ridge of 0.2.
        - 'relative': −t₁²/t₂, with t₁ ≤ t₂ ≤ ... the mean distances to the k nearest samples of each class, or to all
          if it has fewer; −t₁ if there is one class.  'distance': −t₁.

        The unit is the median distance of training samples to their neighbours.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            At most 0.
        """
        check_is_fitted(self)
        return self._scores[self.novelty_](self._embedded(X))

    def predict(self, X: Points) -> np.ndarray:
        """Predict the class of each sample, or ``unknown_label_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        near, unknown = self._codes[self._neighbors(X)], self.score_samples(X) < self.offset_
        votes = [(near == code).sum(axis=1) for code in range(len(self.classes_))]
        found = self.classes_[np.argmax(votes, axis=0)]
        return np.where(unknown, np.asarray(self.unknown_label_), found)  # unsigned integers cannot hold -1
