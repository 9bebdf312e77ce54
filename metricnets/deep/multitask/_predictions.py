"""Predictions of several tasks by classifiers on the embedding of a network."""

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._labels import UNKNOWN
from metricnets._params import Array, MaybeArray
from metricnets._tasks import columns_of
from metricnets._weights import check_weights
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.embedding import embed
from metricnets.deep._training.on_labels import probabilities


class TaskPredictions(NetworkMetric):
    """Deep metric with a head for each of several tasks, which predicts its classes.

    Attributes
    ----------
    heads_ : list of torch.nn.Module
        For each network the trained classifiers of all tasks, on the CPU.
    classes_ : list of ndarray of shape (n_classes,), or one ndarray
        The classes of each column of y; of y itself if it has one dimension.
    target_names_ : list
        The names or numbers of the columns of y.
    """

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        self.heads_ = [criterion.heads for criterion in trained.criteria]
        self._members = [nn.Sequential(*problem.layers, network).eval() for network in trained.networks]

    def predict_proba(self, X: Array) -> list[np.ndarray] | np.ndarray:
        """Estimate the probabilities of the classes of each task, the mean of those of all networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.

        Returns
        -------
        probabilities : list of ndarray of shape (n_samples, n_classes)
            For each column of y, in the order of its ``classes_``; one array if y had one dimension.
        """
        check_is_fitted(self)
        X = self._checked_points(X)
        self._check_shape(X)
        options = {"n_rows": self._rows_at_once, "in_double": self._in_double, "device": self._device_here()}
        found = []
        for member, heads in zip(self._members, self.heads_):
            z = embed(member, X, **options)
            found.append([probabilities(head, z) for head in heads])
        means = [sum(each) / len(each) for each in zip(*found)]
        return means[0] if self._columns.one_dimensional else means

    def predict(self, X: Array) -> np.ndarray:
        """Predict the classes of each task.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.

        Returns
        -------
        y : ndarray of shape (n_samples, n_columns), or (n_samples,) if y had one dimension
            The most probable classes; an array of objects if tasks have classes of different kinds.
        """
        found, classes = self.predict_proba(X), self.classes_
        if self._columns.one_dimensional:
            return classes[found.argmax(axis=1)]
        columns = [k[p.argmax(axis=1)] for k, p in zip(classes, found)]
        kinds = {"U" if column.dtype.kind == "U" else "number" for column in columns}
        return np.stack(columns if len(kinds) == 1 else [column.astype(object) for column in columns], axis=1)

    def score(self, X: Array, y: Array, sample_weight: MaybeArray = None) -> float:
        """Compute the mean of the accuracies of all tasks, each over the samples that are annotated in it.

        The accuracy of a label set is the mean of those of its labels.  Tasks in which no sample is annotated are left
        out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.
        y : array-like of shape (n_samples, n_columns) or (n_samples,)
            Their classes; None, NaN or a negative number where a sample is not annotated.  A class that was not seen
            in ``fit`` is never predicted.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the samples.

        Returns
        -------
        score : float in [0, 1]
        """
        accuracies = self.task_scores(X, y, sample_weight)
        annotated = ~np.isnan(accuracies)
        if not annotated.any():
            raise ValueError("y has no annotated sample: all its labels are negative, None or NaN.")
        return float(np.average(accuracies[annotated], weights=self._columns.shares()[annotated]))

    def task_scores(self, X: Array, y: Array, sample_weight: MaybeArray = None) -> np.ndarray:
        """Compute the accuracy of each task over the samples that are annotated in it.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `score`.

        Returns
        -------
        scores : ndarray of shape (n_columns,)
            In [0, 1]; NaN of columns in which no sample is annotated.
        """
        found = self.predict_proba(X)
        codes = self._columns.codes(columns_of(y)[0], "y", may_be_new=True)
        if len(codes) != len(found[0] if not self._columns.one_dimensional else found):
            raise ValueError(f"y has {len(codes)} rows, and X another number of them.")
        weights = check_weights(sample_weight, len(codes))
        weights = np.ones(len(codes)) if weights is None else weights
        scores = []
        for column, p in zip(codes.T, [found] if self._columns.one_dimensional else found):
            known = (column != UNKNOWN) * weights
            right = p.argmax(axis=1) == column
            scores.append(known @ right / known.sum() if known.any() else np.nan)
        return np.array(scores)
