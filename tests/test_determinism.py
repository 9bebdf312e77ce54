"""Same seed, same bits: in this process with all its threads, and in two others with one each."""

import joblib
import numpy as np
import torch
from discovery import METRICS, quick, training_data
from sklearn.datasets import load_digits

from metricnets.base import PairsMixin


def embedding(name):
    """Of the digits, so that products are large enough to be shared among threads."""
    learner = quick(name)
    if isinstance(learner, PairsMixin):
        return learner.fit(*training_data(name)).transform(training_data(name)[0][:, 0])
    X, y = load_digits(return_X_y=True)
    return learner.fit(X[:, X.std(axis=0) > 1], y).transform(X[:, X.std(axis=0) > 1])


def test_same_bits_whatever_the_number_of_jobs_and_threads():
    here = [embedding(name) for name in METRICS]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        in_two_threads = [embedding(name) for name in METRICS]
    finally:
        torch.set_num_threads(before)
    elsewhere = joblib.Parallel(n_jobs=2)(joblib.delayed(embedding)(name) for name in METRICS)
    for name, a, b, c in zip(METRICS, here, in_two_threads, elsewhere):
        np.testing.assert_array_equal(a, b, err_msg=name)
        np.testing.assert_array_equal(a, c, err_msg=name)
