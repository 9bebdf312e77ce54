"""OpenSetKNN: nearest neighbours, with a label for samples of no known class."""

from typing import Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from metricnets import calibration
from metricnets._arrays import rows_at
from metricnets._groups import places_in_groups
from metricnets._local_votes import LocalVotes
from metricnets._params import Array, MaybeArray, MaybeLabel, Points, RateBelowOne, Several, fitting
from metricnets._weights import rows_of, weighted_quantile
from metricnets.predictors._base import NeighborsEstimator
from metricnets.predictors._on_metric import check_classes

CHUNK = 4096  # points whose distances to all classes are in memory at a time
N_LOCAL, WIDTH = 100, 1.25  # neighbours in the kernel ridge regression, and the width of its kernel


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
        function of two points, which has no kernel.
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
        self._check_folds(codes)
        z = self._index(X, y, weights, self.n_neighbors)
        if self.novelty == "kernel" and not self._embeds():
            raise ValueError("novelty='kernel' needs embeddings, and metric is a function of two points; use 'auto'.")
        self._codes = codes
        usual = self._search(z, min(int(self.n_neighbors), len(y) - 1)).with_distances()[1] if len(y) > 1 else 1.0
        self._scale = float(np.median(usual)) or 1.0
        self._prepare_scores(z)
        self.offset_ = -np.inf if self.rejection_rate == 0 else self._offset(X, y, codes, weights)
        return self

    def _prepare_scores(self, z):
        self._votes, codes = None, self._codes
        if self.novelty in ("auto", "kernel") and self._embeds():
            self._votes = LocalVotes(self._search(z, min(N_LOCAL, len(codes))), codes, WIDTH * self._scale)
            return
        of_classes = [np.flatnonzero(codes == code) for code in range(len(self.classes_))]
        self._of_classes = [self._search(z[rows], min(int(self.n_neighbors), len(rows))) for rows in of_classes]

    def _check_folds(self, codes):
        """Raise ValueError if there are too few classes or samples to be held out."""
        advice = "give rejection_rate=0 to reject nothing" if self.rejection_rate != "auto" else "give a number"
        n_least = 3 if self._is_to_be_fitted() else 2
        if self.rejection_rate == "auto" and len(self.classes_) < n_least:
            raise ValueError(
                f"rejection_rate='auto' holds out classes and needs {n_least} of them or more, but y has "
                f"{len(self.classes_)} class(es); {advice}."
            )
        if self.rejection_rate != 0 and np.bincount(codes).max() < 2:
            raise ValueError(
                f"every class has 1 sample, and rejection_rate={self.rejection_rate!r} holds out samples of classes "
                "that have others; give rejection_rate=0 to reject nothing."
            )

    def _offset(self, X, y, codes, weights):
        """The threshold of the scores of samples that are held out in turn."""
        scores, known, rows = self._held_out_scores(X, y, codes, weights)
        weights = np.ones(len(rows)) if weights is None else weights[rows]
        if self.rejection_rate != "auto":
            return float(weighted_quantile(scores, self.rejection_rate, weights))
        balanced = weights / np.where(known, weights[known].sum(), weights[~known].sum())
        return calibration.threshold(scores, np.where(known, 1, -1), sample_weight=balanced)

    def _held_out_scores(self, X, y, codes, weights):
        """Scores of samples that are held out, whether their class is known then, and which samples they are."""
        parts, by_class = [], self.rejection_rate == "auto"
        n_folds = min(self.n_folds, len(self.classes_)) if by_class else self.n_folds
        for fold in range(n_folds):
            without = (codes % n_folds == fold) & by_class
            held = places_in_groups(codes) % n_folds == (fold + codes + 1) % n_folds
            held &= ~without & (np.bincount(codes)[codes] > 1)
            train, tested = np.flatnonzero(~without & ~held), np.flatnonzero(without | held)
            if not len(tested):
                continue
            k = min(int(self.n_neighbors), len(train))
            model = clone(self).set_params(rejection_rate=0.0, unknown_label=None, n_neighbors=k)
            model.fit(rows_at(X, train, "X"), y[train], sample_weight=rows_of(weights, train))
            parts.append((model.score_samples(rows_at(X, tested, "X")), held[tested], tested))
        return map(np.concatenate, zip(*parts))

    def score_samples(self, X: Points) -> np.ndarray:
        """Compute how well samples agree with a known class; smaller for samples of none.

        - 'kernel': −d₁ exp(−2 v), with the distance d₁ to the nearest sample and the largest vote v of a class, near 1
          among its samples and near 0 far from all or between classes.  Votes are those of kernel ridge regression on
          the 100 nearest samples, with a Gaussian kernel whose width is 1.25 units and a ridge of 0.2.
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
        z = self._embedded(X)
        parts = [self._scores(z[start : start + CHUNK]) for start in range(0, z.shape[0], CHUNK)]
        return np.concatenate(parts)

    def _scores(self, z):
        if self._votes is not None:
            votes, nearest = self._votes.with_distances(z)
            return -nearest / self._scale * np.exp(-2 * votes)
        t = np.stack([find.with_distances(z)[1].mean(axis=1) for find in self._of_classes], axis=1) / self._scale
        if self.novelty == "distance" or t.shape[1] == 1:
            return -t.min(axis=1)
        nearest, second = np.partition(t, 1, axis=1)[:, :2].T
        return -nearest * np.divide(nearest, second, out=np.ones_like(second), where=second > 0)

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
