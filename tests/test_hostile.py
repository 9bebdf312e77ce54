"""Random hostile data: every linear learner gives a finite metric, or says what is wrong with the data.

``METRICNETS_CASES=1000 pytest tests/test_hostile.py`` draws so many for each learner, instead of 12.
"""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, ONLINE_VIEWS, PAIR_LEARNERS, REGRESSION
from numpy.linalg import LinAlgError

import metricnets
from metricnets.tuple_learners import QuadrupletsMixin, TripletsMixin

N_CASES = int(os.environ.get("METRICNETS_CASES", 12))
OWN = str(Path(metricnets.__file__).parent)
LINEAR = [name for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.linear")]


# Each takes X and a generator, and spoils X.
def duplicate_rows(X, rng):
    return X[rng.integers(max(1, len(X) // 3), size=len(X))]


def constant_columns(X, rng):
    return np.where(rng.random(X.shape[1]) < 0.5, 3.7, X)


def collinear_columns(X, rng):
    return X[:, rng.integers(X.shape[1], size=X.shape[1])] * rng.choice([1, -2, 0.5], size=X.shape[1])


def fewer_rows_than_columns(X, rng):
    return np.hstack([X] + [rng.normal(size=X.shape)] * 4)[:6]


def another_scale(X, rng):
    return X * 10 ** rng.uniform(-8, 8)


def mixed_scales(X, rng):
    return X * 10 ** rng.uniform(-6, 6, size=X.shape[1])


def far_from_the_origin(X, rng):
    return X + 10 ** rng.uniform(2, 7)


def whole_numbers(X, rng):
    return X.round()


def an_outlier(X, rng):
    return np.vstack([X[1:], X[:1] * 1e6])


def all_rows_equal(X, rng):
    return X * 0 + X[0]


def one_column(X, rng):
    return X[:, :1]


def two_rows(X, rng):
    return X[:2]


def single_precision(X, rng):
    return X.astype(np.float32)


SPOILS = [spoil for spoil in list(globals().values()) if getattr(spoil, "__module__", None) == __name__]


def hostile_points(rng):
    """Points, their class codes, and how they were spoilt."""
    n, d, n_classes = rng.integers(2, 40), rng.integers(1, 9), rng.integers(1, 6)
    y = rng.integers(n_classes, size=n) if rng.random() < 0.8 else np.arange(n)  # one sample a class
    X = rng.normal(size=(n, d)) + y[:, None] * rng.choice([0, 0.5, 10])
    chosen = rng.choice(SPOILS, size=rng.integers(1, 4), replace=False, p=WEIGHTS)
    for spoil in chosen:
        X = spoil(X, rng)
    return X, y[: len(X)], [spoil.__name__ for spoil in chosen]


WEIGHTS = np.where([spoil in (all_rows_equal, two_rows) for spoil in SPOILS], 0.3, 1.0)
WEIGHTS /= WEIGHTS.sum()


def arguments(name, X, y, rng):
    """What the learner is fitted to, made of points and classes."""
    if name in PAIR_LEARNERS:
        rows = rng.integers(len(X), size=(rng.integers(1, 50), 2))
        return X[rows], np.where(y[rows[:, 0]] == y[rows[:, 1]], 1, -1)
    for mixin, size in ((TripletsMixin, 3), (QuadrupletsMixin, 4)):
        if issubclass(ESTIMATORS[name], mixin):
            return X[rng.integers(len(X), size=(rng.integers(1, 50), size))], None
    return X, y * 1.0 if name in REGRESSION else y


# All that may be wrong with such data: no dissimilar samples, or no similar ones.
ALLOWED = re.compile(
    "gives no (similar|dissimilar) pairs|gives no triplets|or 1 and 0, both of them|one class only|"
    "no class has two|there is nothing to align with|no chunk has two|chunk_size=2 is more than any class has|"
    "no dissimilar pair|needs a column for each view"
)


def came_from_us(error):
    """Whether the error was raised in the package."""
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename.startswith(OWN)


@pytest.mark.parametrize("seed", range(0, N_CASES, 4), ids=lambda seed: f"cases {seed} to {seed + 3}")
@pytest.mark.parametrize("name", LINEAR)
def test_hostile_data_give_a_finite_metric_or_a_clear_error(name, seed):
    for case in range(seed, seed + 4):
        rng = np.random.default_rng([case, *name.encode()])
        X, y, how = hostile_points(rng)
        learner = ESTIMATORS[name](n_components=rng.choice([None, 1]))
        if "random_state" in learner.get_params():
            learner.set_params(random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # ConvergenceWarning is one
            try:
                learner.fit(*arguments(name, X, y, rng))
            except ValueError as error:
                if isinstance(error, LinAlgError) or not came_from_us(error) or not ALLOWED.search(str(error)):
                    raise AssertionError((case, how)) from error
                continue
        z = learner.transform(X)
        assert z.dtype == X.dtype, (case, how)
        assert np.isfinite(z).all(), (case, how)
        if name in ONLINE_VIEWS:
            continue
        M = learner.get_mahalanobis_matrix()
        assert learner.components_.dtype == X.dtype, (case, how)
        assert np.isfinite(M).all(), (case, how)
        assert len(learner.components_) == (learner.n_components or X.shape[1]) or name == "LDA", (case, how)
