"""Label sets over a published split."""

import time

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.validation import check_X_y

from metricnets.metrics._multilabel import multilabel_scores
from metricnets.metrics._scorers import probabilities
from metricnets.tuples import FLOATS


def multilabel_split(estimator, X, Y, train, test, *, scaling=None):
    """Label sets over a published split: fit to the training rows, all five scores on the test rows.

    Parameters
    ----------
    estimator : estimator
        With ``fit(X, Y)`` and ``predict_proba``.
    X : array-like of shape (n, n_features)
    Y : array-like of shape (n, n_labels)
        0 and 1.
    train, test : array-like of int, or of bool
        The rows of the two parts, without one in common.
    scaling : {None, 'train', 'each'}, default=None
        Whether columns are scaled to [0, 1]: by least and greatest value of the training rows; or each
        part by its own.  The latter is how tables of papers were made; it looks at the test part,
        and serves to compare with them and for nothing else.

    Returns
    -------
    scores : dict of float
        Those of :func:`metricnets.metrics.multilabel_scores`, and ``fit_time`` in seconds.

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
        raise ValueError(f"estimator={estimator!r} should have predict_proba, which ranks the labels.")
    X, Y = check_X_y(X, Y.toarray() if issparse(Y) else Y, dtype=FLOATS, multi_output=True)
    if Y.ndim != 2 or not np.isin(Y, (0, 1)).all():
        raise ValueError("Y should be a table of 0 and 1, a column for each label.")
    rows = np.arange(len(X))
    train, test = (rows[np.asarray(part, dtype=None if len(part) else int)] for part in (train, test))
    if not (len(train) and len(test)):
        raise ValueError(f"train has {len(train)} rows and test {len(test)}; both need some.")
    if np.intersect1d(train, test).size:
        raise ValueError(f"train and test both have row {np.intersect1d(train, test)[0]}.")
    seen, unseen = scaled(X[train], X[test], scaling)
    begin = time.perf_counter()
    model = clone(estimator).fit(seen, Y[train])
    fit_time = time.perf_counter() - begin
    return multilabel_scores(Y[test], probabilities(model, unseen)) | {"fit_time": fit_time}


def scaled(seen, unseen, scaling):
    """Training and test rows, their columns scaled to [0, 1] as `multilabel_split` says."""
    if scaling is None:
        return seen, unseen
    scaler = MinMaxScaler().fit(seen)
    return scaler.transform(seen), (scaler if scaling == "train" else MinMaxScaler().fit(unseen)).transform(unseen)
