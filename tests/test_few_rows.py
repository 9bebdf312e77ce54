"""Few rows for many features: the methods that invert a covariance shrink it, or say what to do."""

import re
import warnings

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS
from sklearn.neighbors import KNeighborsClassifier

from metricnets._initialization import initial_components

WARNING = re.compile("degrees of freedom|has rank")
CLOSED = {
    "Covariance": {},
    "LDA": {},
    "LFDA": {},
    "RCA": {},
    "RCA_Supervised": {"random_state": 0},
    "ITML_Supervised": {"prior": "covariance", "random_state": 0},
    "LSML_Supervised": {"prior": "covariance", "random_state": 0},
    "SDML_Supervised": {"prior": "covariance", "random_state": 0},
    "GMML_Supervised": {"prior": "covariance", "random_state": 0},
    "MMC_Supervised": {"init": "covariance", "random_state": 0},
}


def gaussians(n, d, n_classes=5, seed=0):
    """Training and test rows of classes that share a covariance, none of which is round."""
    rng = np.random.default_rng(seed)
    y, scales = np.arange(n) % n_classes, np.geomspace(0.3, 3, d)
    centers = rng.normal(size=(n_classes, d)) * scales * 4 / np.sqrt(d)
    return *(centers[y] + rng.normal(size=(n, d)) * scales for _ in range(2)), y


def accuracy(embed, X, X_test, y):
    return KNeighborsClassifier(1).fit(embed(X), y).score(embed(X_test), y)


@pytest.mark.parametrize("name", CLOSED)
def test_a_warning_where_rows_are_few_and_none_where_they_are_many(name):
    learner = ESTIMATORS[name](**CLOSED[name])
    for n, is_expected in ((22, True), (100, False)):
        X, _, y = gaussians(n, 15)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            learner.fit(X, y)
        assert any(WARNING.search(str(warning.message)) for warning in caught) == is_expected


def test_all_that_start_from_a_covariance_are_tested():
    takes = {
        name
        for name in METRICS
        if name.endswith("_Supervised")
        and any("covariance" in str(ESTIMATORS[name]._parameter_constraints.get(key)) for key in ("prior", "init"))
    }
    assert takes <= set(CLOSED)


@pytest.mark.parametrize("n", [35, 40, 45, 50, 60, 80])
def test_shrinkage_as_the_warning_says_is_better_than_none(n):
    X, X_test, y = gaussians(n, 40)
    with pytest.warns(UserWarning, match="solver='eigen' with shrinkage='auto'"):
        bare = ESTIMATORS["LDA"]().fit(X, y)
    shrunk = ESTIMATORS["LDA"](solver="eigen", shrinkage="auto").fit(X, y)
    assert accuracy(shrunk.transform, X, X_test, y) >= accuracy(bare.transform, X, X_test, y)
    assert accuracy(shrunk.transform, X, X_test, y) > accuracy(lambda Z: Z, X, X_test, y)


@pytest.mark.parametrize("n", [35, 40, 45, 50, 60, 80, 85, 200])
def test_discriminants_are_a_good_start_for_any_number_of_rows(n):
    X, X_test, y = gaussians(n, 40)
    L = initial_components("lda", 4, X, y, np.random.RandomState(0))
    assert accuracy(lambda Z: Z @ L.T, X, X_test, y) > accuracy(lambda Z: Z, X, X_test, y)
