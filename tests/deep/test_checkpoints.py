"""A fit that was ended goes on from its checkpoint, to the same bits; damaged files and those of others do no harm."""

import errno
import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from deep_learners import data, learner
from ended_fits import QUICK, THINGS, Counting, Ended, Ending, Equal, X, growing, of_set, y
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import EarlyStopping
from torch.optim.lr_scheduler import LinearLR, OneCycleLR, SequentialLR, StepLR

from metricnets import DDML, DTML, EmbeddingNet
from metricnets.deep._training import checkpoint
from metricnets.deep._training import checkpoint_files as files
from metricnets.deep._training.checkpoint import Journal
from metricnets.deep._training.checkpoint_files import before, packed, unpacked
from metricnets.deep._training.digest import Digest
from metricnets.exceptions import FitInterrupted

FEW = np.where(np.random.default_rng(0).random(len(y)) < 0.7, np.nan, y)
DOMAIN = {"sample_domain": np.tile([-1, 1], 75)}
Net = partial(EmbeddingNet, **QUICK)


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture
def folder(tmp_path):
    """A folder for checkpoints, one after each epoch."""
    return {"folder": str(tmp_path / "runs"), "minutes": 0}


def files_in(folder):
    return sorted(os.listdir(folder["folder"]))


def learned(fitted):
    """All that was learned, without durations."""
    modules = {name: value for name, value in vars(fitted).items() if isinstance(value, torch.nn.Module)}
    weights = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    return weights, [{name: value for name, value in epoch.items() if name != "dur"} for epoch in fitted.history_]


def assert_same(a, b):
    """Both have learned the same, to the last bit."""
    (weights, history), (others, other_history) = learned(a), learned(b)
    assert history == other_history
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def in_sequence(optimizer):
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=2), StepLR(optimizer, 1, 0.5)], [2])


def of(name, **params):
    """A learner of `deep_learners`, and its data."""
    return partial(learner, name, max_epochs=4, **params), data(name), {}


# name: how the estimator is made, and what it is fitted to; epochs after which it is ended
FITS = {
    "DDML": (partial(DDML, dropout=0.2, **QUICK), (X, y), {}, 2),
    "three networks": (partial(DDML, n_networks=3, dropout=0.2, **QUICK), (X, y), {}, 6),
    "networks that begin equal": (partial(DDML, n_networks=2, hidden=(), **QUICK), (X, y), {}, 6),
    "rounds": (partial(DTML, n_rounds=2, **QUICK), (X, y), DOMAIN, 6),
    "rounds, early stopping": (partial(DTML, n_rounds=1, early_stopping=True, **QUICK), (X, y), DOMAIN, 5),
    "self-training": (partial(Net, unlabeled="self_training"), (X, FEW), {}, 9),
    "consistency": (partial(Net, unlabeled="consistency", dropout=0.2), (X, FEW), {}, 2),
    "memory": (partial(Net, loss="triplet", memory=100), (X, y), {}, 3),
    "early stopping": (partial(Net, early_stopping=True, lr=0.2, n_iter_no_change=3, max_epochs=9), (X, y), {}, 3),
    "weights": (partial(Net, class_weight={0: 2.5}, optimizer="sgd"), (X, y), {"sample_weight": X[:, 0]}, 2),
    "parameters of a loss": (partial(Net, loss="hierarchical_triplet", optimizer="adam"), (X, y), {}, 2),
    "schedules": (partial(Net, lr_schedule=in_sequence), (X, y), {}, 2),
    "a cycle": (partial(Net, lr_schedule=lambda o: OneCycleLR(o, 0.01, total_steps=9)), (X, y), {}, 2),
    "a module that counts": (partial(Net, module=Counting, hidden=Net().hidden), (X, y), {}, 2),
    "a sampler that counts": (partial(Net, sampler=growing), (X, y), {}, 2),
    "random state": (lambda **more: Net(**more).set_params(random_state=np.random.RandomState(3)), (X, y), {}, 2),
    "jitter": (*of("DDMLPairs with jitter"), 2),
    "layers": (*of("DNLML_ISA"), 5),
    "folds": (*of("QuadrupletsNet"), 2),
    "of each class": (*of("MMDML"), 2),
    "tasks": (*of("MultiTaskNet"), 2),
    "views": (*of("TwoViewNet", dropout=0.2), 2),
    "correlations": (*of("DCML", init="glorot"), 2),
    "several views": (*of("MultiViewNet", n_networks=2), 5),
    "codes": (*of("DeepHashing"), 2),
    "domains": (*of("TwoDomainNet"), 2),
    "images": (*of("EmbeddingNet of images"), 2),
    "two threads": (partial(Net, n_jobs=2, dropout=0.2), (X, y), {}, 2),
    "two threads, a module": (*of("EmbeddingNet of a module", n_jobs=2), 2),
    "bfloat16": (partial(Net, precision="bf16", dropout=0.2), (X, y), {}, 2),
    "chunks": (partial(Net, chunk_size=20, dropout=0.2), (X, y), {}, 2),
    "chunks, a module": (*of("EmbeddingNet of a module", chunk_size=10, precision="bf16"), 2),
}


