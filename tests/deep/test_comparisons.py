"""TripletsNet and QuadrupletsNet: the losses, points embedded once, limiting cases, wrong and contradictory tuples."""

import contextlib
import math
from functools import partial

import numpy as np
import pytest
import torch
from discovery import quick
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from torch import nn

from metricnets import SCML, QuadrupletsNet, TripletsNet
from metricnets._draws import random_triplets
from metricnets.constraints import relevance_triplets
from metricnets.deep._training.comparisons import Comparisons, OfComparisons
from metricnets.deep._training.data import Targets
from metricnets.deep._training.similarity import OfPairs
from metricnets.losses import soft_triplet, triplet, triplet_ratio
from metricnets.networks import multi_scale_conv

QUICK = {"max_epochs": 3, "hidden": (8,), "n_components": 4, "device": "cpu", "random_state": 0}
LEARNERS = [(TripletsNet, 3), (QuadrupletsNet, 4)]
VALIDATION = {3: "triplets_val", 4: "quadruplets_val"}
LOSSES = [
    ({"loss": "hinge", "margin": 0.7}, lambda x: max(0.0, 0.7 + x)),
    ({"loss": "logistic", "sharpness": 3.0}, lambda x: math.log(1 + math.exp(3 * x))),
    ({"loss": "ratio", "sharpness": 3.0}, lambda x: 1 / (1 + math.exp(-3 * x)) ** 2),
]


def relevant_first(n_points=40, n_tuples=300, size=3, seed=0):
    """Points (n_points, 6) and tuples of them that compare distances by the first two features."""
    rng = np.random.default_rng(seed)
    X, tuples = rng.normal(size=(n_points, 6)), rng.integers(n_points, size=(n_tuples, size))
    a, b, c, d = X[tuples[:, [0, 1, 0, 2] if size == 3 else [0, 1, 2, 3]].T, :2]
    wrong = np.linalg.norm(a - b, axis=1) > np.linalg.norm(c - d, axis=1)
    tuples[wrong] = tuples[wrong][:, [0, 2, 1] if size == 3 else [2, 3, 0, 1]]
    return X, tuples


# ---- losses


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(("params", "naive"), LOSSES)
def test_the_loss_is_the_mean_over_comparisons(params, naive, squared):
    rng = np.random.default_rng(0)
    z, members = torch.from_numpy(rng.normal(size=(9, 2))), torch.from_numpy(rng.integers(9, size=(12, 4)))
    net, total = QuadrupletsNet(squared=squared, **params), 0.0
    for a, b, c, d in members.tolist():
        near, far = math.dist(z[a], z[b]), math.dist(z[c], z[d])
        total += naive(near**2 - far**2 if squared else near - far)
    targets = Targets(torch.ones(12), members=members)
    assert float(net._loss_of_batch(z, targets)) == pytest.approx(total / 12, abs=1e-5)
    apart = members[(members[:, 0] != members[:, 1]) & (members[:, 2] != members[:, 3])]
    targets = Targets(torch.ones(len(apart)), members=apart)
    assert torch.autograd.gradcheck(lambda z: net._loss_of_batch(z, targets), z.clone().requires_grad_())


@pytest.mark.parametrize(
    ("params", "of_catalogue"),
    [
        ({"loss": "hinge", "margin": 0.5}, partial(triplet, margin=0.5, reduction="all")),
        ({"loss": "logistic", "sharpness": 1.0}, soft_triplet),
        ({"loss": "ratio", "sharpness": 1.0}, triplet_ratio),
    ],
)
def test_all_triplets_of_classes_give_the_loss_of_the_catalogue(params, of_catalogue):
    y = [0, 0, 0, 1, 1, 2]
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 2)))
    triplets = [(a, p, a, n) for a in range(6) for p in range(6) for n in range(6) if p != a and y[p] == y[a] != y[n]]
    targets = Targets(torch.ones(len(triplets)), members=torch.tensor(triplets))
    r = (torch.tensor(y)[:, None] == torch.tensor(y)).double().fill_diagonal_(torch.nan)
    assert_allclose(TripletsNet(**params)._loss_of_batch(z, targets), of_catalogue(z, r), rtol=1e-6)


# ---- rows of a batch, and what they tell about similar points


