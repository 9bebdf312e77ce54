"""What can go wrong in training, and what a user then sees; devices, schedules, early stopping, callbacks."""

import inspect
import re
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, MlflowLogger, TensorBoard
from torch import nn

from metricnets import DDML, DTML, HRAML, DNLML_ISA_Supervised, EmbeddingNet, Mahalanobis
from metricnets.deep._training.callbacks import Progress, Watch
from metricnets.deep._training.checkpoint import journal
from metricnets.deep._training.loop import Options
from metricnets.exceptions import FitInterrupted
from metricnets.networks import mlp, small_conv

QUICK = {"max_epochs": 3, "random_state": 0}


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    return rng.normal(size=(60, 4)) + 3 * np.eye(4)[y], y


class Recorder(Callback):
    """Count the epochs, and raise ``error`` after ``after`` of them, in the middle of the next."""

    def __init__(self, after=None, error=None):
        self.after, self.error, self.n_epochs = after, error, 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1

    def on_batch_end(self, net, **kwargs):
        if self.error is not None and self.n_epochs == self.after:
            raise self.error


# --- failures


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinite_input(blobs, bad):
    X, y = blobs
    X = X.copy()
    X[3, 2] = bad
    with pytest.raises(ValueError, match="NaN|infinity"):
        DDML(**QUICK).fit(X, y)


@pytest.mark.parametrize("learner", [DDML, HRAML, EmbeddingNet, Mahalanobis])
def test_one_class(blobs, learner):
    X, y = blobs
    with pytest.raises(ValueError, match="one class"):
        learner(**QUICK).fit(X, np.zeros_like(y))


def test_no_similar_pair(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="no similar pair"):
        DDML(**QUICK).fit(X, np.arange(len(y)))


def test_no_similar_pair_in_any_batch_of_an_own_sampler(blobs):
    X, y = blobs

    def one_of_each(codes, batch_size, rng):
        return np.arange(len(codes)).reshape(3, -1).T.tolist()

    with pytest.raises(ValueError, match="no similar pair"):
        DDML(sampler=one_of_each, **QUICK).fit(X, y)


def test_diverging_loss_names_lr(blobs):
    X, y = blobs
    net = EmbeddingNet(loss=lambda z, r: (z * torch.inf).sum(), lr=0.5, **QUICK)
    with pytest.raises(ValueError, match=r"lower lr \(lr=0.5\)"):
        net.fit(X, y)


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x).flatten()


def test_network_with_a_wrong_output(blobs):
    with pytest.raises(ValueError, match=r"module should turn 2 points into an array \(2, n_components\)"):
        DDML(module=Flat, **QUICK).fit(*blobs)


def test_module_that_makes_no_module(blobs):
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        DDML(module=lambda shape: None, **QUICK).fit(*blobs)


def test_images_need_a_module(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="module="):
        DDML(**QUICK).fit(X.reshape(-1, 1, 2, 2), y)


def test_unknown_device(blobs):
    with pytest.raises(ValueError, match="device='abacus'"):
        DDML(device="abacus", **QUICK).fit(*blobs)


def test_loss_params_that_the_loss_does_not_take(blobs):
    with pytest.raises(ValueError, match=r"loss_params has 'marginn'.*it takes margin"):
        EmbeddingNet(loss_params={"marginn": 1.0}, **QUICK).fit(*blobs)


def test_scale_out_of_reach(blobs):
    with pytest.raises(ValueError, match=r"scale=5\.0 is out of reach"):
        HRAML(scale=5.0, **QUICK).fit(*blobs)


@pytest.mark.parametrize(
    "refit",
    [
        lambda net, X, y: net.fit(X[:, :2], np.zeros(len(X))),
        lambda net, X, y: net.set_params(callbacks=[Recorder(1, RuntimeError("mine"))]).fit(X[:, :2], y),
        lambda net, X, y: net.set_params(max_epochs=-1).fit(X, y),
    ],
    ids=["one class", "a callback raises in the second epoch", "a parameter out of range"],
)
def test_a_failed_fit_leaves_a_fitted_estimator_as_it_was(blobs, refit):
    X, y = blobs
    net = DDML(**QUICK).fit(X, y)
    embedded, fitted = net.transform(X), {name for name in vars(net) if name.endswith("_")}
    with pytest.raises((ValueError, RuntimeError)):
        refit(net, X, y)
    assert_array_equal(net.transform(X), embedded)
    assert {name for name in vars(net) if name.endswith("_")} == fitted
    assert net.n_features_in_ == 4