@cache
def uninterrupted(name):
    make, arguments, more, _ = FITS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make().fit(*arguments, **more)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FITS)
def test_a_fit_that_was_ended_goes_on_to_the_same_bits(name, folder):
    make, arguments, more, n_epochs = FITS[name]
    with pytest.raises(Ended):
        make(checkpoint=folder, callbacks=[Ending(n_epochs)]).fit(*arguments, **more)
    rest = Ending()
    fitted = make(checkpoint=folder, callbacks=[rest]).fit(*arguments, **more)
    assert_same(fitted, uninterrupted(name))
    assert rest.n_begun == len(fitted.history_) - n_epochs
    assert not files_in(folder)


SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from ended_fits import DDML, QUICK, THINGS, Ending, X, y
from metricnets.deep._training.digest import Digest

print(*map(Digest, THINGS), flush=True)
DDML(n_networks=3, dropout=0.2, checkpoint={folder!r}, callbacks=[Ending(6, kill=True)], **QUICK).fit(X, y)
"""


def test_after_its_process_was_killed_another_one_goes_on(folder):
    """Sets have another order there, and objects other addresses."""
    script = SCRIPT.format(here=str(Path(__file__).parents[1]), folder=folder)
    options = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(files.__file__).parents[3])}
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | options, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout.split() == [str(Digest(thing)) for thing in THINGS]
    rest = Ending()
    fitted = DDML(n_networks=3, dropout=0.2, checkpoint=folder, callbacks=[rest], **QUICK).fit(X, y)
    assert_same(fitted, uninterrupted("three networks"))
    assert rest.n_begun == 6


def changed(thing, **attributes):
    vars(thing).update(attributes)
    return thing


def test_a_digest_tells_things_apart():
    weighted = torch.nn.Linear(1, 1)
    things = [
        *THINGS, {"a", "b"}, lambda x: x in {"a", "b", "d"}, lambda x: x in {"a", "b"}, partial(of_set, x=3),
        np.random.default_rng(1), torch.Generator().manual_seed(2), 2 * torch.eye(2).to_sparse(), Path("b"), np.sin,
        DDML(lr=0.1), X.astype(np.float32), X[::-1], X.T, np.zeros((0, 4)), torch.tensor(2, dtype=torch.bfloat16), 1,
        1.0, True, "1", b"1", None, [1], (1,), {1: 2}, 2 * csr_array(np.eye(3)), weighted, torch.nn.Linear(1, 1),
        changed(Ended(), a=1), changed(Ended(), a=2), *(partial(lambda k, x: k, k) for k in (1, 2)),
    ]  # fmt: skip
    assert len({str(Digest(thing)) for thing in things}) == len(things)
    endless = [1]
    endless.append(endless)
    assert str(Digest(endless)) != str(Digest([1]))
    assert str(Digest([[1], 2])) != str(Digest([[1, 2]]))


# ---- other fits


def ended(folder, n_epochs=2, **params):
    """End a fit."""
    with pytest.raises(Ended):
        Net(checkpoint=folder, callbacks=[Ending(n_epochs)], **params).fit(X, y)


def n_trained(folder, X=X, y=y, **params):
    """How many epochs a fit trains, with what is in the folder."""
    rest = Ending()
    Net(checkpoint=folder, callbacks=[rest], **params).fit(X, y)
    return rest.n_begun


def test_only_the_same_call_goes_on(folder):
    ended(folder)
    assert n_trained(folder, lr=0.01) == n_trained(folder, random_state=1) == n_trained(folder, loss="contrastive") == 4
    assert n_trained(folder, loss_params={"margin": 0.3}) == n_trained(folder, batch_size=40) == 4
    assert n_trained(folder, X=np.where(X.max() == X, X - 1e-3, X)) == n_trained(folder, y=np.roll(y, 1)) == 4
    assert n_trained(folder, verbose=0) == 2


def test_files_are_kept_if_asked_for_and_then_nothing_is_trained_again(folder):
    folder["keep"] = True
    first = Net(checkpoint=folder).fit(X, y)
    assert len(files_in(folder)) == 1
    rest = Ending()
    again = Net(checkpoint=folder).fit(X, y)
    assert_same(again, first)
    assert again.history_ == first.history_  # durations too
    assert n_trained(folder) == 4  # a callback is a difference
    assert rest.n_begun == 0


def test_networks_that_begin_equal_have_files_of_their_own(folder):
    model = partial(DDML, module=Equal, n_networks=2, **QUICK)
    assert_same(model(checkpoint=folder).fit(X, y), model().fit(X, y))


def test_after_an_interrupt_the_same_call_goes_on(folder):
    with pytest.raises(FitInterrupted, match="The same call goes on from what is in checkpoint="):
        Net(checkpoint=folder, callbacks=[Ending(2, KeyboardInterrupt)]).fit(X, y)
    assert n_trained(folder) == 2


def test_a_network_that_a_callback_of_skorch_stopped_is_not_trained_further(folder):
    """The callback starts anew with the network that was ended."""
    stop = partial(EarlyStopping, monitor="train_loss", patience=1, threshold=10.0)
    with pytest.raises(Ended):
        DDML(n_networks=2, checkpoint=folder, callbacks=[stop(), Ending(3)], **QUICK).fit(X, y)
    fitted = DDML(n_networks=2, checkpoint=folder, callbacks=[stop(), Ending()], **QUICK).fit(X, y)
    assert [epoch["epoch"] for epoch in fitted.history_] == [1, 2, 1, 2, 3]


class Stop:
    """A callback of scikit-learn that ends a fit after the second epoch."""

    def setup(self, estimator, context):
        self.n_ended = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_ended += 1
        return self.n_ended == 2


def test_a_fit_that_a_callback_of_scikit_learn_stopped_stays_so(folder):
    pytest.importorskip("sklearn.callback")
    folder["keep"] = True
    fits = [DDML(n_networks=2, checkpoint=folder, **QUICK).set_callbacks(Stop()).fit(X, y) for _ in range(2)]
    assert len(fits[0].history_) == 2
    assert_same(*fits)


def test_warm_starts_and_batches_of_a_stream_go_on(folder):
    warm, plain = (Net(warm_start=True).fit(X, y) for _ in range(2))
    plain.fit(X, y)
    warm.set_params(checkpoint=folder, callbacks=[Ending(2)])
    with pytest.raises(Ended):
        warm.fit(X, y)
    rest = Ending()
    assert_same(warm.set_params(callbacks=[rest]).fit(X, y), plain)
    assert rest.n_begun == 2
    stream, other = Net().partial_fit(X[::2], y[::2]), Net().partial_fit(X[::2], y[::2])
    stream.set_params(checkpoint=folder, callbacks=[Ending(2)])
    with pytest.raises(Ended):
        stream.partial_fit(X[1::2], y[1::2])
    assert_same(stream.set_params(callbacks=None).partial_fit(X[1::2], y[1::2]), other.partial_fit(X[1::2], y[1::2]))


def test_searches_share_a_folder(folder):
    grid = {"embeddingnet__lr": [0.003, 0.03]}
    scores = []
    for given in (None, folder):
        model = make_pipeline(Net(checkpoint=given, max_epochs=2), KNeighborsClassifier())
        with parallel_config("threading"):
            search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y)
            scores.append([*search.cv_results_["mean_test_score"], *cross_val_score(model, X, y, cv=2, n_jobs=2)])
    assert scores[0] == scores[1]
    assert not files_in(folder)


# ---- damaged files, full disks, wrong options


def file_in(folder):
    return next(Path(folder["folder"]).glob("*.checkpoint"))


def test_damage_of_any_byte_is_found():
    data = packed({"a": torch.arange(3)})
    assert torch.equal(unpacked(data)["a"], torch.arange(3))
    for place in range(len(data)):
        with pytest.raises(ValueError, match="^is damaged$"):
            unpacked(data[:place])
        with pytest.raises(ValueError, match="^is damaged$"):
            unpacked(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_in_place_of_a_torn_file_the_one_before_it_is_used(share, folder):
    ended(folder, 3)
    file = file_in(folder)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.warns(UserWarning, match=f"{file.name} is damaged; the one before it is used"):
        assert n_trained(folder) == 2
    assert not files_in(folder)


def test_without_a_file_of_use_training_starts_anew(folder):
    ended(folder, 3)
    for file in Path(folder["folder"]).iterdir():
        file.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged") as warned:
        assert n_trained(folder) == 4
    assert len(warned) == 2


def test_files_of_other_versions_are_not_used(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "__version__", "0.0.1")
        ended(folder, 1)
    with pytest.warns(UserWarning, match=r"was written with .*'metricnets': '0.0.1'"):
        assert n_trained(folder) == 4


class Command:
    def __reduce__(self):
        return os.mkdir, ("made_by_a_file",)


def test_no_code_of_a_file_is_run(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save({"versions": files.versions(), "state": Command()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Command(), 2)):
        ended(folder, 1)
        file_in(folder).write_bytes(files.MAGIC + hashlib.sha256(content).digest() + content)
        with pytest.warns(UserWarning, match="cannot be read"):
            assert n_trained(folder) == 4
    assert not Path("made_by_a_file").exists()


def test_a_state_of_another_form_is_an_error_that_names_the_file(folder):
    ended(folder, 1)
    file = file_in(folder)
    file.write_bytes(packed({"modules": []}))
    with pytest.raises(ValueError, match=f"{file.name} is of another network .*remove it"):
        n_trained(folder)


def test_on_a_full_disk_training_goes_on_and_the_last_good_file_is_used(folder, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    ended(folder, 1)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_whole", full)
        with pytest.warns(UserWarning, match="cannot be written: .*No space left") as warned:
            ended(folder, 2)
        assert len(warned) == 1
    assert n_trained(folder) == 3
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_whole", full)
        with pytest.warns(UserWarning, match="No space left"):
            assert_same(Net(checkpoint=folder).fit(X, y), Net().fit(X, y))


def test_what_a_killed_process_left_half_written_is_removed(folder):
    ended(folder, 1)
    file = file_in(folder)
    file.with_name(f".{file.name}.0123abcd").write_bytes(b"half")
    assert n_trained(folder) == 3
    assert not files_in(folder)


def test_between_two_replacements_the_file_before_is_used(folder):
    ended(folder, 3)
    file_in(folder).unlink()
    assert n_trained(folder) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folder": "runs", "minute": 1}, "has 'minute'.*Did you mean 'minutes'"),
        ({"folder": "runs", "minutes": -1}, "minutes=-1, which should be a number >= 0"),
        ({"folder": "runs", "epochs": 0}, "epochs=0, which should be an integer >= 1"),
        ({"folder": "runs", "keep": "yes"}, "keep='yes', which should be True or False"),
        ({"minutes": 1}, "folder=None, which should be a path"),
        ("", "folder='', which should be a path"),
        ("file", "checkpoint='file' should be a folder"),
        ("file/runs", "checkpoint='file/runs' should be a folder"),
    ],
)
def test_wrong_options_are_errors_before_any_work(given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    net, rest = Net().fit(X, y), Ending()
    module = net.module_
    with pytest.raises(ValueError, match=message):
        net.set_params(checkpoint=given, callbacks=[rest]).fit(X, y)
    assert rest.n_begun == 0
    assert net.module_ is module
    assert os.listdir() == ["file"]


def test_a_seed_is_needed_before_the_folder_is_made(tmp_path):
    with pytest.raises(ValueError, match="checkpoint=.*needs a seed.*Set random_state to an int"):
        Net(checkpoint=tmp_path / "new", random_state=None).fit(X, y)
    assert not os.listdir(tmp_path)


def test_schedules_and_optimisers_need_a_state(folder):
    class Plain:
        def step(self):
            pass

    class Own(torch.optim.SGD):
        def state_dict(self):
            return super().state_dict() | {"function": print}

    with pytest.raises(ValueError, match="Plain has neither state_dict nor load_state_dict"):
        Net(checkpoint=folder, lr_schedule=lambda optimizer: Plain()).fit(X, y)
    with pytest.raises(ValueError, match=r"state of optimizer=.*builtin_function_or_method cannot be written"):
        Net(checkpoint=folder, optimizer=Own).fit(X, y)


# ---- how often


@pytest.mark.parametrize(
    ("minutes", "epochs", "seconds", "n_expected"),
    [(0.5, 1, 0.01, 33), (0.5, 20, 0.01, 25), (0.5, 1, 2.0, 5), (0, 3, 2.0, 333)],
)
def test_files_are_written_as_often_as_said_in_a_hundredth_of_the_time(
    minutes, epochs, seconds, n_expected, tmp_path, monkeypatch
):
    """An epoch takes a second."""
    clock = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(files, "write_whole", lambda path, data: clock.append(clock.pop() + seconds))
    journal, n_written = Journal({"folder": tmp_path, "minutes": minutes, "epochs": epochs}), 0
    for epoch in range(1, 1001):
        clock[0] += 1
        if journal.is_due(epoch):
            journal.write(tmp_path / "a", {})
            n_written += 1
    assert n_written == n_expected


def test_short_fits_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "write_whole", None)
    DDML(n_networks=2, checkpoint=tmp_path, **QUICK).fit(X, y)
    assert not os.listdir(tmp_path)


def test_networks_that_ended_between_two_states_are_written_with_the_next(tmp_path):
    journal = Journal(tmp_path)
    journal.put_off(journal.path("A", "0"), {"a": 1})
    assert not os.listdir(tmp_path)
    path = journal.path("A", "1")
    journal.write(path, {"a": 2})
    assert [journal.read(each) for each in journal.paths] == [{"a": 1}, {"a": 2}]
    journal.write(path, {"a": 3})
    assert unpacked(before(path).read_bytes()) == {"a": 2}
    journal.finish()
    assert not os.listdir(tmp_path)
