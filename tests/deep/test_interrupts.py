"""An interrupt propagates, wherever it comes; the estimator keeps the epochs that were finished, or is as
before.
"""

import copy
from functools import cache, partial

import numpy as np
import pytest
from deep_learners import BUILT_IN, LEARNERS, data, learner, points_of
from discovery import ESTIMATORS, METRICS, PAIR_LEARNERS, SEVERAL_TASKS, TUPLE_LEARNERS, quick, training_data
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from metricnets import AAKNN, DDML, DTML, MLKNN, DDMLPairs, EmbeddingNet, losses
from metricnets.exceptions import FitInterrupted

MOMENTS = ["train_begin", "epoch_begin", "batch_begin", "grad_computed", "batch_end", "epoch_end", "train_end"]


def interrupting(moment, epoch=1):
    """Make a callback that interrupts at a moment of an epoch, counted over all networks, in `n_begun`."""
    callback = Callback()
    callback.n_begun = 0

    def interrupt(*args, **kwargs):
        if callback.n_begun >= epoch or moment == "train_begin":
            raise KeyboardInterrupt

    def count(*args, **kwargs):
        callback.n_begun += 1
        if moment == "epoch_begin":
            interrupt()

    callback.on_epoch_begin = count
    if moment != "epoch_begin":
        setattr(callback, f"on_{moment}", interrupt)
    return callback


def n_finished(moment, epoch, max_epochs):
    """How many epochs are finished when the interrupt comes."""
    if moment == "train_begin":
        return 0
    return {"epoch_end": epoch, "train_end": max_epochs}.get(moment, epoch - 1)


UNTIL_THEN = {"lr_schedule": None, "early_stopping": False}


def fixed(name):
    """Shrinkage may be chosen otherwise after other numbers of epochs."""
    return {"shrinkage": 0.0} if "shrinkage" in ESTIMATORS[name.split()[0]]().get_params() else {}


@cache
def embedded_after(name, n, n_layers):
    """Embeddings after so many epochs, without an interrupt."""
    layers = {"n_layers": n_layers} if n_layers else {}
    fitted = learner(name, max_epochs=n, **UNTIL_THEN, **fixed(name), **layers).fit(*data(name))
    return fitted.transform(points_of(data(name)[0], name))


@cache
def fitted_once(name):
    """A fitted learner: copy it."""
    return learner(name).fit(*data(name))


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", LEARNERS)
def test_the_epochs_that_were_finished_are_kept(name, moment, epoch):
    params = UNTIL_THEN | fixed(name)
    model = learner(name, max_epochs=4, callbacks=[interrupting(moment, epoch)], **params)
    n = n_finished(moment, epoch, 4)
    if n == 0:
        with pytest.raises(KeyboardInterrupt) as caught:
            model.fit(*data(name))
        assert not isinstance(caught.value, FitInterrupted)
        with pytest.raises(NotFittedError):
            model.transform(data(name)[0])
        return
    with pytest.raises(FitInterrupted, match=f"keeps what it learned, {n} of "):
        model.fit(*data(name))
    assert [record["epoch"] for record in model.history_] == [*range(1, n + 1)]
    X = points_of(data(name)[0], name)
    assert np.isfinite(model.transform(X)).all()
    assert hasattr(model, "threshold_") == (name.split()[0] in PAIR_LEARNERS)
    if name not in ("DTML", "DTML of a module", "HRAML of three beside the points"):
        n_layers = 1 if "ISA" in name else None  # in which training was
        assert_array_equal(model.transform(X), embedded_after(name, n, n_layers))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", LEARNERS)
def test_nothing_is_kept_of_no_epoch(name, moment):
    """A fitted estimator is as it was before."""
    model = copy.deepcopy(fitted_once(name))
    X = points_of(data(name)[0], name)
    before, embedded = vars(model).copy(), model.transform(X)
    model.callbacks = [interrupting(moment)]
    try:
        model.fit(*data(name))
    except FitInterrupted:
        assert moment in ("epoch_end", "train_end")
        assert model.history_
        return
    except KeyboardInterrupt:
        pass
    else:
        pytest.fail("not raised")
    assert vars(model) == before | {"callbacks": model.callbacks}
    assert_array_equal(model.transform(X), embedded)


# --- inside of what is the user's own


class Counted:
    """Interrupt in the n-th call."""

    def __init__(self, n):
        self.n = n

    def count(self):
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt


