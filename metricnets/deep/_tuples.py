"""Base class of the deep metric learners that learn from tuples: pairs, triplets, quadruplets."""

import numpy as np
from scipy.sparse import issparse

from metricnets._params import MaybeSource
from metricnets._tuples import as_tuples, points_and_members
from metricnets._weights import check_weights
from metricnets.deep._base import DeepMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.samples import check_form, followed_by, sampler_of, used, with_validation
from metricnets.samplers import Shuffled


class DeepTuplesLearner(DeepMetric):
    """Deep metric learned from tuples of points.

    Hooks: ``_labels`` and ``_criterion``.

    Parameters
    ----------
    preprocessor : array-like, sparse matrix, callable or None, default=None
        Source of the points of tuples that are given as indicators: an array of points, or a function from a
        1-D array of indicators to their points.  The rows of a sparse matrix that are looked up become dense.
    """

    preprocessor: MaybeSource = None

    _takes_sparse = False
    _kind = "tuples"  # the argument of ``fit``

    def _labels(self, y, n_tuples, n_train):
        """Hook: set ``classes_``, and give the label of each tuple; the first ``n_train``, or all, are to train on."""
        raise NotImplementedError

    def _check_counted(self, labels):
        """Hook: raise ValueError if the tuples to train on whose weight is not 0, of these labels, do not suffice."""

    def _validated_tuples(self, tuples, y, sample_weight, tuples_val, y_val=None):
        """The tuples to use, those for validation last: what they are, and what is learned from.

        Returns
        -------
        tuples, labels, weights
            Tuples of positive weight, their labels, and weights or None.
        n : int or None
            Number of the tuples before those for validation, None if there are none.
        X, members
            Their points, and the rows of these in each tuple.
        """
        n = None if tuples_val is None else len(tuples)
        for some in (tuples, tuples_val):
            if issparse(some):
                as_tuples(some, self._tuple_size)  # says what to give instead
        tuples = np.asarray(tuples)
        if tuples_val is not None:
            check_form(tuples, tuples_val, self._kind)
            tuples, y = followed_by(tuples, tuples_val, f"{self._kind}_val"), followed_by(y, y_val, "y_val")
        source = {"preprocessor": self.preprocessor, "in_parts": self._in_parts}
        X, members = points_and_members(tuples, self._tuple_size, for_points=self._for_points(y), **source)
        labels = self._labels(y, len(members), n)
        self.n_features_in_ = X.shape[1]
        if sample_weight is None:
            return tuples, labels, None, n, X, members
        weights = check_weights(sample_weight, len(labels) if n is None else n, of=self._kind)
        is_train = np.arange(len(labels)) < (len(labels) if n is None else n)
        tuples, labels, is_train, weights = used(with_validation(weights, len(labels)), tuples, labels, is_train)
        self._check_counted(labels[is_train])
        if len(labels) < len(members):
            X, members = points_and_members(tuples, self._tuple_size, **source)
        return tuples, labels, weights, None if n is None else np.count_nonzero(is_train), X, members

    def _prepare_tuples(self, X, members, labels, weights, n, strata=None, start=None):
        """Prepare the `Problem`: points count as often as they occur in the tuples to train on."""
        counts = None if weights is None else np.repeat(weights[:n], members.shape[1])
        counts = np.bincount(members[:n].ravel(), counts, minlength=len(X))
        return self._prepare(X, Targets(tensor_of(labels), members=members, weights=weights), strata, counts, n, start)

    def _make_batches(self, part, rng):
        return sampler_of(lambda rows: Shuffled(len(rows), self.batch_size, rng), part, rng)
