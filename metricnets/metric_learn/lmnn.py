"""LMNN as in metric-learn."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._labels import class_codes
from metricnets._params import MaybeShare, Positive, Whole
from metricnets.linear import _lmnn
from metricnets.metric_learn._compatible import Compatible

__all__ = ["LMNN"]


class LMNN(
    Compatible,
    _lmnn.LMNN,
    positional="init n_neighbors min_iter max_iter learn_rate regularization convergence_tol verbose preprocessor "
    "n_components random_state",
):
    """`metricnets.LMNN` with the arguments by position and the methods of metric-learn.

    Parameters
    ----------
    min_iter : int >= 0, default=50
        Has no effect: convergence is judged over ten iterations, so there are at least ten.
    learn_rate : float > 0, default=1e-7
        Has no effect: a line search finds the step lengths.
    shrinkage : float in [0, 1], 'auto' or None, default=None
        As in `metricnets.LMNN`; None solves the problem of metric-learn.

    Attributes
    ----------
    labels_ : ndarray of shape (n_classes,)
        The class codes, from 0.
    """

    min_iter: Whole = 50
    learn_rate: Positive = 1e-7
    shrinkage: MaybeShare = None

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the metric from points and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts, non-negative.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.
        """
        super().fit(X, y, sample_weight=sample_weight)
        self.labels_ = np.arange(class_codes(np.asarray(y)).max() + 1)
        return self