def test_a_batch_has_each_point_once():
    X, members = torch.arange(20.0).reshape(10, 2), torch.tensor([[7, 3, 7, 5], [5, 3, 5, 7], [0, 1, 2, 9]])
    x, targets = Comparisons(X, Targets(torch.ones(3)), members)[torch.tensor([0, 1])]
    assert_array_equal(x, X[[3, 5, 7]])
    assert_array_equal(x[targets.members], X[members[:2]])


def test_similar_points_are_those_of_the_nearer_pairs():
    rng = np.random.default_rng(0)
    Z, members, weights = rng.normal(size=(30, 3)), rng.integers(30, size=(50, 4)), rng.uniform(1, 2, size=50)
    for w in (None, weights):
        ours, pairs = OfComparisons(members, w), OfPairs(members[:, :2], np.ones(50, bool), w)
        assert_allclose(ours.covariance(Z, np.arange(50)), pairs.covariance(Z, np.arange(50)))
        held = np.arange(20)
        right = [np.linalg.norm(Z[a] - Z[b]) < np.linalg.norm(Z[c] - Z[d]) for a, b, c, d in members[held]]
        expected = right if w is None else right * w[held]
        assert_allclose(ours.quality(Z[None], None, held, ours.truth(None, held)), [expected])
    assert (OfComparisons(members).quality(Z[None] * 0, None, held, members[held]) == 0.5).all()


def test_a_sample_of_comparisons_has_few_points():
    members, rng = np.random.default_rng(0).integers(200, size=(500, 4)), np.random.default_rng(0)
    few, rows = OfComparisons(members, np.arange(500.0)).sample(60, rng)
    assert 50 < len(rows) <= 60
    assert_array_equal(rows[few.members], members[few.weights.astype(int)])
    everything, rows = OfComparisons(members).sample(1000, rng)
    assert_array_equal(rows[everything.members], members)


# ---- limiting cases and invariances


@pytest.mark.parametrize("init", ["wccn", "identity", "glorot"])
def test_quadruplets_with_a_common_point_are_triplets(init):
    X, triplets = relevant_first()
    params = QUICK | {"preprocessor": X, "init": init}
    of_triplets = TripletsNet(**params).fit(triplets)
    of_quadruplets = QuadrupletsNet(**params).fit(triplets[:, [0, 1, 0, 2]])
    assert_array_equal(of_triplets.transform(X), of_quadruplets.transform(X))


@pytest.mark.parametrize(("learner", "size"), LEARNERS)
def test_names_of_points_do_not_matter(learner, size):
    X, tuples = relevant_first(size=size)
    order = np.random.default_rng(1).permutation(len(X))
    expected = learner(preprocessor=X, **QUICK).fit(tuples).transform(X)
    renamed = learner(preprocessor=X[order], **QUICK).fit(np.argsort(order)[tuples])
    assert_array_equal(renamed.transform(X), expected)
    assert_array_equal(learner(**QUICK).fit(X[tuples]).transform(X), expected)


@pytest.mark.parametrize(("learner", "size"), LEARNERS)
def test_the_order_of_tuples_matters_little(learner, size):
    X, tuples = relevant_first(n_tuples=400, size=size)
    new_X, new = relevant_first(seed=1, size=size)
    nets = [learner(preprocessor=X, random_state=0).fit(some) for some in (tuples, tuples[::-1])]
    scores = [net.score(new_X[new]) for net in nets]
    assert min(scores) > 0.8
    assert abs(scores[0] - scores[1]) < 0.04


# ---- what is learned


@pytest.mark.parametrize(("learner", "size"), LEARNERS)
@pytest.mark.parametrize("share_wrong", [0.0, 0.15])
def test_new_tuples_are_predicted_better_than_by_the_euclidean_distance(learner, size, share_wrong):
    X, tuples = relevant_first(n_tuples=600, size=size)
    wrong = np.random.default_rng(2).random(600) < share_wrong
    tuples[wrong] = tuples[wrong][:, [0, 2, 1] if size == 3 else [2, 3, 0, 1]]
    new_X, new = relevant_first(seed=1, size=size)
    raw = learner(preprocessor=X, init="identity", n_components=6, lr=1e-9, max_epochs=1).fit(tuples).score(new_X[new])
    net = learner(preprocessor=X, random_state=0).fit(tuples)
    assert net.score(new_X[new]) > raw + 0.1