def test_a_failed_first_fit_leaves_an_unfitted_estimator(blobs):
    X, y = blobs
    net = DDML(callbacks=[Recorder(0, RuntimeError("mine"))], **QUICK)
    with pytest.raises(RuntimeError, match="mine"):
        net.fit(X, y)
    with pytest.raises(NotFittedError):
        net.transform(X)


def test_interrupt_keeps_the_epochs_done(blobs):
    X, y = blobs
    net = DDML(max_epochs=10, lr_schedule=None, random_state=0, callbacks=[Recorder(4, KeyboardInterrupt())])
    with pytest.raises(FitInterrupted, match="keeps what it learned, 4 of 10 epochs"):
        net.fit(X, y)
    assert len(net.history_) == 4
    assert net.transform(X).shape == (60, 64)


def test_interrupt_before_the_first_epoch_is_done(blobs):
    net = DDML(callbacks=[Recorder(0, KeyboardInterrupt())], **QUICK)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*blobs)
    assert not hasattr(net, "module_")


def interrupted(call, name, number):
    """Whether a call was interrupted as soon as this C function of PyTorch or Python had returned for the n-th time."""
    left = number

    def profile(frame, event, function):
        nonlocal left
        if event == "c_return" and function.__name__ == name:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def test_no_interrupt_leaves_a_mode_of_pytorch_or_a_checkpoint_behind(blobs, tmp_path):
    net = DDML(max_epochs=1, batch_size=60, random_state=0, checkpoint=tmp_path)
    fitted = DDML(**QUICK).fit(*blobs)
    n_fits = n_transforms = 1
    while interrupted(lambda: net.fit(*blobs), "_set_grad_enabled", n_fits):
        assert torch.is_grad_enabled()
        n_fits += 3
    while interrupted(lambda: fitted.transform(blobs[0]), "_set_grad_enabled", n_transforms):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        n_transforms += 1
    assert n_fits > 20
    assert n_transforms == 3  # on entering and on leaving
    assert interrupted(lambda: net.fit(*blobs), "set", 1)
    assert journal.get() is None


# --- options


def test_history(blobs):
    history = DDML(**QUICK).fit(*blobs).history_
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert all(np.isfinite(record["train_loss"]) and record["dur"] > 0 for record in history)


def test_early_stopping_keeps_the_best_epoch(blobs):
    X, y = blobs
    net = DDML(max_epochs=200, lr=0.05, early_stopping=True, n_iter_no_change=3, lr_schedule=None, random_state=0)
    losses = [record["valid_loss"] for record in net.fit(X, y).history_]
    assert len(losses) < 200
    assert np.argmin(losses) == len(losses) - 1 - 3
    again = clone(net).set_params(max_epochs=int(np.argmin(losses)) + 1).fit(X, y)
    np.testing.assert_allclose(again.transform(X), net.transform(X))


