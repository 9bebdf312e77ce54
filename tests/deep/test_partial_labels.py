"""Samples without a label, and wrong labels: laws over all learners with these parameters, and what they gain."""

import pickle

import numpy as np
import pytest
import torch
from deep_learners import data
from deep_learners import learner as deep_learner
from discovery import ESTIMATORS, METRICS, quick, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from metricnets import EmbeddingNet, SourceOnly
from metricnets.deep._training.consistency import WithUnlabelled, consistency
from metricnets.deep._training.revision import cards, nearest_shares, unit_components
from metricnets.deep._training.wrong_labels import is_better_without
from metricnets.exceptions import FitInterrupted

LEARNERS = [name for name in METRICS if "unlabeled" in ESTIMATORS[name]._get_param_names()]
WAYS = {
    "self_training": {"unlabeled": "self_training"},
    "label_spreading": {"unlabeled": "label_spreading"},
    "consistency": {"unlabeled": "consistency"},
    "small_loss": {"label_noise": "small_loss"},
    "soft_labels": {"label_noise": "soft_labels"},
    "both": {"label_noise": "small_loss", "unlabeled": "label_spreading"},
}
X, CLASSES = tiny_points()
HIDDEN = np.arange(45) % 3 == 0
Y = np.where(HIDDEN, -1, CLASSES)

every_learner = pytest.mark.parametrize("name", LEARNERS)
every_way = pytest.mark.parametrize("way", WAYS)
pytestmark = pytest.mark.filterwarnings("ignore:.*labels in y are negative")


def learner(name, way, **params):
    return quick(name, **{"max_epochs": 1} | WAYS[way] | params)


def test_all_learners_from_classes_are_here():
    assert {"DDML", "HRAML", "EmbeddingNet", "Mahalanobis", "SupervisedDeepHashing"} <= set(LEARNERS)


@pytest.mark.parametrize(
    ("name", "way"), [*((name, "label_spreading") for name in LEARNERS), *(("EmbeddingNet", way) for way in WAYS)]
)
def test_the_most_probable_classes_are_of_y_and_labels_that_are_trusted_stay(name, way):
    names = np.array(["ant", "bee", "cow"])[CLASSES].astype(object)
    names[HIDDEN] = None
    model = learner(name, way).fit(X, names)
    assert model.transform(X).shape[0] == 45
    assert set(model.transduction_) <= {"ant", "bee", "cow"}
    if "label_noise" not in WAYS[way]:
        assert_array_equal(model.transduction_[~HIDDEN], names[~HIDDEN])


@pytest.mark.parametrize(
    ("name", "way"),
    [*((name, "consistency") for name in LEARNERS), *(("DDML", way) for way in ("self_training", "label_spreading"))],
)
def test_without_a_sample_to_label_it_is_the_fit_without_the_parameter(name, way):
    expected = quick(name, max_epochs=1).fit(X, CLASSES).transform(X)
    model = learner(name, way).fit(X, CLASSES)
    assert_array_equal(model.transform(X), expected)
    assert_array_equal(model.transduction_, CLASSES)
    assert not hasattr(model.set_params(unlabeled=None).fit(X, CLASSES), "transduction_")


@pytest.mark.parametrize("way", ["label_spreading", "self_training"])
def test_points_of_any_shape_with_a_module(way):
    images, names = data("EmbeddingNet of images")[0], CLASSES.astype(float)
    names[HIDDEN] = np.nan
    params = WAYS[way] | {"max_epochs": 1}
    net = deep_learner("EmbeddingNet of images", **params).fit(images, names)
    assert_array_equal(net.transduction_[~HIDDEN], CLASSES[~HIDDEN])


def test_every_spelling_of_an_unknown_label():
    expected = learner("Mahalanobis", "consistency").fit(X, Y).transform(X)
    for unknown in (np.nan, None, -7):
        y = CLASSES.astype(object)
        y[HIDDEN] = unknown
        assert_array_equal(learner("Mahalanobis", "consistency").fit(X, y).transform(X), expected)


@every_learner
def test_samples_without_a_label_are_twice_in_a_batch(name):
    model = learner(name, "consistency").fit(X, Y)
    assert np.isfinite(model.history_[0]["train_loss"])
    assert_array_equal(model.transduction_[~HIDDEN], CLASSES[~HIDDEN])


def test_points_that_are_equal_have_no_components():
    assert not unit_components(np.full((5, 2), 0.1)).any()


@every_way
def test_no_label_at_all_is_named(way):
    with pytest.raises(ValueError, match="no known class"):
        learner("DDML", way).fit(X, [None] * 45)
    with pytest.raises(ValueError, match="one (known )?class only"):
        learner("DDML", way).fit(X, np.where(CLASSES == 1, 1, -1))


