"""The shell of learners of several tasks: targets with a column for each, and classifiers that predict them."""

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._arrays import count_rows
from metricnets._labels import UNKNOWN
from metricnets._params import Array, MaybeArray, MaybeList
from metricnets._tasks import read_tasks
from metricnets._weights import check_weights
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.embedding import embed
from metricnets.deep._training.on_labels import probabilities
from metricnets.deep._training.samples import check_validation, followed_by, sampler_of
from metricnets.deep._training.tasks import TaskBatches, maps_of_tasks


class TaskMetric(NetworkMetric):
    """Deep metric with a head for each of several tasks, which predicts its classes.

    Parameters
    ----------
    label_sets : list of lists of columns or None, default=None
        Columns of y, by name or number, that are the labels of one task.  They share its weight.

    Attributes
    ----------
    heads_ : list of torch.nn.Module
        For each network the trained classifiers of all tasks, on the CPU.
    classes_ : list of ndarray of shape (n_classes,), or one ndarray
        The classes of each column of y; of y itself if it has one dimension.
    target_names_ : list
        The names or numbers of the columns of y.
    """

    label_sets: MaybeList = None

    def _read(self, X, y, X_val, y_val):
        """Points and class codes, followed by those of the validation data, and the number of these."""
        is_given = check_validation(X_val, y_val, self.early_stopping, "X_val")
        if y is not None and count_rows(y, "y") != count_rows(X, "X"):
            raise ValueError(_inconsistent(count_rows(X, "X"), y))
        tasks, codes = (None, None) if y is None else read_tasks(y, self.label_sets)
        X, codes = self._validated(X, codes)
        self._columns, self.target_names_ = tasks, tasks.names
        self.classes_ = tasks.classes[0] if tasks.one_dimensional else tasks.classes
        if not is_given:
            return X, codes, 0
        codes_val = tasks.codes(y_val, "y_val")
        n_val = count_rows(y_val, "y_val")
        X = followed_by(X, self._validated_more(X_val, dtype=X.dtype), "X_val")
        return X, np.concatenate([codes, codes_val]), n_val

    def _check_tasks(self, codes, is_train, n_val):
        """Raise ValueError unless samples to train on are of two classes in each task, and some are to validate on."""
        for name, column, classes in zip(self._columns.names, codes[is_train].T, self._columns.classes):
            present = np.unique(column[column != UNKNOWN])
            if len(present) < min(2, len(classes)):
                found = f"one class only, {classes[present[0]]!s}" if len(present) else "no annotated samples"
                raise ValueError(f"y has {found} of positive weight in column {name!r}; a task needs two classes.")
        if n_val and is_train.all():
            raise ValueError("y_val has no annotated sample; leave X_val and y_val out to hold back a part of X.")

    def _whitening(self, X, standardize, targets, kept, seed):
        codes, groups, options = targets.labels.numpy(), self._columns.group, (self.n_components, self.normalize, seed)
        return maps_of_tasks(X, standardize, codes, groups, targets.weights, kept, *options)

    def _make_batches(self, part, rng):
        annotated = part.targets.labels.numpy() != UNKNOWN
        return sampler_of(lambda rows: TaskBatches(annotated[rows], self.batch_size, rng), part, rng)

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
        means = self._combined([sum(each) / len(each) for each in zip(*found)])
        return means[0] if self._columns.one_dimensional else means

    def _combined(self, probabilities):
        """Hook: what tasks predict, in view of the others."""
        return probabilities

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

        The accuracy of a label set is the mean of those of its labels.  Tasks without annotated samples are left out.

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
        check_is_fitted(self)
        codes = self._columns.codes(y, "y", may_be_new=True)
        if len(codes) != count_rows(X, "X"):
            raise ValueError(f"y has {len(codes)} rows, and X has {count_rows(X, 'X')}; give a row for each sample.")
        weights = check_weights(sample_weight, len(codes))
        found, scores = self.predict_proba(X), []
        for column, p in zip(codes.T, [found] if self._columns.one_dimensional else found):
            known = (column != UNKNOWN) * (1.0 if weights is None else weights)
            right = p.argmax(axis=1) == column
            scores.append(known @ right / known.sum() if known.any() else np.nan)
        return np.array(scores)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def _inconsistent(n, y):
    """The message for a y that does not have n rows."""
    found = f"Found input variables with inconsistent numbers of samples: {n} in X and {count_rows(y, 'y')} in y"
    if isinstance(y, list | tuple) and len(y) and all(np.size(each) == n for each in y):
        return f"{found}, a list of columns; give numpy.column_stack(y), which has a column for each task."
    return f"{found}, which has a row for each sample and a column for each task."
