"""Callbacks of scikit-learn: every pass is told of, a callback may stop the fit, and nothing is left behind."""

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, needs_torch, quick, training_data
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets.exceptions import FitInterrupted
from metricnets.metrics import get_scorer

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn is older than 1.9")
_progressbar = pytest.importorskip("sklearn.callback._progressbar")
SHOWN = ["LMNN", "NCA", "DDML"]  # on every path: alone, in a pipeline, in a search
LEAVES = ["Covariance", "DoubletSVM", "DoubletSVM_Supervised", "GMML", "GMML_Supervised", "KISSME", "KISSME_Supervised"]
LEAVES += ["LDA", "LFDA", "RAML", "RCA", "RCA_Supervised", "XQDA"]  # closed forms, and solvers of others
ITERATIVE = [name for name in METRICS if name not in LEAVES]
DEEP = [name for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.deep")]
pytestmark = [needs_torch, pytest.mark.filterwarnings("ignore:sample_domain= is not given")]


class Recorder:
    """Record what is told; stop, or raise an error, at the end of a pass."""

    def __init__(self, stop_after=None, error=None):
        self.stop_after, self.error = stop_after, error
        self.events, self.passes, self.fitted = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.events.append("begin")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append("end")
        if context.parent is None or fitted_estimator is None:
            return False
        self.passes.append(context.task_name)
        self.fitted.append(fitted_estimator)
        if self.error is not None:
            raise self.error
        return len(self.passes) == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")


class Propagated(Recorder):
    max_propagation_depth = None


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """No thread, no run of a progress bar."""
    before = set(threading.enumerate())
    yield
    bars = [thread for thread in set(threading.enumerate()) - before if "Monitor" in type(thread).__name__]
    assert bars == []
    assert not _progressbar._run_monitors
    assert not _progressbar._run_queues


def points_of(name):
    X = training_data(name)[0]
    return X.reshape(-1, X.shape[-1])


def own_state(estimator):
    return {key for key in vars(estimator) if "callback" in key or "task" in key} - {"callbacks"}


@pytest.mark.parametrize("name", ITERATIVE)
def test_every_pass_is_told_of_and_the_bits_are_those_without_callbacks(name):
    told = Recorder()
    learner = quick(name).set_callbacks(told).fit(*training_data(name))
    plain = quick(name).fit(*training_data(name))
    assert_array_equal(learner.transform(points_of(name)), plain.transform(points_of(name)))
    assert own_state(learner) == {"_skl_callbacks"}
    assert own_state(learner.set_callbacks()) == set()
    assert told.events.count("begin") == told.events.count("end")
    assert told.events[:2] + told.events[-2:] == ["setup", "begin", "end", "teardown"]
    assert told.passes == ["epoch" if name in DEEP else "iteration"] * len(told.passes)
    assert len(told.passes) > 0
    if name in DEEP:
        assert len(told.passes) == len(learner.history_)
    elif not name.startswith(("OASIS", "MultiViewOASIS", "DMLEig", "MMC")):  # they have other steps too
        assert len(told.passes) == learner.n_iter_


@pytest.mark.parametrize("name", LEAVES)
def test_a_fit_without_passes_is_told_of_too(name):
    told = Recorder()
    quick(name).set_callbacks(told).fit(*training_data(name))
    assert told.events == ["setup", "begin", "end", "teardown"]


@pytest.mark.parametrize("name", ITERATIVE)
def test_a_pass_gives_what_a_fit_of_as_many_passes_gives(name):
    told = Recorder()
    one_layer = {"n_layers": 1} if "ISA" in name else {}  # another layer has embeddings of another width
    learner = quick(name, **one_layer).set_callbacks(told)
    Z = learner.fit(*training_data(name)).transform(points_of(name))
    before = [fitted.transform(points_of(name)) for fitted in told.fitted]
    assert all(np.isfinite(z).all() and z.shape == Z.shape for z in before)
    if name not in ("MMC", "MMC_Supervised", "OASIS_Supervised"):  # where the last step is not the end of a pass
        np.testing.assert_allclose(told.fitted[-1].transform(points_of(name)), Z, atol=1e-6)
    if hasattr(learner, "threshold_"):
        assert np.isfinite(told.fitted[0].threshold_)
        assert_array_equal(told.fitted[0].classes_, learner.classes_)


def test_a_stream_may_be_stopped_before_a_view_comes():
    triplets = np.tile(training_data("MultiViewOASIS")[0], (3, 1, 1))
    triplets[:150, :, :2] = np.nan
    learner = quick("MultiViewOASIS", shuffle=False).set_callbacks(Recorder(stop_after=1)).fit(triplets)
    assert learner.n_iter_ == 128
    assert np.isfinite(learner.transform(triplets[150])).all()


def test_callbacks_of_an_upper_layer_see_the_epochs_below():
    told = Recorder()
    learner = quick("DNLML_ISA").set_callbacks(told).fit(*training_data("DNLML_ISA"))
    assert [len(fitted.history_) for fitted in told.fitted] == [*range(1, len(learner.history_) + 1)]
    assert [epoch["layer"] for epoch in told.fitted[-1].history_] == [epoch["layer"] for epoch in learner.history_]


@pytest.mark.parametrize("name", ["ITML", "LDML"])
def test_the_threshold_of_a_pass_counts_weights(name, pairs):
    weights = np.random.default_rng(0).integers(0, 4, len(pairs[1]))
    told = Recorder()
    quick(name).set_callbacks(told).fit(*pairs, sample_weight=weights)
    for fitted in told.fitted:
        expected = copy.copy(fitted).calibrate_threshold(*pairs, sample_weight=weights).threshold_
        assert fitted.threshold_ == expected


@pytest.mark.parametrize("name", ITERATIVE)
def test_a_callback_stops_the_fit_without_a_warning(name):
    told = Recorder(stop_after=1)
    learner = quick(name).set_callbacks(told)
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", "sample_domain")
        learner.fit(*training_data(name))
    assert len(told.passes) == 1
    assert told.events[-2:] == ["end", "teardown"]
    Z, after = learner.transform(points_of(name)), told.fitted[0].transform(points_of(name))
    np.testing.assert_allclose(Z, after, atol=1e-6 * np.abs(Z).max())
    if name in DEEP:
        assert len(learner.history_) == 1
    if name.startswith("MMC"):
        assert not learner.converged_


def test_passes_of_a_stream_of_pairs_know_the_pairs_that_are_kept(pairs):
    X, y = pairs
    X, y = X[np.argsort(y)], np.sort(y) > 0
    recorder, n = Recorder(), np.count_nonzero(~y)
    learner = ESTIMATORS["DDMLPairs"](max_epochs=2, early_stopping=False, random_state=0).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="no similar or no dissimilar"):
        learner.partial_fit(X[:n], y[:n])
    assert recorder.events[-2:] == ["end", "teardown"]
    assert not recorder.passes
    learner.partial_fit(X[n:], y[n:])  # of similar pairs alone
    told = recorder.fitted[-1]
    assert told.threshold_ == learner.threshold_
    assert_array_equal(told.classes_, [False, True])
    assert_array_equal(told.predict(X), learner.predict(X))


