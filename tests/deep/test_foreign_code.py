"""What users bring along: modules of low precision, losses that remember, samplers, callbacks, optimisers, devices."""

import pickle
import threading

import numpy as np
import pytest
import torch
from deep_learners import BUILT_IN, LEARNERS, OF_MODULES, OfIds, data, learner, of_one_view, points_of
from discovery import SEVERAL_TASKS
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from skorch.callbacks import (
    BatchScoring,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
)
from torch import nn

from metricnets import DDML, DDMLPairs, EmbeddingNet, losses


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


# --- low precision


class LowOutput(nn.Module):
    def __init__(self, dtype=torch.bfloat16):
        super().__init__()
        self.linear, self.dtype = nn.Linear(4, 3), dtype

    def forward(self, x):
        return self.linear(x.float()).to(self.dtype)


class LowInside(nn.Module):
    """Parameters of bfloat16, which the estimator raises to single precision, and others that it cannot reach."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3, dtype=torch.bfloat16)

    def forward(self, x):
        return self.linear(x.to(self.linear.weight.dtype))


class AlwaysLow(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.linear(x.float())


LOW = {
    "bfloat16": LowOutput,
    "float16": lambda: LowOutput(torch.float16),
    "inside": LowInside,
    "an instance": LowInside(),
    "autocast": AlwaysLow,
}


@pytest.mark.parametrize("module", LOW)
@pytest.mark.parametrize("name", OF_MODULES)
def test_modules_of_low_precision(name, module):
    X, y = data(name)
    model = learner(f"{name} of a module", module=LOW[module], max_epochs=20, **of_one_view(name)).fit(X, y)
    points = X[:, 0] if X.ndim == 3 else X
    for dtype in (np.float64, np.float32):
        z = model.transform(points.astype(dtype))
        assert z.dtype == dtype
        assert np.isfinite(z).all()
    pairs = np.stack([points[:9], points[9:18]], axis=1)
    by_metric = [model.get_metric()(a, b) for a, b in pairs]
    assert_allclose(by_metric, model.pair_distance(pairs), rtol=0.05, atol=0.05)
    assert model.history_[-1]["train_loss"] != model.history_[0]["train_loss"]


# --- ids


def test_ids_reach_an_embedding_of_ids_as_whole_numbers(points):
    X, y = data("EmbeddingNet of ids")
    dtypes = []

    class Recording(OfIds):
        def forward(self, ids):
            dtypes.append(ids.dtype)
            return super().forward(ids)

    model = EmbeddingNet(module=Recording, max_epochs=2, random_state=0).fit(X, y)
    assert dtypes[-1] == torch.int64
    assert_allclose(model.transform(X), model.transform(X.astype(np.float32)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="module cannot embed"):
        EmbeddingNet(module=Recording, max_epochs=2, random_state=0).fit(X + 0.5, y)


def test_ids_that_single_precision_rounds_are_refused(points):
    X, y = data("EmbeddingNet of ids")

    class Hashed(OfIds):
        def forward(self, ids):
            return super().forward(ids % 20) if not ids.is_floating_point() else super().forward(ids)

    X[-1, -1] = 2**24 - 1
    model = EmbeddingNet(module=Hashed, max_epochs=2, random_state=0).fit(X, y)
    large = X + 20 * 2**30
    assert_allclose(model.transform(large), model.transform(X))  # in double precision they are exact
    before = vars(model).copy()
    for of_type in (np.int64, np.float64, np.float32):
        with pytest.raises(ValueError, match="X has whole numbers up to 214.*OrdinalEncoder"):
            model.fit(large.astype(of_type), y)
    X[-1, -1] = 2**24 + 1
    with pytest.raises(ValueError, match="X has whole numbers up to 16777216, and module takes integers"):
        model.fit(X, y)
    assert vars(model) == before
    pairs, same = data("DDMLPairs")
    with pytest.raises(ValueError, match="X has whole numbers up to 2"):
        DDMLPairs(module=Hashed, max_epochs=2).fit(np.rint(pairs) + 2**31, same)


def test_what_is_not_whole_in_any_row_is_not_rounded(points):
    X, y = data("EmbeddingNet of ids")
    X = X.astype(float)
    X[-1] += 0.5
    with pytest.raises(ValueError, match="module cannot embed"):
        EmbeddingNet(module=OfIds, max_epochs=2).fit(X, y)


# --- losses that remember, rows drawn twice, rows of unknown class


class Memory(nn.Module):
    """A loss that remembers the codes of the rows that it was shown."""

    seen = []

    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(0, dtype=torch.long))

    def forward(self, z, codes):
        self.memory = torch.cat([self.memory, codes])
        Memory.seen.append(self.memory.tolist())
        return (z**2).mean()


def test_rows_held_back_are_not_remembered(monkeypatch):
    monkeypatch.setattr(Memory, "seen", [])
    X = np.arange(20.0)[:, None] * [1, 2]
    y = np.repeat(np.arange(10), 2)
    model = EmbeddingNet(
        loss=Memory, early_stopping=True, validation_fraction=0.5, sampler="shuffled", max_epochs=3, random_state=0
    )
    kept, _ = model._split(20, y, model._seed())
    model.fit(X, y)
    counts = np.bincount(Memory.seen[-2], minlength=10)  # the last time that it learned
    assert_array_equal(counts, 3 * np.bincount(y[kept], minlength=10))


def test_cross_batch_memory(digits):
    pml = pytest.importorskip("pytorch_metric_learning.losses", reason="an optional peer")
    X, y = digits[0][:300], digits[1][:300]

    def memory():
        return pml.CrossBatchMemory(pml.ContrastiveLoss(), embedding_size=64, memory_size=512)

    def twice(codes, batch_size, rng):
        return [np.r_[:60, :60], np.r_[60:200]]

    for options in ({}, {"early_stopping": True}, {"sampler": twice}):
        model = EmbeddingNet(loss=memory(), max_epochs=5, random_state=0, **options).fit(X, y)
        assert np.isfinite(model.transform(X)).all()


def test_a_row_drawn_twice_is_no_pair_with_itself(points):
    X, y = points
    once = [rows for rows in np.arange(45).reshape(3, 15)]
    shown = []

    def loss(z, r):
        shown.append(r.isnan().sum().item())
        return losses.contrastive(z, r)

    params = {"loss": loss, "max_epochs": 1, "positive_fraction": 1.0, "random_state": 0}
    EmbeddingNet(sampler=lambda codes, size, rng: [np.r_[rows, rows[:5]] for rows in once], **params).fit(X, y)
    assert shown == [20 + 2 * 5] * 3


def test_rows_of_unknown_class_are_not_shown_to_a_module(digits):
    pml = pytest.importorskip("pytorch_metric_learning.losses", reason="an optional peer")
    X, y = digits
    rng = np.random.default_rng(0)
    known = rng.random(len(X)) < 0.3
    partly = np.where(known, y, -1)
    params = {"loss": pml.ContrastiveLoss, "max_epochs": 10, "random_state": 0}

    def accuracy(model):
        z = model.transform(X)
        return KNeighborsClassifier(3).fit(z[known], y[known]).score(z[~known], y[~known])

    all_rows = accuracy(EmbeddingNet(relation="known_class", sampler="shuffled", **params).fit(X, partly))
    known_rows = accuracy(EmbeddingNet(**params).fit(X[known], y[known]))
    assert all_rows > known_rows - 0.03
    assert all_rows > 0.9


# --- small data


@pytest.mark.filterwarnings("ignore:nothing was learned")  # of batches of one row, which have no pair
@pytest.mark.parametrize("n", [10, 12, 20])
@pytest.mark.parametrize("params", [{}, {"batch_size": 1}, {"sampler": "shuffled", "batch_size": 1}, {"batch_size": 2}])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["DDML", "HRAML", "EmbeddingNet", "Mahalanobis", "DTML"])
def test_few_rows(name, n, params, early_stopping):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 4)), np.arange(n) % 3
    known = learner(name).get_params()
    model = learner(name, early_stopping=early_stopping, **{key: params[key] for key in params if key in known})
    try:
        embedded = model.fit(X, y).transform(X)
    except ValueError as error:
        if not early_stopping or "validation_fraction" not in str(error):  # without it every size works
            raise
    else:
        assert np.isfinite(embedded).all()


def test_classes_of_one():
    X, y = np.random.default_rng(0).normal(size=(45, 4)), np.r_[np.zeros(30, int), np.arange(1, 16)]
    for early_stopping in (False, True):
        model = DDML(max_epochs=2, early_stopping=early_stopping, random_state=0).fit(X, y)
        assert np.isfinite(model.transform(X)).all()
    assert len(DDML(max_epochs=2, batch_size=1).fit(X, y).history_) == 2


def test_points_beside_the_network_in_rounds(points):
    source = np.where(np.arange(45) < 20, -1, 1)
    model = learner("DTML", skip=1.0, n_rounds=2).fit(*points, sample_domain=source)
    assert [record["round"] for record in model.history_] == [0] * 3 + [1] * 3 + [2] * 3


# --- a few rows at a time


def test_modules_see_a_batch_of_rows_at_once():
    most = []

    class Counting(nn.Linear):
        def forward(self, x):
            most.append(len(x))
            return super().forward(x)

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 4)), np.arange(500) % 3
    for params in ({}, {"skip": 1.0}):
        model = EmbeddingNet(module=lambda: Counting(4, 2), batch_size=16, max_epochs=1, random_state=0, **params)
        model.fit(X, y).transform(X)
        model.pair_distance(np.stack([X, X[::-1]], axis=1))
        assert max(most) <= 24


# --- optimisers and callbacks


class WithoutDecay(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.data.add_(p.grad, alpha=-group["lr"])


class ScheduleFree(torch.optim.SGD):
    """Must be told to train and to evaluate, as schedule-free optimisers must."""

    def train(self):
        self.trains = True

    def eval(self):
        self.trains = False


OPTIMIZERS = {
    "LBFGS": lambda params, **kwargs: torch.optim.LBFGS(params, lr=0.1),
    "LBFGS itself": torch.optim.LBFGS,
    "without decay": WithoutDecay,
    "schedule-free": ScheduleFree,
    "Rprop": torch.optim.Rprop,
    "Adagrad": torch.optim.Adagrad,
    "NAdam": torch.optim.NAdam,
    "ASGD": torch.optim.ASGD,
}


# Losses without draws of neighbours, and smooth ones
FOR_OPTIMIZERS = {
    "DCML": {"n_neighbors_within": 1, "n_neighbors_between": 1, "max_epochs": 10},
    "TwoDomainNet": {"identification": 0.0, "max_epochs": 10},  # L-BFGS takes one group of parameters
    "TwoViewNet": {"loss_params": {"temperature": 1.0}, "max_epochs": 10},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_optimizers(name, optimizer):
    X, y = data(name)
    params = {"n_rounds": 0, "init": "pca"} if name == "DTML" else {}
    if name in OF_MODULES and name != "DTML":
        # Random weights have much to learn; with dropout the loss is another in each epoch
        params |= {"init": "glorot", "dropout": 0.0, "input_dropout": 0.0}
    params |= FOR_OPTIMIZERS.get(name, {})
    model = learner(name, optimizer=OPTIMIZERS[optimizer], lr_schedule=None, lr=0.01, **{"max_epochs": 5} | params)
    if name in SEVERAL_TASKS and optimizer == "LBFGS":  # which takes one group of parameters, and heads are another
        with pytest.raises(
            ValueError, match="optimizer=<lambda> raised ValueError: LBFGS doesn't support per-parameter"
        ):
            model.fit(X, y)
        return
    first, *later = [epoch["train_loss"] for epoch in model.fit(X, y).history_]
    assert min(later) < first  # L-BFGS on batches need not go on to fall


def test_optimizers_of_sparse_gradients_say_so(points):
    with pytest.raises(ValueError, match="optimizer"):
        EmbeddingNet(optimizer=torch.optim.SparseAdam, max_epochs=2).fit(*points)


def test_an_optimizer_that_is_none_is_refused_by_name(points):
    with pytest.raises((ValueError, TypeError), match="optimizer"):
        EmbeddingNet(optimizer=lambda groups, **params: None, max_epochs=2).fit(*points)
    with pytest.raises((ValueError, TypeError), match="optimizer"):
        EmbeddingNet(optimizer=torch.optim.SGD([torch.zeros(1)], lr=1.0), max_epochs=2).fit(*points)


def test_checkpoint(points, tmp_path):
    callback = Checkpoint(dirname=str(tmp_path), load_best=True)
    params = {"max_epochs": 8, "lr": 0.3, "early_stopping": True, "random_state": 0}
    model = DDML(callbacks=[callback], **params).fit(*points)
    assert np.isfinite(model.transform(points[0])).all()
    with pytest.raises(ValueError, match="early_stopping=True"):
        DDML(callbacks=[Checkpoint(dirname=str(tmp_path))], max_epochs=2).fit(*points)
    callback = Checkpoint(monitor="train_loss_best", dirname=str(tmp_path), load_best=True)
    assert len(DDML(callbacks=[callback], max_epochs=3).fit(*points).history_) == 3


def test_early_stopping_of_skorch(points):
    with pytest.raises(ValueError, match="early_stopping=True"):
        DDML(callbacks=[EarlyStopping()], max_epochs=3).fit(*points)
    params = {"early_stopping": True, "n_iter_no_change": 99, "max_epochs": 60, "lr": 0.3, "random_state": 0}
    model = DDML(callbacks=[EarlyStopping(patience=2)], **params).fit(*points)
    assert len(model.history_) < 60


CALLBACKS = {
    "LRScheduler": lambda: LRScheduler("StepLR", step_size=1),
    "Freezer": lambda: Freezer("*bias"),
    "GradientNormClipping": lambda: GradientNormClipping(0.1),
    "PrintLog": lambda: PrintLog(sink=lambda line: None),
}


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("name", LEARNERS)
def test_callbacks_of_skorch(name, callback):
    X, y = data(name)
    model = learner(name, callbacks=[CALLBACKS[callback]()], lr_schedule=None).fit(X, y)
    assert np.isfinite(model.transform(points_of(X, name))).all()


def test_scoring_in_training(points):
    def weight(net, X, y):
        return float(sum(p.abs().sum() for p in net.module_.parameters()))

    for callback in (EpochScoring("accuracy", on_train=True), EpochScoring(weight), ("named", BatchScoring(weight))):
        with pytest.raises(ValueError, match="callbacks has .*Scoring, which scores predictions"):
            DDML(callbacks=[callback], max_epochs=2).fit(*points)
    callbacks = [("named", PassthroughScoring("train_loss", on_train=True))]
    assert len(DDML(callbacks=callbacks, max_epochs=2).fit(*points).history_) == 2


# --- devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_device_that_is_not_here_any_more(name):
    X, y = data(name)
    model = learner(name).fit(X, y)
    points = X[:, 0] if X.ndim == 3 else X
    embedded = model.transform(points)
    model.set_params(device="cuda")
    with pytest.warns(UserWarning, match="device='cuda' is not available.*embedded on the CPU"):
        assert_array_equal(model.transform(points), embedded)
    with pytest.raises(ValueError, match="^device='cuda' is not available"):  # before the points are looked at
        model.fit([], y)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_device_may_be_an_object_of_pytorch(name):
    X, y = data(name)
    points, device = X[:, 0] if X.ndim == 3 else X, torch.device("cpu")
    by_name, by_object = learner(name, device="cpu").fit(X, y), learner(name, device=device).fit(X, y)
    again = pickle.loads(pickle.dumps(by_object))
    for model in (by_object, again, clone(by_object).fit(X, y)):
        assert model.get_params()["device"] == device
        assert_array_equal(model.transform(points), by_name.transform(points))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device=device\(type='cuda'\) is not available"):
            learner(name, device=torch.device("cuda")).fit(X, y)


# --- nothing to learn from


NOTHING = {
    "a miner that leaves no pair": {"loss": "contrastive", "miner": lambda z, r: torch.full_like(r, torch.nan)},
    "a relation that knows no pair": {"loss": lambda z, r: z.sum() * 0, "relation": "known_class"},
    "a constant": {"loss": lambda z, r: (z * 0).sum() + 1, "n_networks": 3},
    "with early stopping": {"loss": lambda z, r: z.sum() * 0, "early_stopping": True},
}


@pytest.mark.parametrize("how", NOTHING)
def test_training_on_nothing_is_told_once(how):
    X = np.repeat([[0.0, 0.0], [3.0, 1.0]], 20, axis=0) + np.random.default_rng(0).normal(size=(40, 2)) * 1e-3
    with pytest.warns(UserWarning, match="nothing was learned.*miner=") as caught:
        EmbeddingNet(**NOTHING[how], max_epochs=3, random_state=0).fit(X, np.repeat([0, 1], 20))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("loss", ["triplet", "npair", "circle", "supcon", "neighborhood", "megm"])
def test_losses_of_triplets_and_single_pairs(loss, points):
    with pytest.raises(ValueError, match=f"loss='{loss}' compares two pairs.*sampler='pairs'"):
        EmbeddingNet(loss=loss, sampler="pairs").fit(*points)


def plain_layer():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(2, 2)


@pytest.mark.parametrize("own", [{}, {"optimizer": torch.optim.SGD}, {"module": plain_layer()}])
def test_pairs_that_have_the_margin_from_the_start_are_not_nothing(own):
    X = np.repeat([[0.0, 0.0], [3.0, 1.0]], 20, axis=0) + np.random.default_rng(0).normal(size=(40, 2)) * 1e-3
    params = {"loss": "triplet", "loss_params": {"margin": 1e-30}, "max_epochs": 3}
    EmbeddingNet(**params, **own, random_state=0).fit(X, np.repeat([0, 1], 20))


def test_a_loss_of_0_with_a_gradient_and_a_late_start_are_not_nothing(points):
    calls = []

    def late(z, r):
        calls.append(r)
        return z.sum() * 0 if len(calls) < 3 else losses.contrastive(z, r)

    def centred(z, r):
        loss = losses.contrastive(z, r)
        return loss - loss.detach()

    for loss in (late, centred):
        EmbeddingNet(loss=loss, max_epochs=5, random_state=0).fit(*points)
    assert len(calls) == 5


class SparseIds(nn.Module):
    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(20, 3, sparse=True)

    def forward(self, ids):
        return self.vectors(ids).mean(dim=1)


def test_sparse_gradients_are_gradients():
    X, y = data("EmbeddingNet of ids")
    EmbeddingNet(module=SparseIds, optimizer=torch.optim.SGD, weight_decay=0.0, max_epochs=2).fit(X, y)


# --- errors that name the parameter


class TwoColumns(nn.Linear):
    def __init__(self):
        super().__init__(2, 3)


def broken(value):
    def function(*args, **kwargs):
        if isinstance(value, Exception):
            raise value
        return value

    return function


def batches(*indices):
    return lambda codes, batch_size, rng: [*indices]


class Returning(nn.Module):
    """A layer with something done to its output."""

    def __init__(self, change):
        super().__init__()
        self.linear, self.change = nn.Linear(4, 3), change

    def forward(self, x):
        return self.change(self.linear(x))


def returning(change):
    return {"module": lambda: Returning(change)}


WRONG = {
    "module of tuples": (returning(lambda z: (z,)), "module should turn 2 points into.*got tuple"),
    "module of whole numbers": (returning(lambda z: z.long()), "module should turn 2 points into.*torch.int64"),
    "module of complex numbers": (returning(lambda z: torch.complex(z, z)), "module should turn 2.*torch.complex64"),
    "module without columns": (returning(lambda z: z[:, :0]), r"module should turn 2 points into.*\(2, 0\)"),
    "module of NaN": (returning(lambda z: z * torch.nan), "lower lr"),
    "module with arguments": ({"module": nn.Linear}, "module=Linear raised TypeError"),
    "module of two arguments": ({"module": lambda shape, other: None}, "module=<lambda> raised TypeError"),
    "module of no data": ({"module": nn.Linear(4, 3, device="meta")}, "module=Linear raised NotImplementedError"),
    "loss with arguments": ({"loss": nn.AdaptiveLogSoftmaxWithLoss}, "loss=AdaptiveLogSoftmaxWithLoss raised TypeE"),
    "module of another size": ({"module": TwoColumns}, r"module cannot embed points of shape \(4,\)"),
    "module of another size, an instance": ({"module": nn.Linear(7, 2)}, "module cannot embed"),
    "vector as loss": ({"loss": lambda z, r: z.sum(1)}, r"loss should return a scalar tensor.*shape \(45,\)"),
    "number as loss": ({"loss": lambda z, r: 1.0}, "loss should return a scalar tensor.*float"),
    "loss without a graph": ({"loss": lambda z, r: torch.tensor(1.0)}, "loss"),
    "None as loss": ({"loss": lambda z, r: None}, "loss should return a scalar"),
    "loss of one argument": ({"loss": lambda z: z.sum()}, "loss"),
    "cross entropy": ({"loss": nn.CrossEntropyLoss(), "n_components": 2}, "loss"),
    "mean squared error": ({"loss": nn.MSELoss()}, "loss"),
    "triplet loss of PyTorch": ({"loss": nn.TripletMarginLoss()}, "loss"),
    "relation of a wrong shape": ({"relation": lambda a, b: a * 1.0}, "relation should"),
    "relation of numbers": ({"relation": lambda a, b: 1.0}, "relation should"),
    "relation out of range": ({"relation": lambda a, b: (a[:, None] - b[None]) * 1.0}, "relation should lie"),
    "relation that raises": ({"relation": broken(RuntimeError("mine"))}, "relation=function raised RuntimeError: mine"),
    "miner of a wrong shape": ({"miner": lambda z, r: r[:2]}, "miner should"),
    "miner of nothing": ({"miner": lambda z, r: None}, "miner should"),
    "miner of pairs": ({"miner": lambda z, r: (r, r)}, "miner should"),
    "sampler of fractions": ({"sampler": batches([0.5, 1.5])}, "sampler"),
    "sampler of rows that there are not": ({"sampler": batches([0, 1, 2, 99])}, "sampler"),
    "sampler of negative rows": ({"sampler": batches([0, 1, -1])}, "sampler"),
    "sampler of empty lists": ({"sampler": batches([])}, "sampler"),
    "sampler of a table": ({"sampler": batches([[0, 1], [2, 3]])}, "sampler"),
    "sampler of numbers": ({"sampler": batches(3, 4)}, "sampler"),
    "sampler of strings": ({"sampler": batches("ab")}, "sampler"),
    "sampler of nothing": ({"sampler": batches()}, "sampler"),
    "sampler that is no iterable": ({"sampler": lambda codes, batch_size, rng: None}, "sampler"),
    "sampler of two arguments": ({"sampler": lambda codes, batch_size: []}, "sampler"),
    "misspelt parameter of the loss": ({"loss_params": {"magrin": 1.0}}, "loss_params.*Did you mean 'margin'"),
    "misspelt loss": ({"loss": "tripplet"}, "Did you mean 'triplet'"),
    "schedule of nothing": ({"lr_schedule": lambda optimizer: None}, "lr_schedule"),
    "callback of nothing": ({"callbacks": [1]}, "callbacks"),
    "callback that is a class": ({"callbacks": [EarlyStopping]}, "callbacks"),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case, points):
    params, message = WRONG[case]
    model = EmbeddingNet(**{"loss": "contrastive", "max_epochs": 2, "random_state": 0, "batch_size": 500} | params)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*points)


# --- what is left behind


def test_no_thread_is_left_behind_by_a_silent_fit():
    before = set(threading.enumerate())
    for name in LEARNERS:
        learner(name).fit(*data(name))
    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


class Normed(nn.Module):
    """A module that is not translated to NumPy."""

    def __init__(self, shape):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(shape[0]), nn.Linear(shape[0], 3)

    def forward(self, x):
        return self.linear(self.norm(x))


def test_the_metric_of_a_module_is_its_distance_far_from_the_origin(points):
    X, y = points[0] + 4096, points[1]
    model = EmbeddingNet(module=Normed, max_epochs=2, random_state=0).fit(X, y)
    metric, expected = model.get_metric(), model.pair_distance(np.stack([X[:-1], X[1:]], axis=1))
    np.testing.assert_allclose([metric(u, v) for u, v in zip(X, X[1:])], expected, rtol=1e-9)


def test_the_tensor_of_a_relation_is_left_alone(points):
    X, y = points
    table = torch.as_tensor((y[:, None] == y) * 1.0, dtype=torch.float32)
    params = {"sampler": "shuffled", "batch_size": len(y), "max_epochs": 1, "random_state": 0}
    EmbeddingNet(relation=lambda a, b: table, init="glorot", **params).fit(X, y)
    assert table.isfinite().all()
    with pytest.raises(ValueError, match=r"n x m tensor; got \(45, 45\) for n=\d+ and m=\d+"):
        EmbeddingNet(relation=lambda a, b: table, **params).fit(X, y)
    kept = []

    def remembered(a, b):
        kept.append((a[:, None] == b).double().requires_grad_())
        return kept[-1]

    EmbeddingNet(relation=remembered, **params).fit(X, y)
    assert len(kept) > 5
    assert all(r.isfinite().all() for r in kept)
    assert all(((r == 0) | (r == 1)).all() for r in kept)


IMAGES = np.random.default_rng(0).normal(size=(12, 1, 4, 4))


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, torch.from_numpy], ids=["array", "list", "tensor"])
@pytest.mark.parametrize("wrong", [IMAGES[0], IMAGES.reshape(12, 16), IMAGES[:, :, :2]], ids=["one", "flat", "cropped"])
def test_the_shape_of_images_is_named(wrong, convert):
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    net = EmbeddingNet(module=module, max_epochs=1, random_state=0).fit(IMAGES, np.arange(12) % 2)
    with pytest.raises(ValueError, match=r"with \(1, 4, 4\); an array of points has shape \(n_samples, 1, 4, 4\)"):
        net.transform(convert(wrong))


def test_images_are_no_rows():
    net = EmbeddingNet(max_epochs=1, random_state=0).fit(IMAGES.reshape(12, 16), np.arange(12) % 2)
    with pytest.raises(ValueError, match=r"points have shape \(1, 4, 4\), but EmbeddingNet was fitted with \(16,\)"):
        net.transform(IMAGES)


def test_callbacks_of_scikit_learn_are_set_elsewhere(points):
    with pytest.raises(ValueError, match="set with set_callbacks"):
        DDML(callbacks=[object()]).fit(*points)
