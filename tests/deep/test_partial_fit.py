"""Streams and warm starts of the deep learners: training that goes on."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from deep_learners import BUILT_IN
from discovery import ESTIMATORS, PAIR_LEARNERS, TUPLE_LEARNERS, quick, tiny_points, training_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.exceptions import NotFittedError

from metricnets._reservoir import Reservoir
from metricnets.deep._training.renewed import ClassSums, renewed, rotated
from metricnets.deep._training.scaling import applied, standardization
from metricnets.deep._training.similarity import OfTargets
from metricnets.deep._training.stream import Memory
from metricnets.deep._training.wccn import whitening_layer
from metricnets.losses import ProxyAnchor
from metricnets.networks import Standardize, fixed_linear, small_conv
from metricnets.relations import same_class

STREAMED = [name for name in BUILT_IN if hasattr(ESTIMATORS[name], "partial_fit")]
WARM = [name for name in BUILT_IN if "warm_start" in ESTIMATORS[name]._get_param_names()]
STILL = {"lr": 1e-12, "weight_decay": 0.0, "max_epochs": 1}  # training that changes nothing
X, y = tiny_points()
BATCHES = np.split(np.arange(40), [13, 27])

waits = pytest.mark.filterwarnings("ignore:.* has no similar or no dissimilar samples")


def learner(name, **params):
    """An unfitted estimator whose parameters suit a stream, with a start that is quick."""
    pairs = {"early_stopping": False} if name in PAIR_LEARNERS else {}
    start = {} if name in ("Mahalanobis", "SupervisedDeepHashing") else {"init": "identity"}
    return quick(name, **{"max_epochs": 1} | pairs | start | params)


def rows_of(name, rows):
    return tuple(array[rows] for array in training_data(name) if array is not None)


def points(name):
    A = training_data(name)[0]
    return A[:, 0] if name in TUPLE_LEARNERS else A


def streamed(model, name, batches=BATCHES):
    for rows in batches:
        model.partial_fit(*rows_of(name, rows))
    return model


def test_the_learners_are_found():
    names = {"DDML", "DDMLPairs", "EmbeddingNet", "HRAML", "Mahalanobis", "MultiViewNet", "SupervisedDeepHashing"}
    assert names == set(STREAMED)
    assert set(WARM) == {*STREAMED, "TripletsNet", "QuadrupletsNet"}


# ------------------------------------------------------------------------------------------------
# Streams.


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_is_kept_gives_the_fit_on_all_samples(name):
    found = streamed(learner(name), name)
    expected = learner(name).fit(*rows_of(name, slice(0, 40)))
    assert_allclose(found.transform(points(name)), expected.transform(points(name)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STREAMED)
def test_a_longer_stream_goes_on_from_the_networks_and_keeps_few_samples(name):
    still = {"class_weight": "balanced"} if name == "Mahalanobis" else {}  # its start would be renewed
    model = streamed(learner(name, replay_size=12, **still), name)
    assert len(model._memory.kept) == 12
    before = model.set_params(**STILL).transform(points(name))
    after = streamed(model, name, BATCHES[:1]).transform(points(name))
    assert_allclose(after, before, atol=1e-5)
    assert len(model._memory.kept) == 12
    assert not np.allclose(streamed(model.set_params(lr=0.1), name, BATCHES[:1]).transform(points(name)), before)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_goes_on_after_a_pickle(name):
    model = streamed(learner(name, replay_size=12), name, BATCHES[:2])
    again = streamed(pickle.loads(pickle.dumps(model)), name, BATCHES[2:])
    found = streamed(model, name, BATCHES[2:])
    assert_array_equal(again.transform(points(name)), found.transform(points(name)))
    for one, other in zip(again._memory.kept.arrays, model._memory.kept.arrays):
        assert_array_equal(one, other)


@pytest.mark.parametrize("name", STREAMED)
def test_a_batch_that_is_refused_loses_nothing(name):
    model, expected = (streamed(learner(name, replay_size=12), name, BATCHES[:2]) for _ in range(2))
    A, b = rows_of(name, BATCHES[2])
    for wrong in ((A[..., :3], b), (A, b[:-1]), (A * np.nan, b)):
        with pytest.raises(ValueError):  # noqa: PT011
            model.partial_fit(*wrong)
    for each in (model, expected):
        streamed(each, name, BATCHES[2:])
    assert_array_equal(model.transform(points(name)), expected.transform(points(name)))


@pytest.mark.parametrize("name", STREAMED)
def test_fit_starts_anew_and_a_stream_goes_on_from_it(name):
    model = streamed(learner(name), name, BATCHES[:1]).fit(*rows_of(name, slice(0, 40)))
    expected = learner(name).fit(*rows_of(name, slice(0, 40)))
    before = model.transform(points(name))
    assert_array_equal(before, expected.transform(points(name)))
    for rows in BATCHES[:2]:
        streamed(model.set_params(**STILL), name, [rows])
        assert_allclose(model.transform(points(name)), before, atol=1e-5)


@waits
@pytest.mark.parametrize("name", STREAMED)
def test_samples_of_one_class_wait_for_others(name):
    order = np.argsort(training_data(name)[1], kind="stable")[:40]
    with pytest.warns(UserWarning, match="has no similar or no dissimilar samples"):
        model = learner(name).partial_fit(*rows_of(name, order[:1]))
    with pytest.raises(NotFittedError):
        model.transform(points(name))
    found = streamed(model, name, np.split(order[1:], [4, 30]))
    expected = learner(name).fit(*rows_of(name, order))
    assert_allclose(found.transform(points(name)), expected.transform(points(name)), rtol=1e-5, atol=1e-6)


def test_what_is_kept_is_of_all_classes_equally_and_as_it_came():
    model = streamed(learner("EmbeddingNet", replay_size=12), "EmbeddingNet", np.split(np.argsort(y), [25]))
    kept, labels, _ = model._memory.kept.arrays
    assert_array_equal(np.bincount(labels), [4, 4, 4])
    places = [np.flatnonzero((row == X).all(axis=1)).item() for row in kept]
    assert_array_equal(y[places], labels)


def test_a_new_class_moves_what_the_network_starts_from():
    model = learner("EmbeddingNet", replay_size=5)
    model.partial_fit(X[y < 2], y[y < 2])
    first = model._solution.layers
    model.partial_fit(X[y < 2][:8], y[y < 2][:8])
    assert model._solution.layers[-1] is first[-1]
    model.partial_fit(X, y)
    assert model._solution.layers[-1] is not first[-1]


@pytest.mark.parametrize("params", [{"loss": "cosface"}, {}])
def test_fewer_samples_are_kept_than_there_are_classes(params):
    model = learner("EmbeddingNet", replay_size=2, **params).partial_fit(X[y < 2], y[y < 2])
    if params:
        with pytest.raises(ValueError, match="replay_size=2 would keep no samples of some of the 3 classes"):
            model.partial_fit(X, y)
        model.set_params(replay_size=3)
    model.partial_fit(X, y)
    first = model._solution.layers
    rows = np.setdiff1d(np.arange(45), np.searchsorted(y, 0))
    model.partial_fit(X[rows], y[rows])  # a class of which no sample is kept is not new
    assert model._solution.layers[-1] is first[-1]
    assert len(model._memory.kept) == (3 if params else 2)


def test_networks_are_the_mean_over_the_samples():
    model = learner("EmbeddingNet", init="glorot", replay_size=5, **STILL).partial_fit(X[:20], y[:20])
    before = model.module_[-1].state_dict()
    rough = pickle.loads(pickle.dumps(model)).set_params(lr=0.01)
    alone = pickle.loads(pickle.dumps(rough))
    alone._memory.kept.n_seen = 6  # as if one more had come before than is kept
    after = rough.partial_fit(X[20:40], y[20:40]).module_[-1].state_dict()
    found = alone.partial_fit(X[20:40], y[20:40]).module_[-1].state_dict()
    for name, weight in after.items():
        assert_allclose(weight, before[name].lerp(found[name], 26 / 40), atol=1e-6)
    assert Memory(Reservoir(5, None, n_seen=300), 100).shrinkage(4) == 0.9


# ------------------------------------------------------------------------------------------------
# The start, renewed.


@pytest.mark.parametrize("normalize", [True, False])
def test_sums_over_batches_give_the_start_of_all_samples(normalize):
    rows, similarity = np.arange(45), OfTargets(torch.from_numpy(y), same_class)
    standardize = standardization(X)
    expected = [standardize, whitening_layer(X, standardize, rows, similarity, 3, normalize, 0)]
    sums = ClassSums.of_none(X)
    for batch in [*BATCHES, np.arange(40, 45)]:
        sums = sums.after(X[batch], y[batch], np.ones(len(batch)))
    before = [standardize, fixed_linear(np.eye(3, 4), np.zeros(3))]
    found = renewed(before, sums, X, rows, similarity, normalize, 0)
    assert_allclose(pdist(applied(found, X)), pdist(applied(expected, X)), rtol=1e-4)


def test_a_stream_with_a_new_class_goes_on_from_a_renewed_start():
    model = learner("EmbeddingNet", init="wccn", replay_size=6, **STILL)
    for rows in np.split(np.argsort(y, kind="stable"), [20, 28]):
        model.partial_fit(X[rows], y[rows])
    assert model._memory.goes_on(np.array([7]))
    assert_allclose(model._memory.sums.groups.counts, [15, 15, 15])
    assert_allclose(model.module_[0].origin + model.module_[0].mean, X.mean(axis=0), rtol=1e-6)
    unknown = learner("EmbeddingNet", init="wccn", replay_size=6, relation="known_class")
    with pytest.warns(UserWarning, match="goes on with the next one"):
        unknown.partial_fit(X, np.full(45, -1))
    assert_allclose(unknown.partial_fit(X, y)._memory.sums.groups.counts, [15, 15, 15])
    far = learner("EmbeddingNet", init="wccn", replay_size=6).set_params(**STILL)
    for rows in BATCHES:  # squares overflow: the start is not renewed
        far.partial_fit(1e200 * X[rows], y[rows])
    assert not far._memory.goes_on(np.array([7]))
    assert np.isfinite(far.transform(1e200 * X)).all()


def test_a_renewed_start_is_rotated_to_the_one_before():
    rng = np.random.default_rng(0)
    layers = [Standardize(0.0, X.mean(axis=0), X.std()), fixed_linear(rng.normal(size=(3, 4)), rng.normal(size=3))]
    R = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned = [layers[0], fixed_linear(R @ layers[1].weight.numpy(), R @ layers[1].bias.numpy())]
    found = rotated(turned, layers, X)
    assert_allclose(found.weight, layers[1].weight, atol=1e-5)
    assert_allclose(found.bias, layers[1].bias, atol=1e-5)


def test_a_classifier_of_a_stream_knows_all_classes():
    model = learner("EmbeddingNet", loss="cosface", replay_size=12)
    for rows in np.split(np.argsort(y, kind="stable"), [20]):
        model.partial_fit(X[rows], np.array(["a", "b", "c"])[y[rows]], classes=["a", "b", "c"])
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.predict_proba(X).shape == (45, 3)
    assert hasattr(learner("EmbeddingNet", loss="cosface"), "partial_fit")


@pytest.mark.parametrize(
    ("name", "params", "reason"),
    [
        ("EmbeddingNet", {"early_stopping": True}, "early_stopping=True"),
        ("DDMLPairs", {"early_stopping": True}, "early_stopping=True"),
        ("EmbeddingNet", {"loss": "cosface", "replay_size": 0}, "replay_size=0"),
        ("Mahalanobis", {"loss": ProxyAnchor(4, 3)}, "may have parameters for each class"),
    ],
)
def test_parameters_that_do_not_suit_a_stream(name, params, reason):
    model = learner(name, **params)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        model.partial_fit  # noqa: B018
    assert reason in str(error.value.__cause__ or error.value)


def test_other_targets_than_before_are_refused():
    model = learner("DDML").partial_fit(X, y)
    with pytest.raises(ValueError, match="use targets of one type"):
        model.partial_fit(X, y.astype(str))


def test_label_sets_images_and_unknown_labels():
    sets = np.eye(3, dtype=int)[y]
    model = learner("HRAML", replay_size=12)
    assert model.partial_fit(X[:20], sets[:20]).partial_fit(X[20:], sets[20:])._memory.kept.arrays[1].shape == (12, 3)
    model = learner("EmbeddingNet", relation="known_class", replay_size=12, hidden=(128,), init="wccn")
    model.set_params(module=lambda shape: small_conv(shape, 3, channels=(4,)))
    images, labels = np.tile(X[:, None, None, :], (1, 1, 4, 1)).astype(np.float32), np.where(y, y, -1)
    for rows in BATCHES:
        model.partial_fit(images[rows], labels[rows])
    assert model.transform(images).shape == (45, 3)
    with pytest.raises(ValueError, match="shape"):
        model.partial_fit(images[:, :, :3], labels)


def test_weights_are_requested_and_kept():
    with sklearn.config_context(enable_metadata_routing=True):
        model = learner("EmbeddingNet").set_partial_fit_request(sample_weight=True)
        assert model.get_metadata_routing().partial_fit.requests["sample_weight"] is True
    weights = np.arange(45) % 3 + 1.0
    found = learner("EmbeddingNet").partial_fit(X[:20], y[:20], sample_weight=weights[:20])
    found.partial_fit(X[20:], y[20:], sample_weight=weights[20:])
    expected = learner("EmbeddingNet").fit(X, y, sample_weight=weights)
    assert_allclose(found.transform(X), expected.transform(X), rtol=1e-5, atol=1e-6)


@waits
@pytest.mark.parametrize("name", STREAMED)
def test_samples_of_weight_zero_are_left_out(name):
    model, expected = learner(name), learner(name)
    for rows in BATCHES:
        A, b = rows_of(name, rows)
        counted = np.ones(len(b), bool) if rows is BATCHES[2] else b == b[0]
        model.partial_fit(A, b, sample_weight=counted)
        expected.partial_fit(A[counted], b[counted])
    assert_array_equal(model.transform(points(name)), expected.transform(points(name)))


def test_targets_are_required():
    with pytest.raises(ValueError, match="requires y to be passed"):
        learner("EmbeddingNet").partial_fit(X, None)


@waits
def test_the_threshold_is_that_of_the_pairs_that_are_kept():
    pairs, similar = training_data("DDMLPairs")
    found = streamed(learner("DDMLPairs"), "DDMLPairs", np.split(np.argsort(similar), [30]))
    order = np.argsort(similar)
    expected = learner("DDMLPairs").fit(pairs[order], similar[order])
    assert found.threshold_ == pytest.approx(expected.threshold_, rel=1e-4)


# ------------------------------------------------------------------------------------------------
# Warm starts.


@pytest.mark.parametrize("name", WARM)
def test_a_warm_start_goes_on_from_the_last_solution(name):
    model = learner(name).fit(*rows_of(name, slice(0, 40)))
    before = model.transform(points(name))
    model.set_params(warm_start=True, **STILL).fit(*rows_of(name, slice(10, 40)))
    assert_allclose(model.transform(points(name)), before, atol=1e-5)
    model.set_params(warm_start=False).fit(*rows_of(name, slice(10, 40)))
    assert not np.allclose(model.transform(points(name)), before, atol=1e-3)


@pytest.mark.parametrize("name", WARM)
def test_a_warm_start_of_other_shapes_is_refused(name):
    model = learner(name, warm_start=True).fit(*rows_of(name, slice(0, 40)))
    before = model.transform(points(name))
    A, *b = rows_of(name, slice(0, 40))
    with pytest.raises(ValueError, match="training goes on from networks"):
        model.fit(A[..., :3], *b)
    model.set_params(n_components=2)
    with pytest.raises(ValueError, match="set it back, set warm_start=False, or fit a clone"):
        model.fit(A, *b)
    if name in STREAMED:
        with pytest.raises(ValueError, match="set it back"):
            model.partial_fit(A, *b)
    assert_array_equal(model.transform(points(name)), before)


def test_members_of_an_ensemble_go_on_one_by_one():
    model = learner("EmbeddingNet", n_networks=2, init="glorot", warm_start=True).fit(X, y)
    before = model.transform(X)
    assert_allclose(model.set_params(**STILL).fit(X, y).transform(X), before, atol=1e-5)
    with pytest.raises(ValueError, match="networks of other shapes"):
        model.set_params(n_networks=3).fit(X, y)
