"""Evaluation of label sets over a given split."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import check_consistent_length

from metricnets._arrays import checked_array
from metricnets._params import Points, check_instance
from metricnets.metrics._multilabel import multilabel_scores
from metricnets.metrics._scorers import probabilities
from metricnets.protocols._common import points, row_numbers, rows_of


def multilabel_split(
    estimator: BaseEstimator,
    X: Points,
    Y: Points,
    train: ArrayLike,
    test: ArrayLike,
    *,
    scaling: str | None = None,
) -> dict[str, float]:
    """Evaluate the prediction of label sets over a given split.

    The estimator is fitted to the training samples, and all scores of label sets are computed on the test samples.

    Parameters
    ----------
    estimator : estimator
        Classifier of label sets, with ``fit(X, Y)`` and ``predict_proba``.
    X : array-like of shape (n_samples, n_features), data frame or sparse matrix
        Samples of both parts.
    Y : array-like or sparse matrix of shape (n_samples, n_labels)
        Label sets, with entries 0 and 1; at least two labels.
    train, test : array-like of int, or of bool
        Row numbers, or masks, of the two parts, which should be disjoint.
    scaling : {None, 'train', 'each'}, default=None
        How features are scaled to [0, 1]: not at all; by the smallest and largest values in the training part; or
        each part by its own values.  'each' uses the test part, and should only serve to compare with published
        results that were computed so.

    Returns
    -------
    scores : dict of float
        The scores of :func:`metricnets.metrics.multilabel_scores`, and ``fit_time`` in seconds.

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts overlap, or ``scaling`` is unknown.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from metricnets.protocols import multilabel_split
    >>> X, Y = [[0.0], [1.0], [0.1], [0.7]], [[0, 1], [1, 0], [0, 1], [1, 0]]
    >>> multilabel_split(KNeighborsClassifier(1), X, Y, [0, 1], [2, 3])["one_error"]
    0.0
    """
    if scaling not in (None, "train", "each"):
        raise ValueError(f"scaling={scaling!r} is unknown; use None, 'train' or 'each'.")
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(f"estimator={estimator!r} should have predict_proba, by which labels are ranked.")
    check_instance(estimator, "estimator")
    X, Y = points(X, estimator), checked_array(Y, "Y", ensure_2d=False, dtype=float)
    if Y.ndim != 2 or Y.shape[1] < 2 or not np.isin(Y, (0, 1)).all():
        raise ValueError(
            f"Y should hold 0 and 1, with a column for each of at least two labels; got shape {Y.shape} with values "
            f"such as {np.unique(Y)[:3].tolist()}."
        )
    check_consistent_length(X, Y)
    Y = Y.astype(int)
    train, test = (row_numbers(part, name, len(Y)) for part, name in ((train, "train"), (test, "test")))
    if np.intersect1d(train, test).size:
        raise ValueError(
            f"train and test both have row {np.intersect1d(train, test)[0]}; they should be disjoint, and a mask "
            "should be of bool."
        )
    seen, unseen = scaled(rows_of(X, train), rows_of(X, test), scaling)
    begin = time.perf_counter()
    model = clone(estimator).fit(seen, Y[train])
    fit_time = time.perf_counter() - begin
    return multilabel_scores(Y[test], probabilities(model, unseen)) | {"fit_time": fit_time}


def scaled(seen: Any, unseen: Any, scaling: str | None) -> tuple[Any, Any]:
    """Scale the features of training and test samples to [0, 1]; see ``scaling`` of `multilabel_split`."""
    if scaling is None:
        return seen, unseen
    if issparse(seen):
        raise ValueError(f"scaling={scaling!r} makes sparse columns dense; give a dense X, or scaling=None.")
    scaler = MinMaxScaler().set_output(transform="pandas" if hasattr(seen, "iloc") else "default").fit(seen)
    return scaler.transform(seen), (scaler if scaling == "train" else clone(scaler).fit(unseen)).transform(unseen)