def test_early_stopping_with_many_small_classes(blobs):
    X, _ = blobs
    options = {"early_stopping": True, "max_epochs": 3, "random_state": 0}
    with pytest.raises(ValueError, match="no similar pair.*validation_fraction"):
        DDML(validation_fraction=0.05, **options).fit(X, np.repeat(np.arange(30), 2))
    assert DDML(validation_fraction=0.5, **options).fit(X, np.arange(60) // 4).history_[0]["valid_loss"] > 0


def test_verbose_shows_the_loss_of_every_epoch(blobs, capsys):
    DDML(verbose=2, **QUICK).fit(*blobs)
    captured = capsys.readouterr()
    assert captured.out.count("train_loss") + captured.err.count("epoch ") >= 3
    DDML(**QUICK).fit(*blobs)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_bars_tell_which_network_is_trained_and_the_time_left(blobs, capsys):
    DDML(verbose=1, n_networks=2, **QUICK).fit(*blobs)
    shown = capsys.readouterr().err
    assert re.search(r"network 2 of 2: .* 3/3 \[\d\d:\d\d<\d\d:\d\d, ", shown)


def test_a_bar_is_shown_before_the_first_epoch_ends(blobs, capsys):
    class Looker(Callback):
        def on_batch_end(self, net, **kwargs):
            shown.append(capsys.readouterr().err)

    shown = []
    DDML(verbose=1, callbacks=[Looker()], **QUICK).fit(*blobs)
    assert re.search(r"DDML: +0%.* 0/3 ", shown[0])


def test_bars_tell_the_time_left_of_the_whole_fit(capsys):
    """Six of ten epochs of this network, and twenty of others, at two seconds."""
    watch = Watch(Options(None, 0.1, 0.0, max_epochs=10, n_after=20, generator=None))
    watch.history = [{"dur": 100.0}] * 3 + [{"dur": 2.0}] * 10
    progress = Progress(watch, watch.options)
    progress.open(3)
    for part, left in [("train", "train_loss=1, fit: 00:52 left"), ("valid", "valid_loss=1, fit: at most 00:52 left")]:
        progress.show(4, {f"{part}_loss": "1"})
        progress.bar.refresh()
        assert left in capsys.readouterr().err
    assert progress.bar.initial == 3  # it goes on from a checkpoint
    progress.bar.close()


@pytest.mark.parametrize(
    ("learner", "n_epochs"),
    [(DDML(n_networks=3), [6, 3, 0]), (DTML(n_rounds=1), [3, 0]), (DNLML_ISA_Supervised(n_layers=2), [3, 0])],
)
def test_every_network_knows_how_many_epochs_are_left_in_the_fit(learner, n_epochs, blobs, monkeypatch):
    left, more = [], {}
    monkeypatch.setattr(Watch, "on_train_end", lambda self, net, **kwargs: left.append(self.options.n_after))
    if isinstance(learner, DTML):
        more["sample_domain"] = np.arange(len(blobs[1])) % 2 - 0.5
    learner.set_params(max_epochs=3, random_state=0).fit(*blobs, **more)
    assert left == n_epochs


class Writer:
    """What takes the place of a writer of TensorBoard and of a client of MLflow."""

    def __init__(self):
        self.logged = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.logged.append((tag, scalar_value, global_step))

    def log_metric(self, run_id, key, value, step):
        self.logged.append((key, value, step))

    def set_terminated(self, run_id):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("logger", ["TensorBoard", "MLflow"])
def test_loggers_of_skorch_write_the_losses(blobs, logger):
    writer, run = Writer(), SimpleNamespace(info=SimpleNamespace(run_id="1"))
    log = TensorBoard(writer) if logger == "TensorBoard" else MlflowLogger(run, writer, create_artifact=False)
    net = DDML(callbacks=[log], early_stopping=True, **QUICK)
    net.fit(*blobs)
    for part in ("train_loss", "valid_loss"):
        logged = [value for name, value, _ in writer.logged if name.rpartition("/")[2] == part]
        assert logged == [record[part] for record in net.history_]


def test_schedules_change_the_result(blobs):
    X, y = blobs
    schedules = [None, "cosine", "linear", lambda opt: torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)]
    embedded = [DDML(lr_schedule=s, **QUICK).fit(X, y).transform(X) for s in schedules]
    assert len({e.tobytes() for e in embedded}) == 4


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", torch.optim.RMSprop])
def test_every_optimizer_lowers_the_loss(blobs, optimizer):
    history = DDML(optimizer=optimizer, max_epochs=20, random_state=0).fit(*blobs).history_
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_callbacks_see_every_epoch(blobs):
    recorder = Recorder()
    DDML(callbacks=[recorder], **QUICK).fit(*blobs)
    assert recorder.n_epochs == 3