@pytest.mark.parametrize("name", ["DDMLPairs", "KISSME", "GMML"])
def test_a_batch_of_which_nothing_is_learned_is_not_scored(name, pairs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    learner = quick(name).set_callbacks(monitor)
    learner = learner.set_params(early_stopping=False) if name == "DDMLPairs" else learner
    X, y = pairs
    with pytest.warns(UserWarning, match="similar"):
        learner.partial_fit(X[y < 0], y[y < 0])
    with pytest.raises(ValueError, match="No logs"):
        monitor.get_logs()


def test_no_further_network_is_trained_after_a_stop(points):
    told = Recorder(stop_after=5)
    learner = quick("DDML", n_networks=3, max_epochs=3).set_callbacks(told).fit(*points)
    assert len(learner.history_) == 5


def test_the_weights_of_the_best_epoch_are_those_of_a_pass(points):
    """As they are those of a fit that ends there."""
    told = Recorder()
    params = {"early_stopping": True, "lr": 0.5, "lr_schedule": None, "max_epochs": 6}
    learner = quick("DDML", **params).set_callbacks(told).fit(*points)
    losses = [record["valid_loss"] for record in learner.history_]
    assert np.argmin(losses) < 5  # or the case is too easy
    assert_array_equal(told.fitted[-1].transform(points[0]), learner.transform(points[0]))


def test_callbacks_are_told_the_arguments_of_the_user(pairs):
    class Told(Recorder):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            assert X is pairs[0]
            assert y is pairs[1]

    quick("LDML").set_callbacks(Told()).fit(*pairs)


@pytest.mark.parametrize("name", ["SCML", "LSML"])
def test_triplets_and_quadruplets_have_targets_to_score(name):
    tuples, _ = training_data(name)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    learner = quick(name).set_callbacks(monitor).fit(tuples)
    scores = [row["accuracy"] for row in monitor.get_logs().data]
    assert scores[0] == pytest.approx(learner.score(tuples), abs=0.02)  # of the whole fit, which comes first


# --- scikit-learn's own callbacks


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize(
    ("scoring", "error"), [("accuracy", AttributeError), (None, TypeError), ("map_at_r", ValueError)]
)
def test_a_monitor_of_learners_from_points_needs_scorers_of_metrics(name, scoring, error, points):
    learner = quick(name).set_callbacks(callback.ScoringMonitor(scoring=scoring))
    with pytest.raises(error, match="has none of .*predict|should have a 'score' method|not a valid scoring value"):
        learner.fit(*points)
    with pytest.raises(NotFittedError):
        learner.transform(points[0])


def monitored(name, monitor):
    return quick(name).set_callbacks(monitor)


def new_monitor():
    return callback.ScoringMonitor(scoring={"map_at_r": get_scorer("map_at_r")})


@pytest.mark.parametrize("name", SHOWN)
def test_a_bar_and_a_monitor_alone(name, points, capsys):
    pytest.importorskip("rich")
    monitor = new_monitor()
    learner = quick(name).set_callbacks(callback.ProgressBar(), monitor).fit(*points)
    assert f"{name} - fit" in capsys.readouterr().out
    rows = monitor.get_logs().data
    assert rows[0]["map_at_r"] == get_scorer("map_at_r")(learner, *points)
    assert rows[-1]["map_at_r"] == pytest.approx(rows[0]["map_at_r"])
    assert {row["task_name"] for row in rows[1:]} == {"epoch" if name == "DDML" else "iteration"}
    again = pickle.loads(pickle.dumps(clone(learner)))
    assert own_state(again) == {"_skl_callbacks"}


@pytest.mark.parametrize(("name", "n_jobs"), [*((name, 1) for name in SHOWN), ("NCA", 2)])
def test_a_bar_and_a_monitor_in_a_pipeline_in_a_search(name, n_jobs, points, capsys):
    pytest.importorskip("rich")
    monitor = new_monitor()
    step = name.lower()
    pipeline = make_pipeline(StandardScaler(), monitored(name, monitor), KNeighborsClassifier())
    search = GridSearchCV(pipeline, {f"{step}__n_components": [1, 2]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The estimator KNeighborsClassifier does not support callbacks")
        search.fit(*points)
    assert f"{name} - fit" in capsys.readouterr().out
    data = monitor.get_logs().data
    assert {row["estimator_name"] for row in data} == {name}
    assert len({row["parent_task_id_path"] for row in data if row["task_name"] in ("epoch", "iteration")}) == 5
    assert own_state(search.best_estimator_[1]) == {"_skl_callbacks"}
    plain = GridSearchCV(
        make_pipeline(StandardScaler(), quick(name), KNeighborsClassifier()), search.param_grid, cv=2
    ).fit(*points)
    assert_array_equal(search.best_estimator_[:2].transform(points[0]), plain.best_estimator_[:2].transform(points[0]))


# --- fits that do not end well


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()], ids=["failed", "interrupted"])
@pytest.mark.parametrize("name", [*SHOWN, "ITML", "SDML", "DDMLPairs"])
def test_a_fit_that_fails_leaves_nothing_behind(name, error):
    pytest.importorskip("rich")
    learner = quick(name).fit(*training_data(name))
    before, Z = vars(learner).copy(), learner.transform(points_of(name))
    told = Propagated(error=error)
    learner.set_callbacks(callback.ProgressBar(), told)
    with pytest.raises(type(error)):
        learner.fit(*training_data(name))
    assert told.events[-1] == "teardown"
    if name in DEEP and isinstance(error, KeyboardInterrupt):
        assert len(learner.history_) == 1  # the epoch that had ended
        assert own_state(learner) == {"_skl_callbacks"}
        return
    assert vars(learner.set_callbacks()) == before
    assert_array_equal(learner.transform(points_of(name)), Z)


@pytest.mark.parametrize("name", SHOWN)
def test_wrong_data_leave_nothing_behind(name, points, capsys):
    pytest.importorskip("rich")
    X, y = points
    learner = quick(name).set_callbacks(callback.ProgressBar())
    with pytest.raises(ValueError, match="NaN"):
        learner.fit(np.where(X > 0, X, np.nan), y)
    assert own_state(learner) == {"_skl_callbacks"}
    with pytest.raises(ValueError, match=r"n_components|DDML|NCA|LMNN"):
        quick(name, n_components=0).set_callbacks(callback.ProgressBar()).fit(X, y)


@pytest.mark.parametrize("name", ["NCA", "DDML"])
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()], ids=["failed", "interrupted"])
def test_a_nested_fit_that_fails_leaves_nothing_behind(name, error, points, capsys):
    pytest.importorskip("rich")
    learner = quick(name)
    pipeline = make_pipeline(StandardScaler(), learner).set_callbacks(
        callback.ProgressBar(max_propagation_depth=None), Propagated(error=error)
    )
    with pytest.raises(type(error)) as raised:
        pipeline.fit(*points)
    assert own_state(learner) == set()
    assert hasattr(learner, "history_") == (raised.type is FitInterrupted)