def test_a_linear_network_finds_the_features_that_scml_finds():
    X, triplets = relevant_first(n_tuples=600)
    linear = {"hidden": (), "init": "glorot", "input_dropout": 0.0, "dropout": 0.0}
    net = TripletsNet(preprocessor=X, n_components=2, random_state=0, max_epochs=60, **linear).fit(triplets)
    scml = SCML(preprocessor=X, random_state=0).fit(triplets)
    effect = np.linalg.norm(net.transform(np.eye(6)) - net.transform(np.zeros((6, 6))), axis=1)
    assert effect[:2].min() > 3 * effect[2:].max()
    assert net.score(triplets) > scml.score(triplets) - 0.08


def test_weights_decide_between_contradictory_triplets():
    X, triplets = relevant_first(n_tuples=60)
    both = np.concatenate([triplets, triplets[:, [0, 2, 1]]])
    weights = np.repeat([9.0, 1.0], 60)
    likely, unlikely = (
        TripletsNet(preprocessor=X, random_state=0).fit(both, sample_weight=w).score(triplets)
        for w in (weights, weights[::-1])
    )
    assert likely > unlikely + 0.15
    assert np.isfinite(TripletsNet(preprocessor=X, **QUICK).fit(both).transform(X)).all()


@pytest.mark.parametrize(
    ("param", "values"),
    [
        ("loss", ["hinge", "logistic", "ratio"]),
        ("margin", [0.2, 1.0]),
        ("sharpness", [2.0, 8.0]),
        ("squared", [False, True]),
    ],
)
def test_each_parameter_has_an_effect(param, values):
    X, triplets = relevant_first()
    others = {"loss": "hinge"} if param == "margin" else {}
    found = [TripletsNet(preprocessor=X, **QUICK, **others | {param: value}).fit(triplets) for value in values]
    assert len({net.transform(X).tobytes() for net in found}) == len(values)


# ---- networks of the user's, validation data


def test_images_and_several_networks():
    X, y = load_digits(return_X_y=True)
    images = X[:60].reshape(-1, 1, 8, 8).astype(np.float32) / 16
    triplets = random_triplets(y[:60], 80, np.random.RandomState(0))
    network = partial(multi_scale_conv, n_components=3, channels=(2, 4), factors=(1, 2))
    params = {"module": network, "n_networks": 2, "max_epochs": 2, "random_state": 0}
    by_indices = TripletsNet(preprocessor=images, **params).fit(triplets)
    assert by_indices.transform(images).shape == (60, 6)
    by_images = TripletsNet(**params).fit(images[triplets])
    assert_array_equal(by_indices.transform(images), by_images.transform(images))
    assert_array_equal(by_indices.predict(triplets), by_images.predict(images[triplets]))
    assert by_images.get_metric()(images[0], images[0]) == 0.0


@pytest.mark.parametrize(("name", "size"), [("TripletsNet", 3), ("QuadrupletsNet", 4)])
def test_validation_data(name, size):
    (X, tuples), (_, val) = relevant_first(size=size), relevant_first(n_tuples=50, seed=3, size=size)
    key = VALIDATION[size]
    params = {"preprocessor": X, "early_stopping": True, "lr_schedule": None, "max_epochs": 6}
    stopped = quick(name, **params).fit(tuples, **{key: val})
    valid = [record["valid_loss"] for record in stopped.history_]
    ended = quick(name, **params | {"max_epochs": 1 + int(np.argmin(valid))}).fit(tuples, **{key: val})
    assert_array_equal(stopped.transform(X), ended.transform(X))
    assert "valid_loss" in quick(name, **params).fit(tuples).history_[0]
    with pytest.raises(ValueError, match=f"^{key} is for early stopping, and early_stopping=False"):
        quick(name, preprocessor=X).fit(tuples, **{key: val})
    with pytest.raises(ValueError, match=f"^{key} has no rows"):
        quick(name, **params).fit(tuples, **{key: val[:0]})
    with pytest.raises(ValueError, match=f"^{key} has shape"):
        quick(name, **params).fit(tuples, **{key: val[:, :2]})


