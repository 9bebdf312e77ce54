"""Random hostile data and parameters: every deep learner gives a finite metric, or says what is wrong.

``METRICNETS_CASES=1000 pytest tests/deep/test_hostile_deep.py`` draws so many for each learner, instead of 12.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from deep_learners import BUILT_IN, Linear
from discovery import ESTIMATORS, PAIR_LEARNERS, TUPLE_LEARNERS
from numpy.linalg import LinAlgError

import metricnets
from metricnets import losses

N_CASES = int(os.environ.get("METRICNETS_CASES", 12))
OWN = str(Path(metricnets.__file__).parent)


def one_of(rng, *values):
    return values[rng.integers(len(values))]


# --- data


def spoilt(X, rng):
    """Points, worse than they were, and how."""
    spoils = {
        "duplicate rows": lambda: X[rng.integers(max(1, len(X) // 3), size=len(X))],
        "constant columns": lambda: np.where(rng.random(X.shape[1]) < 0.5, 3.7, X),
        "collinear": lambda: X[:, rng.integers(X.shape[1], size=X.shape[1])],
        "another scale": lambda: X * 10.0 ** rng.integers(-320, 308),
        "mixed scales": lambda: X * 10.0 ** rng.integers(-30, 30, size=X.shape[1]),
        "far away": lambda: X + 2.0 ** rng.integers(0, 60),
        "whole numbers": lambda: X.round(),
        "an outlier": lambda: np.vstack([X[1:], X[:1] * 1e6]),
        "all equal": lambda: X * 0 + X[0],
        "zeros": lambda: X * 0,
        "one column": lambda: X[:, :1],
        "more columns": lambda: np.hstack([X] + [rng.normal(size=X.shape)] * 9),
        "two rows": lambda: X[:2],
    }
    how = one_of(rng, *spoils)
    with np.errstate(over="ignore"):
        return spoils[how](), how


def of_some_dtype(X, rng):
    """Points of another dtype, or as a list."""
    kind = one_of(rng, *["float64"] * 3, "float32", "int64", "bool", "object", "float16", "uint8", "list")
    with np.errstate(all="ignore"):
        if kind == "list":
            return X.tolist(), kind
        wide = X.astype(kind) if kind in ("float32", "float16") else X
        if not np.isfinite(wide.astype(float)).all() or np.abs(X).max() > 1e6:
            return X, "float64"
        return X.astype(kind), kind


def targets(rng, n):
    """Classes of many kinds, label sets, distributions, real values."""
    n_classes = rng.integers(1, 6)
    codes = rng.integers(n_classes, size=n) if rng.random() < 0.8 else np.arange(n)
    kinds = {
        "codes": lambda: codes,
        "strings": lambda: np.array([f"c{code}" for code in codes]),
        "objects": lambda: np.array([f"c{code}" for code in codes], dtype=object),
        "negative": lambda: codes - 2,
        "bool": lambda: codes > 0,
        "floats": lambda: codes * 1.0,
        "real": lambda: rng.normal(size=n) * 10.0 ** rng.integers(-8, 8),
        "sets": lambda: rng.integers(2, size=(n, 3)),
        "distributions": lambda: rng.dirichlet(np.ones(3), size=n),
        "rows": lambda: rng.normal(size=(n, 2)),
        "column": lambda: codes[:, None],
        "list": lambda: codes.tolist(),
    }
    kind = one_of(rng, "codes", "codes", "codes", "codes", *kinds)
    return kinds[kind](), kind


ARGUMENT = {2: "pairs", 3: "triplets", 4: "quadruplets"}  # of ``fit``, by the size of tuples


def arguments(name, rng):
    n, d = rng.integers(2, 40), rng.integers(1, 9)
    X, how = rng.normal(size=(n, d)) * rng.choice([1, 10]), []
    for _ in range(rng.integers(0, 3)):
        X, spoil = spoilt(X, rng)
        how.append(spoil)
    if name in TUPLE_LEARNERS:
        rows = rng.integers(len(X), size=(rng.integers(1, 60), ESTIMATORS[name]._tuple_size))
        X, kind = of_some_dtype(X, rng)
        tuples, labels = np.asarray(X)[rows], rng.choice([-1, 1], size=len(rows))
        return {ARGUMENT[rows.shape[1]]: tuples, "y": labels if name in PAIR_LEARNERS else None}, [*how, kind]
    y, of_y = targets(rng, len(X))
    X, kind = of_some_dtype(X, rng)
    given = {"X": X, "y": y}
    if name == "DTML" and rng.random() < 0.7:
        given["sample_domain"] = rng.choice([-1, 1], size=len(y))
    return given, [*how, kind, of_y]


# --- parameters


def parameters(name, rng):
    choices = {
        "batch_size": lambda: int(rng.integers(1, 300)),
        "n_per_class": lambda: int(rng.integers(1, 20)),
        "sampler": lambda: one_of(rng, "shuffled", "balanced", "pairs", "matched"),
        "early_stopping": lambda: bool(rng.integers(2)),
        "validation_fraction": lambda: float(rng.uniform(0.01, 0.99)),
        "n_iter_no_change": lambda: 1,
        "dropout": lambda: float(rng.uniform(0, 0.99)),
        "input_dropout": lambda: float(rng.uniform(0, 0.99)),
        "skip": lambda: float(one_of(rng, 1e-9, 1.0, 1e9)),
        "n_networks": lambda: int(rng.integers(1, 4)),
        "hidden": lambda: one_of(rng, (), (1,), (5, 3)),
        "n_components": lambda: int(rng.integers(1, 12)),
        "activation": lambda: one_of(rng, "tanh", "sigmoid", "nonsaturating", "relu", "gelu", "identity"),
        "normalize": lambda: bool(rng.integers(2)),
        "activate_output": lambda: bool(rng.integers(2)),
        "optimizer": lambda: one_of(rng, "adamw", "adam", "sgd"),
        "lr_schedule": lambda: one_of(rng, "cosine", "linear", None),
        "lr": lambda: 10.0 ** rng.integers(-6, 1),
        "weight_decay": lambda: one_of(rng, "auto", 0.0, 10.0),
        "init": lambda: one_of(rng, "wccn", "glorot", "uniform", "pca", "within", "dae"),
        "jitter": lambda: float(one_of(rng, 0.0, 1.0, 10.0)),
        "balanced": lambda: bool(rng.integers(2)),
        "loss": lambda: one_of(rng, *losses.CATALOGUE),
        "relation": lambda: one_of(rng, "auto", "same_class", "known_class", "jaccard", "l1", "absolute", "overlap"),
        "scale": lambda: float(rng.uniform(0.1, 5)),
        "hard_fraction": lambda: float(rng.uniform(0.01, 1)),
        "n_neighbors_within": lambda: int(rng.integers(1, 9)),
        "n_neighbors_between": lambda: int(rng.integers(1, 9)),
        "mmd": lambda: one_of(rng, "linear", "gaussian"),
        "n_rounds": lambda: int(rng.integers(0, 3)),
        "margin": lambda: float(10 ** rng.uniform(-3, 3)),
        "scatter": lambda: float(one_of(rng, 0.0, 1.0, 100.0)),
        "variance": lambda: float(one_of(rng, 0.0, 1.0, 100.0)),
        "orthogonality": lambda: float(one_of(rng, 0.0, 0.01, 1.0)),
        "packed": lambda: bool(rng.integers(2)),
        "deep_supervision": lambda: float(one_of(rng, 0.0, 0.0, 1.0)),
        "module": lambda: one_of(rng, None, None, None, None, Linear),
    }
    known = [key for key in choices if key in ESTIMATORS[name]._get_param_names()]
    chosen = rng.choice(known, size=rng.integers(0, 7), replace=False)
    return {key: choices[key]() for key in chosen}


def came_from_us(error):
    """Whether the error was raised in the package, or by scikit-learn's checks of what it was given."""
    traceback, files = error.__traceback__, []
    while traceback is not None:
        files.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    return files[-1].startswith(OWN) or "sklearn/utils" in files[-1]