@every_way
def test_a_warm_start_goes_on_from_the_last_solution(way):
    model = learner("EmbeddingNet", way, warm_start=True, n_networks=2, init="glorot").fit(X, Y)
    again = pickle.loads(pickle.dumps(model)).set_params(lr=1e-12, weight_decay=0.0).fit(X, Y)
    assert_allclose(again.transform(X), model.transform(X), atol=1e-5)
    anew = clone(model).set_params(random_state=1).fit(X, Y)
    assert not np.allclose(anew.transform(X), model.transform(X), atol=1e-3)


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True, "validation_fraction": 0.3},
        {"class_weight": {0: 0.0, 1: 2.0}},
        {"loss": "proxy_anchor"},
        {"memory": 16},
        {"module": lambda shape: nn.Linear(*shape, 3), "n_components": 64, "hidden": (128,)},
    ],
    ids=lambda params: next(iter(params)),
)
def test_a_warm_start_of_labels_that_are_revised_and_other_parameters(params):
    model = learner("EmbeddingNet", "both", warm_start=True, **params).fit(X, Y)
    before, found = model.transform(X), model.transduction_
    model.set_params(lr=1e-12, loss_lr=1e-12, weight_decay=0.0).fit(X, Y)
    assert_allclose(model.transform(X), before, atol=1e-5)
    assert len(model.transduction_) == len(found)


@every_way
def test_a_stream_is_refused_and_goes_on_without_the_parameters(way):
    model = learner("EmbeddingNet", way).fit(X, Y)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        model.partial_fit  # noqa: B018
    assert "compares all samples; set it to None, or use fit" in str(error.value.__cause__ or error.value)
    model.set_params(unlabeled=None, label_noise=None).partial_fit(X, CLASSES)
    assert not hasattr(model, "transduction_")


@pytest.mark.parametrize("way", ["consistency", "both"])
def test_samples_of_weight_zero_are_left_out(way):
    weights = np.arange(45) % 4 != 0
    model, fewer = learner("EmbeddingNet", way), learner("EmbeddingNet", way)
    model.fit(X, Y, sample_weight=weights)
    assert_array_equal(model.transform(X), fewer.fit(X[weights], Y[weights]).transform(X))
    assert_array_equal(model.transduction_, fewer.transduction_)


@pytest.mark.parametrize("way", ["consistency", "both"])
def test_early_stopping_is_on_labelled_samples(way):
    model = learner("EmbeddingNet", way, early_stopping=True, validation_fraction=0.3, max_epochs=2).fit(X, Y)
    assert all(np.isfinite(record["valid_loss"]) for record in model.history_)
    assert len(model.transduction_) == 45
    given = learner("EmbeddingNet", way, early_stopping=True).fit(X, Y, X_val=X[:12], y_val=CLASSES[:12])
    assert len(given.transduction_) == 45


class Interrupt(Callback):
    n_epochs = 0

    def on_epoch_begin(self, net, **kwargs):
        self.n_epochs += 1
        if self.n_epochs == 3:
            raise KeyboardInterrupt


def test_an_interrupt_keeps_the_rounds_before():
    model = learner("DDML", "self_training", max_epochs=2, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):  # before the first epoch of the second round
        model.fit(X, Y)
    model = learner("DDML", "self_training", max_epochs=4, callbacks=[Interrupt()])
    with pytest.raises(FitInterrupted, match="keeps what it learned, 2 of"):
        model.fit(X, Y)
    assert len(model.transduction_) == 45


def test_weights_of_samples_count_beside_those_of_soft_labels():
    def fitted(weights):
        return learner("Mahalanobis", "soft_labels", max_epochs=3).fit(X, Y, sample_weight=weights).transform(X)

    assert not np.array_equal(fitted(np.arange(45) % 4 + 1.0), fitted(None))
    np.testing.assert_allclose(fitted(np.full(45, 2.0)), fitted(None), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", ["label_spreading", "small_loss", "soft_labels"])
def test_the_order_of_samples_has_no_part_in_the_labels_of_clear_clusters(way):
    points, order = np.eye(3, 4)[CLASSES] * 20 + X * 0.1, np.random.default_rng(0).permutation(45)
    model = learner("DDML", way).fit(points[order], Y[order])
    assert_array_equal(model.transduction_, CLASSES[order])


def test_a_search_scores_labelled_samples():
    grid = {"embeddingnet__unlabeled": [None, "consistency"]}
    net = EmbeddingNet(relation="known_class", max_epochs=1, device="cpu", random_state=0)
    search = GridSearchCV(make_pipeline(net, SourceOnly()), grid, cv=2, error_score="raise")
    assert search.fit(X, Y).best_score_ > 0.4
    classifier = quick("EmbeddingNet", loss="cosface", unlabeled="consistency").fit(X, Y)
    assert classifier.score(X, Y) == classifier.score(X[~HIDDEN], CLASSES[~HIDDEN])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"relation": "absolute"}, "unlabeled='consistency' is for classes"),
        ({"relation": lambda a, b: a}, "unlabeled='consistency' is for classes"),
        ({"noise_rate": 0.2}, "noise_rate=0.2 is for label_noise='small_loss'"),
        ({"unlabeled": "graph"}, "unlabeled"),
    ],
)
def test_parameters_that_do_not_fit_together_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        quick("EmbeddingNet", **{"unlabeled": "consistency"} | params).fit(X, Y)