class Sampler:
    def __init__(self, codes, counted):
        self.codes, self.counted = codes, counted

    def __iter__(self):
        for rows in np.arange(len(self.codes)).reshape(3, -1):
            self.counted.count()
            yield rows


def counting_module(counted):
    class Counting(nn.Linear):
        def forward(self, x):
            if self.training:
                counted.count()
            return super().forward(x)

    return lambda: Counting(4, 2)


def counting_loss(counted):
    def loss(z, r):
        counted.count()
        return losses.contrastive(z, r)

    return loss


WITHIN = {
    "module": counting_module,
    "loss": counting_loss,
    "sampler": lambda counted: lambda codes, batch_size, rng: Sampler(codes, counted),
}


@pytest.mark.parametrize("where", WITHIN)
@pytest.mark.parametrize(("call", "n_epochs"), [(2, 0), (8, 2)])
def test_within_what_is_the_users_own(where, call, n_epochs, points):
    base = {"batch_size": 15, "max_epochs": 5, "lr_schedule": None, "random_state": 0, "sampler": "shuffled"}
    base |= {"loss": "contrastive"}
    model = EmbeddingNet(**base | {where: WITHIN[where](Counted(call))})
    if where == "sampler":  # is looked at once beforehand
        model = EmbeddingNet(**base | {where: WITHIN[where](Counted(call + 1))})
    with pytest.raises(FitInterrupted if n_epochs else KeyboardInterrupt):
        model.fit(*points)
    assert len(getattr(model, "history_", [])) == n_epochs
    if n_epochs:
        expected = EmbeddingNet(**base | {where: WITHIN[where](Counted(0)), "max_epochs": n_epochs}).fit(*points)
        assert_array_equal(model.transform(points[0]), expected.transform(points[0]))


# --- loops of several trainings


@pytest.mark.parametrize("epoch", [4, 5])  # of networks of three epochs each
def test_further_networks_are_not_trained(points, epoch):
    callback = interrupting("batch_end", epoch)
    model = DDML(n_networks=3, max_epochs=3, callbacks=[callback], random_state=0)
    with pytest.raises(FitInterrupted, match=f"{epoch - 1} of 9 epochs"):
        model.fit(*points)
    assert callback.n_begun == epoch
    assert len(model.history_) == epoch - 1


def test_further_rounds_are_not_trained(points):
    X, y = points
    callback = interrupting("batch_end", 6)
    model = DTML(init="pca", n_rounds=4, max_epochs=4, callbacks=[callback], random_state=0)
    with pytest.raises(FitInterrupted, match="keeps what it learned, 5 of 20 epochs"):
        model.fit(X, y, sample_domain=np.where(np.arange(45) < 20, -1, 1))
    assert callback.n_begun == 6
    assert [record["round"] for record in model.history_] == [0, 0, 0, 0, 1]
    assert np.isfinite(model.transform(X)).all()


def test_between_rounds(points, monkeypatch):
    import metricnets.deep._dtml as module

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setitem(module.PSEUDO_LABELS, "spreading", interrupt)
    model = DTML(init="pca", n_rounds=4, max_epochs=4, random_state=0)
    with pytest.raises(FitInterrupted, match="4 of 20 epochs"):
        model.fit(*points, sample_domain=np.where(np.arange(45) < 20, -1, 1))
    assert np.isfinite(model.transform(points[0])).all()


def test_the_threshold_of_pairs(pairs):
    model = DDMLPairs(max_epochs=9, callbacks=[interrupting("batch_end", 3)], random_state=0)
    with pytest.raises(FitInterrupted):
        model.fit(*pairs)
    assert set(model.predict(pairs[0])) <= {-1, 1}


def test_autoencoders(points):
    """The callbacks are those of the training proper, which comes after them."""
    model = DDML(init="dae", max_epochs=9, callbacks=[interrupting("batch_end", 3)], random_state=0)
    with pytest.raises(FitInterrupted, match="2 of 9"):
        model.fit(*points)