def test_the_schedule_ends_at_zero_and_the_seed_matters(blobs):
    X, y = blobs
    rates = []

    class Rates(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    a = DDML(max_epochs=20, lr=0.1, callbacks=[Rates()], random_state=0).fit(X, y)
    assert 0.1 == rates[0] > rates[10] > rates[-1] > -1e-9
    assert rates[-1] < 0.001
    b = DDML(max_epochs=20, lr=0.1, random_state=1).fit(X, y)
    assert not np.allclose(a.transform(X), b.transform(X))


def test_held_back_rows_are_of_every_class(blobs):
    _, held_back = DDML(early_stopping=True, **QUICK)._split(60, blobs[1], 0)
    assert sorted(blobs[1][held_back]) == [0, 0, 1, 1, 2, 2]


class Decayed(nn.Module):
    """A loss whose own parameter has no gradient to speak of."""

    def __init__(self):
        super().__init__()
        self.center = nn.Parameter(torch.rand(3))

    def forward(self, z, codes):
        return (z**2).mean() + 0 * self.center.sum()


def test_parameters_of_a_loss_are_seeded_and_not_decayed(blobs):
    found = []

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            found.append(net.criterion_.loss.center.detach().clone())

    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        EmbeddingNet(loss=Decayed, callbacks=[Keep()], **QUICK).fit(*blobs)
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(center, found[0]) for center in found)


def test_embeddings_that_are_no_longer_numbers(blobs):
    net = DDML(activation="relu", optimizer="sgd", lr=1e30, max_epochs=1, random_state=0)
    with pytest.raises(ValueError, match="lower lr"):
        net.fit(*blobs)


def test_values_beyond_single_precision(blobs):
    X, y = blobs
    assert_allclose(DDML(**QUICK).fit(X * 2.0**200, y).transform(X * 2.0**200), DDML(**QUICK).fit(X, y).transform(X))
    with pytest.raises(ValueError, match="scale it"):
        DDML(module=Net, **QUICK).fit(X * 1e39, y)
    with pytest.raises(ValueError, match="scale it"):
        DDML(**QUICK).fit(X * 1e302, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden": (0,)}, "hidden=\\(0,\\)"),
        ({"module": nn.Identity()}, "no parameter"),
        ({"loss": Decayed(), "loss_params": {"a": 1}}, "instance"),
        ({"loss_params": {"select": "semi-hard"}}, "select='semi-hard'"),
        ({"loss": "contrastive", "loss_params": {"positive_margin": 2.0}}, "positive_margin"),
        ({"relation": lambda a, b: 2.0 * (a[:, None] == b) - 1}, r"should lie in \[0, 1\]"),
        ({"relation": lambda a, b: a * 1.0}, r"n x m tensor; got \(50,\)"),
        ({"relation": "l1", "sampler": "shuffled"}, None),
        ({"sampler": lambda codes, batch_size, rng: iter([np.arange(60)])}, "iterable that starts again"),
    ],
)
def test_parameters_that_do_not_go_together(blobs, params, message):
    net = EmbeddingNet(**params, **QUICK)
    if message is None:
        net.fit(*blobs)
    else:
        with pytest.raises(ValueError, match=message):
            net.fit(*blobs)


def test_what_was_fitted_decides_after_set_params(blobs):
    net = EmbeddingNet(module=Net, **QUICK).fit(*blobs)
    before = net.transform(blobs[0])
    assert_array_equal(net.set_params(module=None).transform(blobs[0]), before)


def test_interrupt_while_the_weights_are_initialised(blobs, monkeypatch):
    import metricnets.deep._training.autoencoder as autoencoder

    monkeypatch.setattr(autoencoder, "train", lambda *args, **kwargs: ([], True, False))
    with pytest.raises(KeyboardInterrupt):
        DDML(init="dae", **QUICK).fit(*blobs)


@pytest.mark.parametrize("learner", [DDML, HRAML, EmbeddingNet])
def test_origin_and_unit_of_the_points_do_not_matter(blobs, learner):
    X, y = blobs
    net = learner(optimizer="sgd", **QUICK)  # Adam makes steps of a full lr out of rounding errors
    plain, moved = clone(net).fit(X, y), clone(net).fit(1000 * X - 5000, y)
    np.testing.assert_allclose(moved.transform(1000 * X - 5000), plain.transform(X), rtol=1e-3, atol=1e-3)


# --- networks of one's own


class Net(nn.Module):
    def __init__(self, n_out=3):
        super().__init__()
        self.linear = nn.Linear(4, n_out)

    def forward(self, x):
        return torch.tanh(self.linear(x))


