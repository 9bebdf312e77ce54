"""What holds for every deep learner: PyTorch's state and the caller's, the origin and unit of points."""

import contextlib
import functools
import random
import sys
import threading
import warnings

import numpy as np
import pytest
import sklearn
import torch
from deep_learners import LEARNERS, data, learner, points_of
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from metricnets import losses

# --- settings of the caller


@contextlib.contextmanager
def setting(get, set_, value):
    before = get()
    set_(value)
    try:
        yield
    finally:
        set_(before)


@contextlib.contextmanager
def default_device_meta():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS = {
    "double precision": lambda: setting(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "half precision": lambda: setting(torch.get_default_dtype, torch.set_default_dtype, torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
    "a device": lambda: torch.device("meta"),
    "the default device": default_device_meta,
    "two threads": lambda: setting(torch.get_num_threads, torch.set_num_threads, 2),
    "deterministic": lambda: setting(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "detect_anomaly": lambda: torch.autograd.set_detect_anomaly(True, check_nan=True),
    "config of scikit-learn": lambda: sklearn.config_context(
        assume_finite=True, enable_metadata_routing=True, working_memory=1
    ),
    "errors of NumPy": lambda: np.errstate(divide="raise", over="raise", invalid="raise"),
}


def state():
    """All that a fit must leave as it was."""
    return {
        "default dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_cpu_enabled() if torch.__version__ < (2, 4) else torch.is_autocast_enabled("cpu"),
        "device": str(torch.empty(0).device),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "config": sklearn.get_config(),
        "errors of NumPy": np.geterr(),
        "filters": [f for f in warnings.filters if "sympy" not in str(f[2])],  # which PyTorch imports when it needs it
        "torch": torch.get_rng_state().cpu().numpy().tobytes() if torch.empty(0).device.type == "cpu" else None,
        "numpy": np.random.get_state()[1].tobytes(),
        "python": random.getstate(),
    }


def results(model, name):
    """Bits of all that a fitted learner says of its points."""
    X = points_of(data(name)[0], name)
    distance = model.get_metric()
    pairs = np.stack([X[:5], X[5:10]], axis=1)
    return [
        model.transform(X),
        model.pair_distance(pairs),
        [distance(a, b) for a, b in zip(X[:3], X[3:6])],
        getattr(model, "threshold_", 0.0),
        [record["train_loss"] for record in model.history_],
    ]


def assert_same(found, expected, atol=0.0):
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def plain():
    """Results of every learner where nothing is set."""
    return {name: results(learner(name).fit(*data(name)), name) for name in LEARNERS}


@pytest.mark.parametrize("set_by_caller", SETTINGS)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_fit_is_what_it_is_whatever_the_caller_has_set(name, set_by_caller, plain):
    with SETTINGS[set_by_caller]():
        before = state()
        found = results(learner(name).fit(*data(name)), name)
        assert state() == before
    in_threads = "images" in name and set_by_caller == "two threads"  # as many as PyTorch has been given
    assert_same(found, plain[name], atol=0.1 if in_threads else 0.0)


class Raise(Callback):
    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        raise self.error


@pytest.mark.parametrize("set_by_caller", SETTINGS)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_fit_that_fails_leaves_what_the_caller_has_set(name, set_by_caller):
    for error in (RuntimeError("mine"), KeyboardInterrupt()):
        model = learner(name, callbacks=[Raise(error)])
        with SETTINGS[set_by_caller]():
            before = state()
            with pytest.raises(type(error)):
                model.fit(*data(name))
            assert state() == before


def draws_pairs(z, r):
    return r.masked_fill(torch.rand(r.shape) < 0.5, torch.nan)


OF_THE_USER = {
    "loss": lambda z, r: losses.contrastive(z, draws_pairs(z, r)),
    "miner": draws_pairs,
    "relation": lambda a, b: (a[:, None] == b) * torch.rand(len(a), len(b)).round(),
    "sampler": lambda codes, batch_size, rng: torch.randperm(len(codes)).reshape(3, -1).tolist(),
    "optimizer": lambda groups, **params: torch.optim.SGD(groups, lr=float(torch.rand(1)) * 0.1),
}


@pytest.mark.parametrize("parameter", OF_THE_USER)
def test_random_numbers_of_functions_of_the_user(parameter, points):
    model = learner("EmbeddingNet", **{parameter: OF_THE_USER[parameter]})
    before, embedded = state(), model.fit(*points).transform(points[0])
    assert state() == before
    assert_array_equal(model.fit(*points).transform(points[0]), embedded)
    assert not np.array_equal(model.set_params(random_state=1).fit(*points).transform(points[0]), embedded)


@pytest.mark.parametrize("name", LEARNERS)
def test_random_numbers_of_another_thread(name, plain):
    """Fits without dropout neither see nor disturb draws of others; with it, they are right themselves."""
    draws, done = [], threading.Event()

    def draw():
        while not done.is_set():
            generator = torch.manual_seed(7)
            draws.append((torch.rand(3, generator=generator).tolist(), torch.rand(3).tolist()))

    plan = learner(name)._plan()
    its_own = not plan.of_others
    if its_own:
        torch.manual_seed(7)
        expected = (torch.rand(3).tolist(), torch.rand(3).tolist())
    other = threading.Thread(target=draw)
    models = [learner(name) for _ in range(3)]
    threads = [threading.Thread(target=model.fit, args=data(name)) for model in models]
    with setting(sys.getswitchinterval, sys.setswitchinterval, 1e-4):  # meet draws of the others at every turn
        for thread in [other] * its_own + threads:
            thread.start()
        for thread in threads:
            thread.join()
    done.set()
    for model in models:
        assert_same(results(model, name), plain[name])
    if its_own:
        other.join()
        assert all(pair == expected for pair in draws)


# --- origin and unit


def on_a_grid(name):
    """Data whose points are multiples of 1/64, so that they are moved without rounding."""
    X, y = data(name)
    return np.round(X * 64) / 64, y


@functools.cache
def fitted_on_a_grid(name):
    """The learner of this name, fitted once for all tests: do not change it."""
    return learner(name).fit(*on_a_grid(name))


def distances(model, X, name):
    X = points_of(X, name)
    return model.pair_distance(np.stack([X[:20], X[20:40]], axis=1))


STANDARDISED = [name for name in LEARNERS if "module" not in learner(name).get_params() or not learner(name).module]


@pytest.mark.parametrize("moved_by", [1.0, 2.0**10, -(2.0**20), 2.0**33])
@pytest.mark.parametrize("name", STANDARDISED)
def test_the_origin_does_not_matter(name, moved_by):
    X, y = on_a_grid(name)
    plain, moved = fitted_on_a_grid(name), learner(name).fit(X + moved_by, y)
    assert_array_equal(distances(moved, X + moved_by, name), distances(plain, X, name))


SCALES = [2.0**-1030, 2.0**-140, 2.0**-40, 2.0**66, 2.0**100, 2.0**332]  # about 1e-310, 1e-42, …, 1e20, 1e30, 1e100


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STANDARDISED)
def test_the_unit_does_not_matter(name, scale):
    X, y = on_a_grid(name)
    plain, scaled = fitted_on_a_grid(name), learner(name).fit(X * scale, y)
    z, z_scaled = (model.transform(points_of(P, name)) for model, P in ((plain, X), (scaled, X * scale)))
    assert_allclose(z_scaled, z, rtol=1e-6, atol=1e-9)
    metrics = plain.get_metric(), scaled.get_metric()
    a, b = points_of(X, name)[:2]
    assert_allclose(metrics[1](a * scale, b * scale), metrics[0](a, b), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:all .* compare two distances of the same points")  # 1e-320 is 0
@pytest.mark.parametrize("scale", [1e-320, 1e-42, 1e-30, 1e20, 1e30])
@pytest.mark.parametrize("name", STANDARDISED)
def test_single_precision_and_extreme_units(name, scale):
    X, y = data(name)
    with np.errstate(over="ignore", under="ignore"):
        X = (X * scale).astype(np.float32)
    model = learner(name).fit(X, y)
    z = model.transform(points_of(X, name))
    assert z.dtype == np.float32
    assert np.isfinite(z).all()
    assert np.isfinite(distances(model, X, name)).all()


@pytest.mark.parametrize("relation", ["absolute", lambda a, b: 1 / (1 + abs(a[:, None] - b[None]))])
@pytest.mark.parametrize("moved_by", [2.0**20, -(2.0**30)])
def test_the_origin_of_real_targets_does_not_matter(relation, moved_by, points):
    X, _ = points
    y = np.round(X[:, 0] * 64) / 64
    plain, moved = (learner("HRAML", relation=relation).fit(X, target) for target in (y, y + moved_by))
    assert_array_equal(moved.transform(X), plain.transform(X))


# --- early stopping


class Rises:
    """A loss whose value is a given number in each epoch, of a network whose weights are to tell the epochs apart."""

    def __init__(self, values):
        self.values, self.n_calls = values, -1

    def __call__(self, z, r):
        self.n_calls += 1
        return z.sum() * 1e-3 - z.detach().sum() * 1e-3 + self.values[self.n_calls // 2]  # a batch of each part


@pytest.mark.parametrize(
    "values",
    [
        [-10.0, -9.0, -8.0, -7.0, -6.0],
        [-10.0, -9.9999, -9.9998, -9.9997, -9.9996],
        [-10, -11, -10.9, -10.8, 0],
        [3, 2, 2.1, 2.2, 0],
    ],
)
def test_early_stopping_whatever_the_sign_of_the_loss(values, points):
    params = {"batch_size": 500, "sampler": "shuffled", "lr_schedule": None, "early_stopping": True}
    best = int(np.argmin(values[:4]))

    def fitted(**more):
        return learner("EmbeddingNet", loss=Rises(values), **params | more).fit(*points)

    model = fitted(max_epochs=5, n_iter_no_change=2)
    assert len(model.history_) == best + 3
    assert_array_equal(model.transform(points[0]), fitted(max_epochs=best + 1).transform(points[0]))


def test_early_stopping_of_a_negative_loss_of_transfer(points):
    X, y = points
    model = learner("DTML", early_stopping=True, max_epochs=200, lr=1.0, n_iter_no_change=3, validation_fraction=0.4)
    losses_held_back = [record["valid_loss"] for record in model.fit(X, y).history_]
    assert min(losses_held_back) < 0
    assert len(losses_held_back) < 200