@pytest.mark.parametrize("call", [1, 2, 3, 4])  # two layers each of two networks
def test_while_a_network_is_made(points, monkeypatch, call):
    import metricnets.deep._training.autoencoder as autoencoder

    counted, train = Counted(call), autoencoder.train
    monkeypatch.setattr(autoencoder, "train", lambda *args: counted.count() or train(*args))
    model = DDML(init="dae", n_networks=2, max_epochs=3, random_state=0)
    if call < 3:
        with pytest.raises(KeyboardInterrupt):
            model.fit(*points)
        assert not hasattr(model, "module_")
    else:
        with pytest.raises(FitInterrupted, match="DDML keeps what it learned, 3 of 6 epochs"):
            model.fit(*points)
        assert np.isfinite(model.transform(points[0])).all()


def test_early_stopping_keeps_the_best_of_the_finished_epochs(points):
    params = {"early_stopping": True, "lr": 0.5, "lr_schedule": None, "max_epochs": 9, "random_state": 0}
    for moment in ("batch_end", "epoch_end", "train_end"):
        model = DDML(callbacks=[interrupting(moment, 7)], **params)
        with pytest.raises(FitInterrupted):
            model.fit(*points)
        best = 1 + int(np.argmin([record["valid_loss"] for record in model.history_]))
        expected = DDML(**params | {"max_epochs": best}).fit(*points)
        assert_array_equal(model.transform(points[0]), expected.transform(points[0]))


# --- who asks for the fit


class InEpoch(Callback):
    """Interrupt in an epoch of all that there are in the fits of a search, which clones its callbacks."""

    n_begun = 0

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        InEpoch.n_begun += 1

    def on_batch_end(self, net, **kwargs):
        if InEpoch.n_begun == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 3, 5])  # of folds of three epochs, or more
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_search_stops(name, epoch, monkeypatch):
    X, y = data(name)
    net = learner(name, callbacks=[InEpoch(epoch)])
    alone = name in [*TUPLE_LEARNERS, *SEVERAL_TASKS]  # it scores itself
    model = net if alone else make_pipeline(net, KNeighborsClassifier(1))
    lr = "lr" if alone else f"{name.lower()}__lr"
    for search in (
        lambda: GridSearchCV(model, {lr: [0.1, 0.01]}, cv=2).fit(X, y),
        lambda: cross_val_score(model, X, y, cv=2),
    ):
        monkeypatch.setattr(InEpoch, "n_begun", 0)
        with pytest.raises(KeyboardInterrupt):
            search()
        assert InEpoch.n_begun == epoch


AROUND = {
    "MLKNN": lambda net, X, y: (MLKNN(metric=net, n_neighbors=3), X, np.eye(3, dtype=int)[y]),
    "AAKNN": lambda net, X, y: (AAKNN(metric=net, n_neighbors=3), X, np.eye(3)[y]),
}


@pytest.mark.parametrize("name", AROUND)
def test_an_estimator_around_a_learner_is_as_it_was(name, points, monkeypatch):
    monkeypatch.setattr(InEpoch, "n_begun", 0)
    net = learner("HRAML", callbacks=[InEpoch(6)], max_epochs=4)
    model, X, y = AROUND[name](net, *points)
    before = vars(model.fit(X, y)).copy()  # four epochs
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert vars(model) == before
    model.predict(X)


def test_early_stopping_of_skorch_is_no_interrupt(points):
    model = DDML(max_epochs=50, callbacks=[EarlyStopping("train_loss", patience=2, threshold=10)], random_state=0)
    assert len(model.fit(*points).history_) < 10


def test_an_interrupt_in_the_code_of_a_callback_of_skorch(points):
    class Interrupted(EarlyStopping):
        def _is_score_improved(self, score):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DDML(max_epochs=5, callbacks=[Interrupted("train_loss")], random_state=0).fit(*points)


# --- learners that are solved

SOLVED = [name for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.linear")]


@pytest.mark.parametrize("name", SOLVED)
def test_an_interrupted_solver_leaves_the_estimator_as_it_was(name, monkeypatch):
    model = quick(name).fit(*training_data(name))
    before = vars(model).copy()

    def interrupt(self, *args, **kwargs):
        self.half_done_ = True
        raise KeyboardInterrupt

    hooks = ("_solve_points", "_solve_tuples", "_solve_scatters", "_solve_stream", "_solve_sums", "_solve_views")
    for hook in filter(partial(hasattr, model), hooks):
        monkeypatch.setattr(type(model), hook, interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*training_data(name))
    assert vars(model) == before
    unfitted = clone(model)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(*training_data(name))
    assert not hasattr(unfitted, "components_")
