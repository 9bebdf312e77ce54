"""Negative transfer: tasks that are learned together, compared with models of one task each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import Parallel, delayed

from metricnets._arrays import count_rows
from metricnets._checks import check_count
from metricnets._labels import UNKNOWN
from metricnets._params import check_instance
from metricnets._tasks import Tasks, columns_of, read_tasks
from metricnets.protocols._common import points, rows_of


def negative_transfer(
    estimator: BaseEstimator,
    X: Any,
    y: ArrayLike,
    *,
    X_test: Any = None,
    y_test: ArrayLike | None = None,
    cv: int = 3,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> dict[str, np.ndarray]:
    """Compare each task of a multi-task learner with the same learner of that task alone.

    The single-task model of a task is a clone that is fitted to the samples annotated in it.  A task suffers from
    negative transfer if its accuracy is lower with the others than without.  ``pandas.DataFrame(results)`` is the
    table.

    Parameters
    ----------
    estimator : estimator
        A learner of several tasks, such as :class:`metricnets.MultiTaskNet`, or a pipeline that ends with one: its
        ``predict`` returns a column for each task.
    X : array-like of shape (n_samples, ...) or data frame
        Samples.
    y : array-like of shape (n_samples, n_columns)
        Their classes in each task; None, NaN or a negative number where a sample is not annotated.
    X_test, y_test : array-like or None, default=None
        Samples to judge by, as X and y; None judges by cross-validation.
    cv : int >= 2, default=3
        Number of folds.
    random_state : int or None, default=0
        Seed of the folds.
    n_jobs : int or None, default=None
        Number of parallel jobs, as in scikit-learn.

    Returns
    -------
    results : dict of ndarray of shape (n_columns,)
        ``task``, its name; ``n_samples``, how many are annotated in it; ``multi_task`` and ``single_task``, accuracies
        on the same samples; ``difference``, the first minus the second; ``standard_error``, that of the difference,
        over samples.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a task is not annotated in two classes in each fold.

    Examples
    --------
    >>> from metricnets import MultiTaskNet
    >>> from metricnets.datasets import make_tasks
    >>> from metricnets.protocols import negative_transfer
    >>> X, Y = make_tasks(random_state=0)
    >>> results = negative_transfer(MultiTaskNet(max_epochs=2, random_state=0), X, Y)
    >>> sorted(results)
    ['difference', 'multi_task', 'n_samples', 'single_task', 'standard_error', 'task']
    """
    check_instance(estimator, "estimator")
    params = estimator.get_params()
    label_sets = next((params[name] for name in params if name.split("__")[-1] == "label_sets"), None)
    X, Y, (tasks, codes) = points(X, estimator), table_of(y, "y"), read_tasks(y, label_sets)
    if len(codes) != count_rows(X, "X"):
        raise ValueError(f"y has {len(codes)} rows, and X {count_rows(X, 'X')}; give a row for each sample.")
    if (X_test is None) != (y_test is None):
        raise ValueError("give both X_test and y_test, or neither.")
    if X_test is None:
        check_count(cv=cv)
        if not 2 <= cv <= len(codes):
            raise ValueError(f"cv={cv} should be at least 2, and at most the number of rows, {len(codes)}.")
        fold = folds(codes, cv, np.random.default_rng(random_state))
        parts = [(fold != f, fold == f) for f in range(cv)]
        jobs = [(rows_of(X, a), rows_of(Y, a), codes[a], rows_of(X, b), codes[b]) for a, b in parts]
    else:
        jobs = [(X, Y, codes, points(X_test, estimator), tasks.codes(y_test, "y_test", True))]
    found = Parallel(n_jobs=n_jobs)(delayed(judged)(estimator, tasks, *job) for job in jobs)
    right = [np.concatenate(each) for each in zip(*found)]  # multi-task, single-task: (n, n_columns), NaN if unknown
    return _results(tasks, codes, *right)


def folds(codes: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Number the folds of samples; those of the same annotated classes are dealt to all folds."""
    kind = np.unique(codes, axis=0, return_inverse=True)[1].ravel()
    order = rng.permutation(len(codes))
    fold = np.empty(len(codes), int)
    fold[order[np.argsort(kind[order], kind="stable")]] = np.arange(len(codes)) % n_folds
    return fold


def table_of(y: Any, name: str) -> Any:
    """Targets as a data frame, if they are one, or else as an array with a column for each task."""
    return y if hasattr(y, "iloc") and hasattr(y, "columns") else np.stack(columns_of(y, name)[0], axis=1)


def judged(
    estimator: Any, tasks: Tasks, X: Any, Y: Any, codes: np.ndarray, X_test: Any, codes_test: np.ndarray
) -> list:
    """Whether the predictions of both kinds of models are right, (n_test, n_columns) each; NaN if not annotated."""
    multi = clone(estimator).fit(X, Y).predict(X_test)
    single = np.empty(codes_test.shape, dtype=object)
    for group in np.unique(tasks.group):
        columns = np.flatnonzero(tasks.group == group)
        some = (codes[:, columns] != UNKNOWN).any(axis=1)
        part = rows_of(Y, some)
        part = part.iloc[:, columns] if hasattr(Y, "iloc") else part[:, columns]
        model = of_one_task(estimator, columns_of(part)[1]).fit(rows_of(X, some), part)
        single[:, columns] = model.predict(X_test)
    found = [tasks.codes(predicted, "y") for predicted in (multi, single)]
    return [np.where(codes_test == UNKNOWN, np.nan, codes == codes_test) for codes in found]


def of_one_task(estimator: Any, columns: list) -> Any:
    """A clone for one task, a label set if there are several columns."""
    values = {"label_sets": [columns] if len(columns) > 1 else None, "relatedness": None}
    names = [name for name in estimator.get_params() if name.split("__")[-1] in values]
    return clone(estimator).set_params(**{name: values[name.split("__")[-1]] for name in names})


def _results(tasks, codes, multi, single):
    n = (~np.isnan(multi)).sum(axis=0)
    difference = multi - single
    spread = np.array([np.nanstd(column) if count else np.nan for column, count in zip(difference.T, n)])
    means = [np.where(n, np.nansum(found, axis=0) / np.maximum(n, 1), np.nan) for found in (multi, single)]
    return {
        "task": np.array(tasks.names),
        "n_samples": (codes != UNKNOWN).sum(axis=0),
        "multi_task": means[0],
        "single_task": means[1],
        "difference": means[0] - means[1],
        "standard_error": spread / np.sqrt(np.maximum(n, 1)),
    }
