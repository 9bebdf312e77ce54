"""Same seed, same bits: with one job and with two, with one thread and with two."""

import warnings

import numpy as np
import pytest
import torch
from discovery import METRICS, TUPLE_LEARNERS, quick, training_data
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline


def embeddings(name, n_jobs):
    """Of two folds of the digits, so that products are large enough to be shared among threads."""
    if name in TUPLE_LEARNERS:
        (X, y), model = training_data(name), quick(name)
        points = X[:, 0]
    else:
        X, y = load_digits(return_X_y=True)
        X, y = X[:600], y[:600]
        X = points = X[:, X.std(axis=0) > 2]
        model = make_pipeline(quick(name), KNeighborsClassifier(1))
    found = cross_validate(model, X, y, cv=2, n_jobs=n_jobs, return_estimator=True)
    learners = [model if name in TUPLE_LEARNERS else model[0] for model in found["estimator"]]
    return np.hstack([learner.transform(points) for learner in learners]), found["test_score"]


@pytest.mark.filterwarnings("ignore:the .* has .* degrees of freedom")
@pytest.mark.parametrize("name", METRICS)
def test_same_bits_whatever_the_number_of_jobs_and_threads(name):
    embedded, scores = embeddings(name, n_jobs=1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        in_two_threads, _ = embeddings(name, n_jobs=1)
    finally:
        torch.set_num_threads(before)
    in_two_jobs, scores_of_two = embeddings(name, n_jobs=2)
    np.testing.assert_array_equal(embedded, in_two_threads)
    np.testing.assert_array_equal(embedded, in_two_jobs)
    np.testing.assert_array_equal(scores, scores_of_two)


@pytest.mark.parametrize("name", ["DoubletSVM_Supervised", "SCML_Supervised", "DTML"])
def test_fits_in_threads_leave_the_filters_of_warnings(name):
    fits = (delayed(quick(name).fit)(*training_data(name)) for _ in range(8))
    Parallel(n_jobs=4, prefer="threads")(fits)
    assert ConvergenceWarning not in [category for _, _, category, *_ in warnings.filters]
