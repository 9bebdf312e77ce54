"""OpenSetKNN: nearest neighbours, with a label for samples of no known class."""

from typing import Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import rows_at
from metricnets._params import Array, MaybeArray, MaybeLabel, Points, RateBelowOne, Several, fitting
from metricnets._weights import kept_rows, rows_of
from metricnets.predictors._base import NeighborsEstimator
from metricnets.predictors._held_out_classes import check_folds, clearly_best, held_out_in_turn, offset_of
from metricnets.predictors._novelty import AUTO, scores_of
from metricnets.predictors._on_metric import check_classes


class OpenSetKNN(ClassifierMixin, NeighborsEstimator):
    """Nearest neighbours classifier that says if a sample is of none of the known classes.

    The class is the most frequent one among the k nearest neighbours.  The sample is unknown if its score is below
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
        function of two points, which has no kernel; if classes are held out, another one that tells them apart better,
        by more than 0.01 of the area under the ROC curve.
    n_folds : int >= 2, default=3
        Number of parts that are held out in turn.  A ``metric`` that is not fitted is fitted once for each part,
        besides the final fit.  A fitted one has seen what is held out, and ``offset_`` may not suit new samples.
    unknown_label : int, str or None, default=None
        What is predicted for samples of no known class.  None is −1 for numbers, or the next smaller integer that is no
        class, and 'unknown' for strings.

    Attributes
    ----------
    metric_ : metric learner, callable or None
        The fitted metric.
    classes_ : ndarray of shape (n_classes,)
        The known classes.
    novelty_ : str
        What `score_samples` computes.
    offset_ : float
        Samples with scores below it are of no known class.
    unknown_label_ : int or str
        What is predicted for them.

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
            Training points.  A ``metric`` may not take sparse matrices, or may take other points, such as images.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples in ``offset_``, non-negative.  Each has one vote, whatever its weight; samples of
            weight 0 are left out.  A ``metric`` that is yet to be fitted gets them, if its ``fit`` takes them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If y does not hold classes, ``unknown_label`` is one of them, there are fewer than ``n_neighbors`` samples,
            too few classes or samples to hold any out, unless ``rejection_rate`` is 0, or ``novelty`` is 'kernel' and
            ``metric`` a function.
        """
        X, y, weights = self._validated(X, y, sample_weight)
        y = check_classes(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.unknown_label_ = label_of_none(self.classes_, self.unknown_label)
        check_folds(codes, self.rejection_rate, n_least=3 if self._is_to_be_fitted() else 2)
        self._learn(X, y, codes, weights)
        self._rows = kept_rows(sample_weight, len(y))
        self.novelty_, self.offset_ = next(iter(self._scores)), -np.inf
        if self.rejection_rate != 0:
            self._choose(*self._held_out(X, y, codes, weights))
        self._scores = {self.novelty_: self._scores[self.novelty_]}
        return self

    def _learn(self, X, y, codes, weights):
        """Fit the metric, and prepare the search and the scores."""
        z = self._index(X, y, weights, self.n_neighbors)
        if self.novelty == "kernel" and not self._embeds():
            raise ValueError("novelty='kernel' needs embeddings, and metric is a function of two points; use 'auto'.")
        names = AUTO[not self._embeds() :] if self.novelty == "auto" else (self.novelty,)
        self._codes, self._scores = codes, scores_of(names, self._search, z, codes, int(self.n_neighbors))
        return self

    def _held_out(self, X, y, codes, weights):
        """Scores by name of samples that are held out in turn, whether their class is known then, and their weights."""
        parts, known, rows = [], [], []
        for train, tested, here in held_out_in_turn(codes, self.n_folds, self.rejection_rate == "auto"):
            model = clone(self).set_params(n_neighbors=min(int(self.n_neighbors), len(train)))
            kept = np.unique(codes[train], return_inverse=True)[1]
            model._learn(rows_at(X, train, "X"), y[train], kept, rows_of(weights, train))
            z = model._embedded(rows_at(X, tested, "X"))
            parts.append({name: score(z) for name, score in model._scores.items()})
            known.append(here)
            rows.append(tested)
        scores = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows = np.concatenate(rows)
        return scores, np.concatenate(known), np.ones(len(rows)) if weights is None else weights[rows]

    def _choose(self, scores, known, weights):
        """Choose the score, the first one unless another is clearly better, and its threshold."""
        if self.rejection_rate == "auto":
            self.novelty_ = clearly_best(scores, known, weights)
        self.offset_ = offset_of(scores[self.novelty_], known, weights, self.rejection_rate)

    def score_samples(self, X: Points) -> np.ndarray:
        """Compute how well samples agree with a known class; smaller for samples of none.

        - 'kernel': −d₁ exp(−2 v) / √u, with the distance d₁ to the nearest sample, the largest vote v of a class, near 1
          among its samples and near 0 far from all or between classes, and the mean distance u of the k nearest samples
          to their own k neighbours.  Votes are those of kernel ridge regression on the 100 nearest samples, with a
          Gaussian kernel whose width is 1.25 units and a ridge of 0.2.
        - 'relative': −t₁²/t₂, with t₁ ≤ t₂ ≤ ... the mean distances to the k nearest samples of each class, or to all
          if it has fewer: near to one class, and nearer than to the others; −t₁ if there is one class.
        - 'distance': −t₁.

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

    def kneighbors(
        self, X: Points | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """Find the nearest training samples, which explain a prediction.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features) or None, default=None
            Points.  None finds the neighbours of each training sample, without itself.
        n_neighbors : int >= 1 or None, default=None
            Number of neighbours; None is that of the estimator.
        return_distance : bool, default=True
            Whether distances are returned.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            In the metric, ascending; not returned if ``return_distance=False``.
        rows : ndarray of int of shape (n_samples, n_neighbors)
            Indices of the samples in the X of ``fit``.
        """
        check_is_fitted(self)
        k = int(self.n_neighbors) if n_neighbors is None else n_neighbors
        rows, distances = self._found.with_distances(None if X is None else self._embedded(X), k)
        return (distances, self._rows[rows]) if return_distance else self._rows[rows]

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
        rows = self._neighbors(X)
        votes = np.stack([(self._codes[rows] == code).sum(axis=1) for code in range(len(self.classes_))], axis=1)
        found = self.classes_[votes.argmax(axis=1)]
        unknown = np.asarray(self.unknown_label_)  # of its own type: unsigned integers cannot hold -1
        return np.where(self.score_samples(X) < self.offset_, unknown, found)


def label_of_none(classes: np.ndarray, label: int | str | None) -> int | str:
    """The label of samples of no known class; ValueError if it is one of the classes, or of another type."""
    are_names = classes.dtype.kind == "U"
    if label is None and not are_names:
        label = next(number for number in range(-1, -2 - len(classes), -1) if number not in classes)
    label = "unknown" if label is None else label
    if isinstance(label, str) != are_names:
        raise ValueError(f"unknown_label={label!r} and the classes in y, such as {classes[0]}, should be of one type.")
    if label in classes.tolist():
        raise ValueError(f"unknown_label={label!r} is a class in y; choose a label that is none.")
    return label