class Fitting(Recorder):
    """Fit another learner while one is fitted."""

    def __init__(self, other, data):
        super().__init__()
        self.other, self.data = other, data

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.parent is not None:
            self.other.fit(*self.data)


@pytest.mark.parametrize("name", ["LMNN", "DDML"])
def test_a_fit_within_a_pass_of_another_fit(name, points, capsys):
    pytest.importorskip("rich")
    inner = quick("DDML", max_epochs=2).set_callbacks(callback.ProgressBar())
    outer = quick(name).set_callbacks(Fitting(inner, points)).fit(*points)
    assert_array_equal(outer.transform(points[0]), quick(name).fit(*points).transform(points[0]))
    assert_array_equal(inner.transform(points[0]), quick("DDML", max_epochs=2).fit(*points).transform(points[0]))


def test_a_callback_that_draws_numbers_changes_no_bits(points):
    torch = pytest.importorskip("torch")

    class Drawing(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            torch.rand(3)

    def module(shape):
        return torch.nn.Sequential(torch.nn.Linear(*shape, 3), torch.nn.Dropout(0.5))

    params = {"module": module, "hidden": (128,)}
    with_numbers = quick("EmbeddingNet", **params).set_callbacks(Drawing()).fit(*points)
    assert_array_equal(
        with_numbers.transform(points[0]), quick("EmbeddingNet", **params).fit(*points).transform(points[0])
    )


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="FitCallback"):
        quick("LMNN").set_callbacks("bar")
