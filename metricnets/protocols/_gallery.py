"""Gallery and probe: retrieval of persons who are not in the training part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.parallel import Parallel, delayed

from metricnets._params import Points
from metricnets.base import MetricMixin
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._retrieval import check_k, retrieval_scores
from metricnets.protocols._common import checked, fitted_embedding, list_of_pairs, rows_of, table, times


def gallery_probe(
    estimator: BaseEstimator | Callable | None,
    X: Points,
    y: ArrayLike,
    is_probe: ArrayLike,
    splits: Iterable[tuple[Iterable, Iterable]],
    *,
    k: ArrayLike = (1, 5, 10, 20),
    metric: str = "euclidean",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, np.ndarray]:
    """Evaluate retrieval of persons who are not in the training part, over given splits, as for VIPeR.

    For each split, the estimator is fitted to all samples of the training persons.  Then each probe of a test
    person is a query in the gallery of the test persons.

    Parameters
    ----------
    estimator : estimator, callable or None
        An estimator with ``fit(X, y)`` and ``transform``, or a function from points to embeddings.  None means that
        the points themselves are the embeddings.
    X : array-like of shape (n_samples, ...), data frame, or sparse matrix that the estimator makes dense
        Samples of all persons.
    y : array-like of shape (n_samples,)
        The person, or class, of each sample.
    is_probe : array-like of bool of shape (n_samples,)
        True for probes, such as images of one camera; False for the gallery, such as images of the other camera.
    splits : iterable of (training persons, test persons)
        Two lists of values of y for each split, without a person in both.
    k : int or array-like of int, default=(1, 5, 10, 20)
        Ranks at which the recognition rate is computed.
    metric : {'euclidean', 'cosine'}, default='euclidean'
        Whether the gallery is sorted by Euclidean distance or by cosine similarity.
    n_jobs : int or None, default=None
        Number of parallel jobs, as in scikit-learn.
    verbose : int, default=0
        Verbosity of joblib.

    Returns
    -------
    results : dict of ndarray
        - ``test_cmc``, of shape (n_splits, n_k): recognition rates at the ranks ``k``;
        - ``test_mean_average_precision``, of shape (n_splits,);
        - ``n_queries``, of shape (n_splits,): number of probes whose person is in the gallery; other probes are left
          out;
        - ``fit_time`` and ``score_time``, of shape (n_splits,), in seconds.

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts of a split overlap, or a part is empty.

    Examples
    --------
    >>> from metricnets.protocols import gallery_probe
    >>> X, y, is_probe = [[0.0], [1.0], [0.1], [2.0]], [5, 6, 5, 6], [True, True, False, False]
    >>> gallery_probe(None, X, y, is_probe, [([], [5, 6])], k=[1, 2])["test_cmc"]
    array([[0.5, 1. ]])
    """
    check_metric(metric)
    k, (X, y, is_probe) = check_k(k), checked(estimator, X, y=y, is_probe=is_probe)
    if not np.isin(is_probe, (0, 1)).all():
        raise ValueError(f"is_probe should be True or False for each row; it holds {np.unique(is_probe)[:5].tolist()}.")
    is_probe = is_probe.astype(bool)
    parts = list(_parts(splits, y, is_probe, isinstance(estimator, MetricMixin)))
    jobs = (delayed(_judge_split)(estimator, X, y, is_probe, *part, k, metric) for part in parts)
    return table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def _parts(splits, y, is_probe, learns):
    """Validate each split, and yield masks of its training and test rows."""
    for i, split in enumerate(list_of_pairs(splits, "splits", "(training persons, test persons)")):
        if not all(np.iterable(persons) and not isinstance(persons, str) for persons in split):
            raise ValueError(f"splits[{i}] should hold two lists of persons; got {split!r:.80}.")
        train, test = (np.isin(y, list(persons)) for persons in split)
        if (train & test).any():
            raise ValueError(f"splits[{i}] has persons in both parts, such as {y[train & test][0]}.")
        if learns and not train.any():
            raise ValueError(f"splits[{i}] has no training person who is in y; estimator needs some to be fitted.")
        for what, there in (("probe", test & is_probe), ("sample of the gallery", test & ~is_probe)):
            if not there.any():
                raise ValueError(
                    f"splits[{i}] has no {what} among the {test.sum()} rows of its test persons; these should be "
                    "values of y, and is_probe True for their probes and False for their gallery."
                )
        yield train, test


def _judge_split(estimator, X, y, is_probe, train, test, k, metric):
    begin = time.perf_counter()
    embed = fitted_embedding(estimator, rows_of(X, train), y[train])
    fitted = time.perf_counter()
    probe, gallery = test & is_probe, test & ~is_probe
    z, z_gallery = (embed(rows_of(X, part)) for part in (probe, gallery))
    scores = retrieval_scores(z, y[probe], z_gallery, y[gallery], k=k, metric=metric)
    names = ("cmc", "mean_average_precision")
    found = {f"test_{name}": scores[name] for name in names} | {"n_queries": scores["n_queries"]}
    return found | times(begin, fitted)