class OfShape(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.linear = nn.Linear(*shape, 3)

    def forward(self, x):
        return self.linear(x)


@pytest.mark.parametrize("module", [Net, OfShape, Net(), lambda shape: nn.Linear(*shape, 3)])
def test_own_module(blobs, module):
    X, y = blobs
    before = {k: v.clone() for k, v in module.state_dict().items()} if isinstance(module, nn.Module) else {}
    net = EmbeddingNet(module=module, **QUICK).fit(X, y)
    assert net.transform(X).shape == (60, 3)
    assert list(net.get_feature_names_out()) == ["embeddingnet0", "embeddingnet1", "embeddingnet2"]
    assert all(torch.equal(before[name], module.state_dict()[name]) for name in before)
    np.testing.assert_allclose(net.get_metric()(X[0], X[1]), net.pair_distance([X[:2]])[0], rtol=1e-5)
    unit = EmbeddingNet(module=module, normalize=True, **QUICK).fit(X, y).transform(X)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-5)


def test_images_in_a_pipeline():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 20)
    X = rng.normal(size=(40, 1, 8, 8)).astype(np.float32)
    X[y == 1, :, :4] += 1.0
    net = EmbeddingNet(module=small_conv, max_epochs=20, random_state=0)
    assert cross_val_score(make_pipeline(net, KNeighborsClassifier(3)), X, y, cv=2).mean() > 0.9
    net.fit(X, y)
    assert net.pair_distance(np.stack([X[:2], X[2:4]], axis=1)).shape == (2,)
    assert net.get_metric()(X[0], X[1]) > 0
    with pytest.raises(ValueError, match="8, 8"):
        net.transform(X[:, :, :4])


def test_nothing_warns_and_nothing_is_left_behind(blobs):
    X, y = blobs
    net = DDML(**QUICK)
    params = net.get_params()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, y).transform(X)
    assert net.get_params() == params
    kept = {name for name in vars(net) if name not in inspect.signature(DDML).parameters}
    private = {"_n_features_out", "_point_shape", "_in_double", "_rows_at_once"}
    private |= {"_solution"}  # the networks from which training may go on
    assert kept == {"module_", "history_", "n_features_in_"} | private


class TestSeveralNetworks:
    @pytest.mark.parametrize("learner", [DDML, HRAML, DTML])
    def test_squared_distances_are_the_mean_of_theirs(self, blobs, learner):
        X, y = blobs
        params = {} if learner is DTML else {"init": "glorot"}
        both = learner(n_networks=2, n_components=9, max_epochs=3, random_state=0, **params).fit(X, y)
        assert both.transform(X).shape == (len(X), 9)
        squares = []
        *layers, ensemble = both.module_
        with torch.no_grad():
            points = torch.nn.Sequential(*layers)(torch.as_tensor(X, dtype=torch.float32))
        for member, n_columns in zip(ensemble.members, (5, 4)):
            with torch.no_grad():
                z = member(points).double().numpy()
            assert z.shape[1] == n_columns
            squares.append(pdist(z, "sqeuclidean"))
        assert not np.allclose(squares[0], squares[1])  # they start from different weights
        assert_allclose(pdist(both.transform(X), "sqeuclidean"), np.mean(squares, axis=0), rtol=1e-3, atol=1e-6)
        assert both.get_metric()(X[0], X[1], squared=True) == pytest.approx(np.mean(squares, axis=0)[0], rel=1e-3)
        assert len(both.history_) == 2 * len(learner(max_epochs=3, random_state=0).fit(X, y).history_)
        assert both.get_feature_names_out().shape == (both.transform(X).shape[1],)

    def test_copies_of_one_module_are_refused(self, blobs):
        with pytest.raises(ValueError, match="n_networks=2 would train copies of one module"):
            HRAML(n_networks=2, module=nn.Linear(4, 2)).fit(*blobs)

    def test_the_first_is_the_only_one_of_one(self, blobs):
        X, y = blobs
        one, two = (
            HRAML(init="glorot", n_networks=n, n_components=6 * n, max_epochs=3, random_state=0).fit(X, y)
            for n in (1, 2)
        )
        assert_allclose(two.transform(X)[:, :6] * 2**0.5, one.transform(X), rtol=1e-6)

    @pytest.mark.parametrize("normalize", [True, False])
    @pytest.mark.parametrize("init", ["wccn", "identity"])
    def test_with_one_start_the_embedding_is_the_mean_of_theirs(self, blobs, init, normalize):
        X, y = blobs
        model = DDML(init=init, n_networks=3, normalize=normalize, max_epochs=3, random_state=0).fit(X, y)
        *layers, ensemble = model.module_
        members = (ensemble[0] if normalize else ensemble).members
        with torch.no_grad():
            points = torch.nn.Sequential(*layers)(torch.as_tensor(X, dtype=torch.float32))
            parts = [member(points).double().numpy() for member in members]
        assert not np.allclose(parts[0], parts[1])
        mean = np.mean(parts, axis=0)
        if normalize:
            mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        assert_allclose(model.transform(X), mean, rtol=1e-4, atol=1e-5)
        assert model.get_metric()(X[0], X[50]) == pytest.approx(np.linalg.norm(mean[0] - mean[50]), rel=1e-4)

    def test_every_network_has_a_column(self, blobs):
        with pytest.raises(ValueError, match="n_components=2 leaves no column for each of n_networks=3; set it to 3"):
            DDML(init="glorot", n_networks=3, n_components=2).fit(*blobs)


