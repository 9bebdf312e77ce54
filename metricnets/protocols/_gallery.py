"""Gallery and probe: retrieval of persons who were not trained on."""

import time

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from metricnets.base import MetricMixin
from metricnets.metrics._ranks import check_metric
from metricnets.metrics._retrieval import check_k, retrieval_scores
from metricnets.protocols._common import checked, fitted_embedding, list_of_pairs, rows_of, table, times


def gallery_probe(estimator, X, y, is_probe, splits, *, k=(1, 5, 10, 20), metric="euclidean", n_jobs=None, verbose=0):
    """Retrieval of persons who were not trained on, over given splits, as for VIPeR.

    For each split the estimator is fitted to all rows of the persons in its training part; then each
    probe of a person in the test part looks for that person in the gallery of the test part.

    Parameters
    ----------
    estimator : estimator, callable or None
        With ``fit(X, y)`` and ``transform``; or a function of points; None, for the points as they are.
    X : array-like of shape (n, ...), frame, or sparse matrix that the estimator makes dense
    y : array-like of shape (n,)
        The person, or class, of each row.
    is_probe : array-like of bool of shape (n,)
        Whether a row is a probe, from the one camera, or of the gallery, from the other.
    splits : iterable of (training persons, test persons)
        Values of y; no person is in both parts of a split.
    k : int or array-like of int, default=(1, 5, 10, 20)
        The ranks at which the recognition rate is wanted.
    metric : {'euclidean', 'cosine'}, default='euclidean'
    n_jobs : int or None, default=None
    verbose : int, default=0

    Returns
    -------
    results : dict of ndarray
        ``test_cmc``, rates of shape (n_splits, n_k); ``test_mean_average_precision``, ``n_queries``, the number
        of probes whose person is in the gallery, the only ones that count, ``fit_time`` and ``score_time`` of
        shape (n_splits,).

    Raises
    ------
    ValueError
        If the shapes do not fit, the parts of a split overlap, or a part has no rows.

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
        raise ValueError(f"is_probe should be true or false for each row; it holds {np.unique(is_probe)[:5].tolist()}.")
    is_probe = is_probe.astype(bool)
    parts = list(_parts(splits, y, is_probe, isinstance(estimator, MetricMixin)))
    jobs = (delayed(_judge_split)(estimator, X, y, is_probe, *part, k, metric) for part in parts)
    return table(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def _parts(splits, y, is_probe, learns):
    """Masks of the training and of the test rows of each split, as soon as they are seen to have what is needed."""
    for i, split in enumerate(list_of_pairs(splits, "splits", "(training persons, test persons)")):
        if not all(np.iterable(persons) and not isinstance(persons, str) for persons in split):
            raise ValueError(f"splits[{i}] should hold two lists of persons; got {split!r:.80}.")
        train, test = (np.isin(y, list(persons)) for persons in split)
        if (train & test).any():
            raise ValueError(f"splits[{i}] has persons in both parts, such as {y[train & test][0]}.")
        if learns and not train.any():
            raise ValueError(f"splits[{i}] has no training person who is in y, and estimator is to be fitted.")
        for what, there in (("probe", test & is_probe), ("row of the gallery", test & ~is_probe)):
            if not there.any():
                raise ValueError(
                    f"splits[{i}] has no {what} among the {test.sum()} rows of its test persons; these should be "
                    "values of y, and is_probe true for their probes and false for their gallery."
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