def points_of(given):
    tuples = [given[key][:, 0] for key in ARGUMENT.values() if key in given]
    return np.asarray(tuples[0] if tuples else given["X"])


@pytest.mark.parametrize("seed", range(0, N_CASES, 4), ids=lambda seed: f"cases {seed} to {seed + 3}")
@pytest.mark.parametrize("name", BUILT_IN)
def test_hostile_data_and_parameters_give_a_finite_metric_or_a_clear_error(name, seed):
    for case in range(seed, seed + 4):
        rng = np.random.default_rng([case, *name.encode()])
        given, how = arguments(name, rng)
        params = parameters(name, rng)
        model = ESTIMATORS[name](max_epochs=2, random_state=0, **params)
        say = (case, how, params)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for message in ALLOWED_WARNINGS:
                warnings.filterwarnings("ignore", message)
            try:
                model.fit(**given)
            except (ValueError, TypeError) as error:
                if isinstance(error, LinAlgError) or not came_from_us(error):
                    raise AssertionError(say) from error
                if "lower lr" in str(error) and params.get("lr", 0.01) <= 0.01 and not params.get("module"):
                    raise AssertionError(say) from error
                continue
            except Exception as error:
                raise AssertionError(say) from error
            X = points_of(given)
            try:
                z, distances = model.transform(X), model.pair_distance(np.stack([X[:2], X[:2][::-1]], axis=1))
                metric = model.get_metric()(X[0], X[-1])
            except Exception as error:
                raise AssertionError(say) from error
        assert np.isfinite(z).all(), say
        assert np.isfinite(distances).all(), say
        assert np.isfinite(metric), say
        assert np.isfinite([record["train_loss"] for record in model.history_]).all(), say


ALLOWED_WARNINGS = [
    "invalid value encountered in reduce",  # of scikit-learn, which adds up huge numbers
    "sample_domain is negative in no row",
    "sample_domain= is not given",
    "nothing was learned",  # of a constant loss
    "all .* compare two distances of the same points",
    "all codes are equal",  # of few bits
    "y has -1, which is a class",
    "A column-vector y was passed",
    "The number of unique classes is greater than 50%",
]