@pytest.mark.parametrize(("learner", "size"), LEARNERS)
def test_indicators_and_points_are_not_mixed(learner, size):
    X, tuples = relevant_first(size=size)
    net, key = learner(preprocessor=X, early_stopping=True, **QUICK), VALIDATION[size]
    for train, val in ((tuples, X[tuples]), (X[tuples], tuples), (X[tuples][:, :, None], tuples)):
        with pytest.raises(ValueError, match=f"^{key} has shape .*: one has indicators, the other points"):
            net.fit(train, **{key: val})


# ---- hostile tuples


@pytest.mark.parametrize(("learner", "size"), LEARNERS)
class TestHostile:
    def test_few_or_equal_points(self, learner, size):
        rng = np.random.default_rng(0)
        same = "compare two distances of the same points"
        for tuples, message in (
            (rng.normal(size=(1, size, 30)), None),  # one tuple, of more features than points
            (np.ones((5, size, 3)), same),  # equal points
            (np.repeat(rng.normal(size=(4, 1, 3)), size, axis=1), same),  # tuples of one point
        ):
            with pytest.warns(UserWarning, match=message) if message else contextlib.nullcontext():
                net = learner(**QUICK).fit(tuples)
            assert np.isfinite(net.decision_function(tuples)).all()

    def test_wrong_indices_and_values(self, learner, size):
        X, tuples = relevant_first(size=size)
        with pytest.raises(ValueError, match="indices run from .* but preprocessor has 9 points"):
            learner(preprocessor=X[:9], **QUICK).fit(tuples)
        with pytest.raises(ValueError, match="no preprocessor to look them up in"):
            learner(**QUICK).fit(tuples)
        with pytest.raises(ValueError, match="preprocessor.*NaN"):
            learner(preprocessor=X * np.nan, **QUICK).fit(tuples)
        with pytest.raises(ValueError, match=f"tuples of {size} points are needed"):
            learner(preprocessor=X, **QUICK).fit(tuples[:, 1:])
        for some, val in ((csr_matrix(X), None), (X[tuples], csr_matrix(X))):
            with pytest.raises(TypeError, match="tuples of points cannot be a sparse matrix"):
                learner(early_stopping=True, **QUICK).fit(some, **{VALIDATION[size]: val})
        with pytest.raises(ValueError, match="sample_weight is zero for all (tri|quadru)plets"):
            learner(preprocessor=X, **QUICK).fit(tuples, sample_weight=np.zeros(len(tuples)))


# ---- triplets by relevance


def test_triplets_by_relevance():
    rng, n = np.random.RandomState(0), 12
    r = rng.uniform(size=(n, n)).round(1)
    r[rng.uniform(size=(n, n)) < 0.3] = np.nan
    a, b, c = relevance_triplets(r, 20_000, rng, min_gap=0.15).T
    assert (r[a, b] - r[a, c] > 0.15).all()
    assert (a != b).all()
    assert (a != c).all()
    possible = np.array([[i != j and any(r[i, j] - r[i, k] > 0.15 for k in set(range(n)) - {i}) for j in range(n)]
                         for i in range(n)])  # fmt: skip
    expected = np.where(possible, np.nan_to_num(r), 0)
    drawn = np.bincount(a * n + b, minlength=n * n).reshape(n, n) / len(a)
    assert_allclose(drawn, expected / expected.sum(), atol=0.01)
    for wrong in (np.zeros((3, 3)), -np.eye(3) - 1, np.ones((3, 2)), np.full((3, 3), np.inf), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="^relevance"):
            relevance_triplets(wrong, 5, rng)


def test_multi_scale_networks_see_reduced_images():
    torch.manual_seed(0)
    network = multi_scale_conv((2, 8, 8), 3, channels=(4,), factors=(4,), normalize=True)
    x = torch.rand(5, 2, 8, 8)
    blocks = x.reshape(5, 2, 2, 4, 2, 4).mean((3, 5), keepdim=True).expand(5, 2, 2, 4, 2, 4).reshape(5, 2, 8, 8)
    assert_allclose(network(x).detach(), network(blocks).detach(), atol=1e-5)
    assert_allclose(network(x).norm(dim=1).detach(), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="images of 1 x 1 pixels are too small"):
        multi_scale_conv((1, 8, 8), factors=(1, 8))
    assert isinstance(network, nn.Sequential)