class TestSkip:
    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"n_networks": 2},
            {"module": nn.Linear(4, 3)},
            {"module": lambda shape: nn.Linear(*shape, 3), "n_networks": 2},
        ],
    )
    @pytest.mark.parametrize("learner", [DDML, HRAML, DTML])
    def test_the_points_count_as_much_as_asked(self, blobs, learner, params):
        X, y = blobs
        X = X + 100
        if "module" in params:
            params = params | {"normalize": True}
        if "module" not in params and learner is not DTML:
            params = params | {"init": "glorot"}
        model = learner(skip=0.25, max_epochs=3, random_state=0, **params).fit(X, y)
        z = model.transform(X)
        assert "module" in params or z.shape[1] == 64
        of_network, of_points = (pdist(part, "sqeuclidean") for part in (z[:, :-4], z[:, -4:]))
        assert of_points.mean() == pytest.approx(0.25 * of_network.mean(), rel=1e-3)
        assert_allclose(
            of_points / of_points.mean(), pdist(X, "sqeuclidean") / pdist(X, "sqeuclidean").mean(), rtol=1e-4
        )
        d = model.get_metric()(X[0], X[1])
        assert d == pytest.approx(model.pair_distance(X[None, :2])[0], rel=1e-4)

    def test_the_network_is_as_without(self, blobs):
        X, y = blobs
        without, beside = (
            DDML(skip=skip, init="glorot", n_components=8 + 4 * skip, **QUICK).fit(X, y) for skip in (0, 1)
        )
        assert_array_equal(beside.transform(X)[:, :-4], without.transform(X))

    def test_points_that_are_all_the_same(self, blobs):
        X, y = blobs
        assert np.isfinite(DDML(skip=1, init="glorot", **QUICK).fit(0 * X, y).transform(X)).all()

    def test_networks_have_a_column_beside_the_points(self, blobs):
        message = "n_components=4 .* beside the 4 columns of the points, which skip=1 appends; set it to 5"
        with pytest.raises(ValueError, match=message):
            DDML(init="glorot", skip=1, n_components=4).fit(*blobs)

    def test_a_start_that_has_the_points_in_it_is_refused(self, blobs):
        with pytest.raises(ValueError, match="skip=0.5 is for random weights.*'glorot'"):
            DDML(skip=0.5, **QUICK).fit(*blobs)


class TestInputDropout:
    def test_only_in_training(self, blobs):
        X, y = blobs
        model = DDML(input_dropout=0.5, max_epochs=3, random_state=0).fit(X, y)
        assert_array_equal(model.transform(X), model.transform(X))
        assert not np.allclose(model.transform(X), DDML(max_epochs=3, random_state=0).fit(X, y).transform(X))

    def test_share_of_the_features(self):
        network = mlp(1000, 5, hidden=(), activation="identity", input_dropout=0.25)
        seen = []
        network[0][1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        network.train()(torch.ones(50, 1000))
        assert (seen[0] == 0).float().mean() == pytest.approx(0.25, abs=0.01)