def test_strings_that_look_like_unknown_labels():
    with pytest.warns(UserWarning, match="y has the string '-1', which is a class"):
        quick("EmbeddingNet", unlabeled="consistency").fit(X, np.where(HIDDEN, -1, CLASSES).astype(str))


@pytest.fixture(scope="module")
def digits():
    points, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:500]
    return points[rows], y[rows]


def test_spreading_gains_on_clusters_with_few_labels():
    points, y = (of_all[np.random.default_rng(0).permutation(1797)[:900]] for of_all in load_digits(return_X_y=True))
    labelled = np.concatenate([np.flatnonzero(y[:350] == c)[:3] for c in range(10)])
    partial, test = np.full(350, -1), np.arange(350, 900)
    partial[labelled] = y[labelled]
    net = EmbeddingNet(unlabeled="label_spreading", max_epochs=3, device="cpu", random_state=0)
    z = net.fit(points[:350], partial).transform(points)
    assert (net.transduction_ == y[:350]).mean() > 0.7
    with_all = KNeighborsClassifier(1).fit(z[:350], net.transduction_).score(z[test], y[test])
    raw = KNeighborsClassifier(1).fit(points[labelled], y[labelled]).score(points[test], y[test])
    assert with_all > raw + 0.05


@pytest.mark.parametrize("way", ["label_spreading", "self_training"])
def test_one_label_of_each_class_is_enough(way):
    y = np.full(45, -1)
    first = [np.flatnonzero(code == CLASSES)[0] for code in range(3)]
    y[first] = [0, 1, 2]
    points = np.eye(3, 4)[CLASSES] * 20 + X * 0.1
    assert_array_equal(learner("DDML", way).fit(points, y).transduction_, CLASSES)


@pytest.mark.parametrize("method", ["small_loss", "soft_labels"])
def test_wrong_labels_are_corrected(digits, method):
    points, y = digits
    rng = np.random.default_rng(0)
    wrong = rng.random(500) < 0.3
    noisy = np.where(wrong, (y + rng.integers(1, 10, size=500)) % 10, y)
    model = EmbeddingNet(label_noise=method, max_epochs=1, device="cpu", random_state=0).fit(points, noisy)
    assert (model.transduction_ == y).mean() > 0.8  # 0.7 as given


@pytest.mark.parametrize(("place", "weight", "expected"), [(0.25, 1, True), (-0.1, 1, False), (0.25, 0.1, False)])
def test_labels_are_left_out_if_samples_held_apart_gain_as_much_as_wrong_labels_cost(place, weight, expected):
    z, codes = np.array([0.0, 0.3, 10.0, 10.3, place, 9.9])[:, None], np.array([0, 1, 1, 1, 0, 1])
    known, held, wrong = np.arange(4), np.arange(4, 6), np.arange(6) == 1
    weights = np.where(np.arange(6) == 4, weight, 1)  # its nearest is the wrong one, or not; a gain of its weight
    assert is_better_without(wrong, codes, 2, [(z, known, held)], weights) == expected


def test_a_share_of_none_keeps_all_labels():
    assert_array_equal(learner("DDML", "small_loss", noise_rate=0.0).fit(X, CLASSES).transduction_, CLASSES)


def test_consistency_is_zero_for_views_that_agree_and_spread_over_the_classes():
    z, codes = torch.eye(2) * 10, torch.tensor([0, 1])
    assert abs(consistency(z, z, z, codes).item() + np.log(2)) < 1e-5  # less the entropy of two equal classes
    assert consistency(z, z.flip(0), z, codes).item() > 10


def test_unlabelled_rows_follow_twice_and_each_has_its_turn():
    codes, rng = np.array([0, -1, 1, -1, -1]), np.random.default_rng(0)
    batches = [*WithUnlabelled([np.array([2, 0, 1])], codes, 4, rng)]
    for rows in batches:
        assert_array_equal(rows[:2], [2, 0])
        assert_array_equal(*np.split(rows[2:], 2))
    assert set(np.concatenate(batches)) == set(range(5))


def test_cards_and_nearest_shares_by_hand():
    rows, codes, weights = cards(np.array([[0.7, 0.25, 0.05], [0, 0, 0], [0, 1, 0]]))
    assert_array_equal(np.c_[rows, codes], [[0, 0], [0, 1], [2, 1]])
    assert_array_equal(weights, [0.7, 0.25, 1])
    shares = nearest_shares(np.array([[0.0], [3.0], [1.0]]), np.array([0, 1, -1]), 3)
    np.testing.assert_allclose(shares[2], [0.8, 0.2, 0])  # 1/1 and 1/4
