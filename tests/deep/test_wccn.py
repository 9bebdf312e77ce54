"""The start of the deep learners: within-class covariance normalisation, and the network that is added to it."""

import pickle
import subprocess
import sys
import threading
from itertools import product

import numpy as np
import pytest
import torch
from discovery import ESTIMATORS, quick, tiny_pairs, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_classification
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import RCA, EmbeddingNet, Mahalanobis, relations
from metricnets._numpy_networks import unit_norm
from metricnets.deep._training import wccn as of_wccn
from metricnets.deep._training.numpy_networks import TorchEmbedding, as_numpy
from metricnets.deep._training.scaling import standardization
from metricnets.deep._training.similarity import RIDGES, OfPairs, OfTargets, Similarity
from metricnets.deep._training.wccn import wccn
from metricnets.networks import Residual

STILL = {"lr": 1e-12, "max_epochs": 1, "random_state": 0}  # what is learned is the start
ALIGNED = {"loss": "alignment"}
SETS = {"iris": load_iris, "wine": load_wine, "digits": load_digits, "breast cancer": load_breast_cancer}


@pytest.fixture
def classes():
    """Centred points of three classes of unequal sizes, in features of unit variance, and the class codes."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [20, 30, 50]))
    X = (rng.normal(size=(100, 6)) + 2 * np.eye(6)[y]) @ rng.normal(size=(6, 6))
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def of_classes(y):
    return OfTargets(torch.as_tensor(y), relations.same_class)


def threads_of(function, seen):
    """The function, which records the threads that call it."""

    def recorded(*args):
        seen.add(threading.get_ident())
        return function(*args)

    return recorded


@pytest.mark.parametrize("kind", ["classes", "pairs", "graded"])
def test_the_map_has_the_same_bits_in_several_threads(classes, kind, monkeypatch):
    X, y = classes
    pairs = np.random.default_rng(0).integers(len(X), size=(90, 2))
    similarity = {
        "classes": of_classes(y),
        "pairs": OfPairs(pairs, np.equal(*y[pairs].T)),
        "graded": OfTargets(torch.as_tensor(y * 1.0), lambda a, b: torch.exp(-((a[:, None] - b) ** 2))),
    }[kind]
    seen, maps = set(), []
    monkeypatch.setattr(of_wccn, "whitened_directions", threads_of(of_wccn.whitened_directions, seen))
    for least, n_jobs in ((1, None), (1, 2), (X.size * 6 / 2 + 1, 2)):
        monkeypatch.setattr(of_wccn, "LEAST", least)
        seen.clear()
        maps.append(wccn(X, similarity, 4, normalize=True, rng=np.random.default_rng(0), n_jobs=n_jobs))
        uses_threads = n_jobs == 2 and least == 1 and kind != "graded"  # a relation may be the user's
        assert (threading.get_ident() in seen) != uses_threads
    for weight, bias in maps[1:]:
        assert_array_equal(weight, maps[0][0])
        assert_array_equal(bias, maps[0][1])


@pytest.fixture
def fixed(monkeypatch):
    """A function that computes the map from classes, with a ridge that is not chosen but given, and no lift."""

    def map_of(X, y, n_components, ridge):
        monkeypatch.setattr(Similarity, "ridges", (ridge,))
        rng = np.random.default_rng(0)
        weight, bias = wccn(X, of_classes(y), n_components, normalize=False, rng=rng)
        assert not bias.any()
        return weight

    return map_of


def within(X, y):
    """Covariance within classes, by loops."""
    C = np.zeros((X.shape[1], X.shape[1]))
    for code in np.unique(y):
        for x in X[y == code]:
            C += np.outer(x - X[y == code].mean(axis=0), x - X[y == code].mean(axis=0))
    return C / (len(X) - len(np.unique(y)))


# --- the formula


@pytest.mark.parametrize("n_components", [2, 6, 9])
@pytest.mark.parametrize("ridge", [0.01, 0.3, 5.0])
def test_the_map_is_the_formula(classes, fixed, ridge, n_components):
    X, y = classes
    V = np.linalg.svd(X, full_matrices=False)[2]
    Z = X @ V.T
    C = within(Z, y)
    values, vectors = np.linalg.eigh(C + ridge * np.trace(C) / 6 * np.eye(6))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    directions = np.linalg.eigh(np.cov((Z @ root).T))[1][:, ::-1][:, :n_components]
    L = directions.T @ root @ V
    L /= np.sqrt(np.mean(np.sum((X @ L.T) ** 2, axis=1)))
    weight = fixed(X, y, n_components, ridge)
    assert weight.shape == (n_components, 6)
    assert_allclose(weight.T @ weight, L.T @ L, rtol=1e-9, atol=1e-12)


def test_features_may_be_divided_by_their_standard_deviations(classes):
    X = classes[0] * [0.01, 1, 10, 100, 1, 1]
    scaled = of_wccn.principal_basis(X, of_wccn.feature_scales(X))
    X_scaled = X / X.std(axis=0)
    vectors = np.linalg.eigh(np.cov(X_scaled.T))[1]
    assert_allclose(np.abs(X @ scaled.T), np.abs(X_scaled @ vectors[:, ::-1]), rtol=1e-6, atol=1e-9)
    assert_array_equal(of_wccn.feature_scales(X * [1, 1, 1, 1, 0, 1])[4], 0)


def test_without_a_metric_and_relevant_component_analysis_are_the_ends(classes, fixed):
    X, y = classes
    euclid, relevant = (fixed(X, y, 6, ridge) for ridge in (1e12, 1e-12))
    assert_allclose(euclid.T @ euclid / (euclid**2).sum() * 6, np.eye(6), atol=1e-9)
    M, of_rca = relevant.T @ relevant, RCA().fit(X, chunks=y).get_mahalanobis_matrix()
    assert_allclose(M / np.trace(M), of_rca / np.trace(of_rca), rtol=1e-6, atol=1e-9)


def test_scale_and_lift(classes):
    X, y = classes
    rng = np.random.default_rng(0)
    similarity = of_classes(y)
    Z = X @ of_wccn.principal_basis(X, np.ones(6)).T
    C = similarity.covariance(Z, np.arange(100))
    for lift in (0.0, 1.0):
        L, b = of_wccn.whitened(Z, C, 0.3, lift, 4)
        assert_allclose(((Z @ L.T) ** 2).sum(axis=1).mean(), 1)
        assert_array_equal(b, [0, 0, 0, lift])
        assert not lift or not L[3].any()
    for n_components, normalize in ((1, True), (4, False)):  # no room for a lift, no use for it
        assert not wccn(X, similarity, n_components, normalize=normalize, rng=rng)[1].any()


@pytest.mark.parametrize(("n_components", "normalize"), [(3, True), (6, True), (9, True), (4, False)])
def test_the_embeddings_by_which_it_is_chosen_are_those_of_the_map(classes, n_components, normalize):
    X, y = classes
    weights = np.random.default_rng(0).uniform(1, 3, size=100)
    C, Z = of_classes(y).covariance(X, np.arange(100)), of_wccn.deviations(X, weights)
    maps = of_wccn.whitened_directions(C, Z.T @ Z / 100, RIDGES, n_components)
    lifts = (0.0, 1.0) if normalize else (0.0,)
    found = of_wccn.embeddings(X, *maps, lifts, n_components, normalize)
    for z, (ridge, lift) in zip(found, product(RIDGES, lifts), strict=True):
        L, b = of_wccn.whitened(X, C, ridge, lift, n_components, weights)
        expected = unit_norm(X @ L.T + b) if normalize else X @ L.T
        assert_allclose(z @ z.T, expected @ expected.T, atol=1e-9)


def test_what_is_found_is_the_mean_relation_to_the_nearest_and_the_three_nearest():
    rng = np.random.default_rng(0)
    z, y, weights = rng.normal(size=(4, 30, 3)), rng.random(30), rng.uniform(1, 2, size=30)
    kept, held = np.arange(20), np.arange(20, 30)
    for w in (None, weights):
        points = OfTargets(torch.as_tensor(y), relations.absolute, w)
        truth = points.truth(kept, held)
        for quality, each in zip(points.quality(z, kept, held, truth), z, strict=True):
            near = [np.argsort([np.linalg.norm(a - b) for b in each[kept]])[:3] for a in each[held]]
            found = [(r[rows[0]] + r[rows].mean()) / 2 for r, rows in zip(truth, near)]
            assert quality == pytest.approx(np.average(found, weights=None if w is None else w[held]))


def test_the_unit_matters_only_before_unit_norm(classes):
    X, y = classes
    maps = [wccn(points, of_classes(y), 4, normalize=True, rng=np.random.default_rng(0)) for points in (X, X * 2.0**9)]
    embedded = [unit_norm(points @ W.T + b) for (W, b), points in zip(maps, (X, X * 2.0**9))]
    assert_allclose(embedded[1] @ embedded[1].T, embedded[0] @ embedded[0].T, atol=1e-9)


# --- the covariance of what is similar


def by_pairs(Z, r):
    """Half the covariance of the differences of pairs with the weights r, by loops."""
    n = len(Z)
    pairs = [(r[i, j], Z[i] - Z[j]) for i in range(n) for j in range(n) if i != j]
    return sum(w * np.outer(d, d) for w, d in pairs) / sum(w for w, _ in pairs) / 2


RELATED = {
    "label sets": (relations.jaccard, lambda rng: rng.integers(2, size=(30, 4))),
    "distributions": (relations.overlap, lambda rng: rng.dirichlet(np.ones(3), size=30)),
    "real targets": (relations.absolute, lambda rng: rng.random(30)),
    "not symmetric": (lambda a, b: 1.0 * (a[:, None] < b[None]), lambda rng: rng.random(30)),
}


@pytest.mark.parametrize("name", RELATED)
def test_covariance_of_the_nearest_targets(name):
    rng = np.random.default_rng(0)
    relation, draw = RELATED[name]
    labels, Z = torch.as_tensor(draw(rng)), rng.normal(size=(30, 3))
    rows = np.arange(5, 30)
    r = relation(labels, labels).double().numpy()[np.ix_(rows, rows)]
    near = np.zeros_like(r)
    for i in range(25):
        others = np.delete(np.arange(25), i)
        near[i, others] = (r[i, others] > 0) & (r[i, others] >= np.sort(r[i, others])[-10])
    found = OfTargets(labels, relation).covariance(Z, rows)
    assert_allclose(found, by_pairs(Z[rows], near), rtol=1e-9, atol=1e-12)


def test_only_the_order_of_graded_relations_matters_for_the_covariance():
    rng = np.random.default_rng(0)
    labels, Z = torch.as_tensor(rng.dirichlet(np.ones(3), size=50)), rng.normal(size=(50, 3))
    alike = OfTargets(labels, lambda a, b: 0.9 + 0.1 * relations.overlap(a, b) ** 2)
    found = OfTargets(labels, relations.overlap).covariance(Z, np.arange(50))
    assert_allclose(found, alike.covariance(Z, np.arange(50)), rtol=1e-9)


def test_covariance_of_rows_in_the_order_of_their_targets():
    rng = np.random.default_rng(0)
    y = np.sort(rng.random(6000))
    Z = np.c_[y, y * rng.normal(size=6000)]  # the variance of the second column depends on y: its mean is E y²
    few, rows = OfTargets(torch.as_tensor(y), relations.absolute).sample(10_000, rng)
    expected = np.diag([0, np.mean(y**2)])
    assert_allclose(few.covariance(Z[rows], np.arange(6000)), expected, rtol=0.1, atol=0.005)


def test_covariance_within_classes(classes):
    X, y = classes
    rows = np.arange(0, 100, 2)
    assert_allclose(of_classes(y).covariance(X, rows), within(X[rows], y[rows]), rtol=1e-9, atol=1e-12)


def test_classes_of_one_size_are_pairs_of_equal_weight(classes):
    X, y = classes[0], np.arange(100) % 4
    same = OfTargets(torch.as_tensor(y), lambda a, b: relations.same_class(a, b))
    found = of_classes(y).covariance(X, np.arange(100))
    assert_allclose(found, same.covariance(X, np.arange(100)), rtol=1e-9, atol=1e-12)
    assert_allclose(found, by_pairs(X, relations.same_class(y, y)), rtol=1e-9, atol=1e-12)


def test_covariance_of_similar_pairs(classes):
    X, rng = classes[0], np.random.default_rng(0)
    members, similar = rng.integers(100, size=(60, 2)), rng.random(60) < 0.5
    some = np.arange(10, 60)
    expected = sum(np.outer(d, d) for d in (X[a] - X[b] for a, b in members[some][similar[some]]))
    found = OfPairs(members, similar).covariance(X, some)
    assert_allclose(found, expected / similar[some].sum() / 2, rtol=1e-9)


def test_a_sample_has_whole_classes_or_several_rows_of_each():
    y = np.r_[np.repeat(np.arange(50), 10), -np.ones(100, int)]
    few, rows = OfTargets(torch.as_tensor(y), relations.known_class).sample(80, np.random.default_rng(0))
    counts = np.unique(y[rows], return_counts=True)[1]
    assert_array_equal(few.labels, y[rows])
    assert_array_equal(counts, np.full(10, 8))
    assert y[rows].min() >= 0


# --- as the start of a network


@pytest.mark.parametrize("name", SETS)
def test_a_network_that_is_not_trained_is_the_map_and_loses_nothing_to_euclid(name):
    X, y = SETS[name](return_X_y=True)
    X, X_new, y, y_new = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    net = EmbeddingNet(**STILL).fit(X, y)
    standardize, linear, *_ = net.module_
    points = (X - (standardize.origin + standardize.mean).numpy()) / standardize.scale.item()
    weight, bias = (parameter.detach().double().numpy() for parameter in (linear.weight, linear.bias))
    assert_allclose(net.transform(X), unit_norm(points @ weight.T + bias), atol=1e-5)
    knn = KNeighborsClassifier(3)
    raw = knn.fit(X, y).score(X_new, y_new)
    assert knn.fit(net.transform(X), y).score(net.transform(X_new), y_new) > raw - 0.02


@pytest.mark.parametrize("params", [{}, {"hidden": ()}, {"activation": "tanh"}, {"activation": "sigmoid"}])
def test_the_perceptron_starts_at_0(classes, params):
    X, y = classes
    one = EmbeddingNet(**STILL | {"random_state": 1}, **params).fit(X, y).transform(X)
    by_map = EmbeddingNet(**STILL | {"random_state": 1}).fit(X, y).transform(X)
    assert_allclose(one, by_map, atol=1e-6)


def test_an_activated_output_would_not_start_at_0(classes):
    with pytest.raises(ValueError, match="activate_output=True.*init='glorot'"):
        EmbeddingNet(activate_output=True).fit(*classes)


@pytest.mark.parametrize("name", ["DDML", "EmbeddingNet", "HRAML", "Mahalanobis"])
@pytest.mark.parametrize("load", [load_wine, load_digits])
def test_single_and_double_precision_start_alike(name, load):
    """Eigenvectors have no sign; where training starts it should not depend on rounding."""
    X, y = load(return_X_y=True)
    net, single = (ESTIMATORS[name](max_epochs=3, random_state=0).fit(Z, y) for Z in (X, X.astype(np.float32)))
    assert_allclose(single.transform(X), net.transform(X), atol=1e-4)


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_features_beside_a_much_larger_one_are_not_lost(scale):
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, np.random.default_rng(0).normal(size=150) * scale])
    net = EmbeddingNet(**STILL).fit(X[::2], y[::2])
    knn = KNeighborsClassifier(3).fit(net.transform(X[::2]), y[::2])
    assert knn.score(net.transform(X[1::2]), y[1::2]) > 0.8


@pytest.mark.parametrize("of_classes", [True, False])
def test_rows_held_back_do_not_influence_the_map(classes, of_classes):
    X, y = classes
    net = EmbeddingNet(early_stopping=True, validation_fraction=0.3, **STILL)
    kept, held_back = net._split(len(y), y if of_classes else None, net._seed())
    targets = y if of_classes else np.eye(4)[y] + np.eye(4)[3]  # classes, or label sets
    moved, changed = X.copy(), X.copy()
    moved[held_back] = X[held_back[::-1]]  # in other rows, as mean and scale are those of all points
    changed[kept] = X[kept[::-1]]
    maps = [net.fit(points, targets).module_[1] for points in (X, moved, changed)]
    assert_array_equal(maps[1].weight.detach(), maps[0].weight.detach())
    assert_array_equal(maps[1].bias.detach(), maps[0].bias.detach())
    assert not np.allclose(maps[2].weight.detach(), maps[0].weight.detach())


def test_pairs_held_back_do_not_influence_the_map():
    pairs, y = tiny_pairs(n_pairs=100)
    net = quick("DDMLPairs")
    held_back = net._split(len(y), y, net._seed())[1]
    moved = pairs.copy()
    moved[held_back] = pairs[held_back].reshape(-1, 4)[::-1].reshape(-1, 2, 4)
    assert_array_equal(*(net.fit(given, y).module_[1].weight.detach() for given in (pairs, moved)))


def made(n_per_class=20, n_classes=3, n_features=5):
    """Points of classes in random order, and the class codes."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(n_classes), n_per_class))
    return rng.normal(size=(len(y), n_features)) + rng.normal(size=(n_classes, n_features))[y], y


X, Y = made()
DRAWN = np.random.default_rng(0)
OF_CLASSES = {
    "classes of two": made(n_per_class=2, n_classes=60),
    "three rows": (np.eye(3), np.array([0, 0, 1])),
    "one of another class": (X, np.arange(60) // 59),
    "more features than rows": made(n_per_class=10, n_features=200),
    "equal points": (np.ones_like(X), Y),
    "two different points": (np.sign(X[:, :1]) * np.ones(5), Y),
    "equal points in each class": (np.eye(3)[Y], Y),
    "constant features": (X * [1, 0, 1, 0, 1] + 7, Y),
    "one feature": (X[:, :1], Y),
    "features of all scales": (X * [1e-8, 1e-4, 1, 1e4, 1e8], Y),
}
OF_OTHERS = {
    "unknown labels": ("known_class", np.where(DRAWN.random(60) < 0.7, -1, Y)),
    "two known labels": ("known_class", np.where(np.arange(60) < 2, np.arange(60), -1)),
    "label sets": ("jaccard", DRAWN.integers(2, size=(60, 4))),
    "distributions": ("overlap", DRAWN.dirichlet(np.ones(3), size=60)),
    "real targets": ("absolute", DRAWN.normal(size=60)),
}


def assert_finite(net, X):
    assert np.isfinite(net.transform(X)).all()
    assert np.isfinite(net.get_metric()(X[0], X[-1]))
    assert all(np.isfinite(record["train_loss"]) for record in net.history_)


@pytest.mark.parametrize("case", OF_CLASSES)
@pytest.mark.parametrize("name", ["DDML", "HRAML", "EmbeddingNet", "Mahalanobis"])
def test_whatever_the_points_the_fit_is_finite_and_silent(name, case):
    X, y = OF_CLASSES[case]
    assert_finite(quick(name).fit(X, y), X)


@pytest.mark.parametrize("case", OF_OTHERS)
@pytest.mark.parametrize("params", [("HRAML", {}), ("EmbeddingNet", ALIGNED), ("Mahalanobis", ALIGNED)])
def test_whatever_the_targets_the_fit_is_finite_and_silent(params, case):
    (name, loss), (relation, y) = params, OF_OTHERS[case]
    net = quick(name, relation=relation, **loss).fit(X, y)
    assert_finite(net, X)
    assert net.module_[1].weight.any()


@pytest.mark.parametrize("case", OF_CLASSES)
def test_whatever_the_points_of_pairs_the_fit_is_finite_and_silent(case):
    X, y = OF_CLASSES[case]
    a, b = np.triu_indices(len(X), k=1)
    some = np.r_[np.flatnonzero(y[a] == y[b])[:40], np.flatnonzero(y[a] != y[b])[:40]]
    pairs, similar = np.stack([X[a], X[b]], axis=1)[some], (y[a] == y[b])[some]
    assert_finite(quick("DDMLPairs", early_stopping=False).fit(pairs, similar), X)


# --- one linear layer


def test_an_untrained_linear_layer_is_the_map(classes):
    X, y = classes
    learner = Mahalanobis(n_components=4, **STILL).fit(X, y)
    standardize = standardization(X)
    rng = np.random.default_rng(learner._seed())
    W = wccn((X - X.mean(axis=0)) / standardize.scale.item(), of_classes(y), 4, normalize=False, rng=rng)[0]
    L = W / standardize.scale.item()
    assert_allclose(learner.get_mahalanobis_matrix(), L.T @ L, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n_components", "n_rows"), [(1, 1), (4, 4), (6, 6), (64, 6)])
def test_the_distance_of_a_linear_layer_is_that_of_its_components(classes, n_components, n_rows):
    X, y = classes
    learner = Mahalanobis(n_components=n_components, max_epochs=3, random_state=0).fit(X, y)
    still = Mahalanobis(n_components=n_components, **STILL).fit(X, y)
    assert learner.components_.shape == (n_rows, 6)
    assert not np.allclose(learner.components_, still.components_, rtol=1e-3)
    expected = np.linalg.norm((X[::2] - X[1::2]) @ learner.components_.T, axis=1)
    assert_allclose(learner.pair_distance(np.stack([X[::2], X[1::2]], axis=1)), expected, rtol=1e-6)
    assert_allclose([learner.get_metric()(a, b) for a, b in zip(X[:8:2], X[1:8:2])], expected[:4], rtol=1e-6)


# --- the residual network


def test_a_residual_network_in_numpy():
    network = Residual(torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.GELU(), torch.nn.Linear(5, 3)), 2.0).double()
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    translated = as_numpy(network.eval())
    assert not isinstance(translated, TorchEmbedding)
    expected = (x + network.network(2.0 * x)).detach()
    torch.testing.assert_close(network(x).detach(), expected)
    assert_allclose(translated(x.numpy()), expected, rtol=1e-12)
    assert isinstance(as_numpy(Residual(torch.nn.LayerNorm(3), 1.0)), TorchEmbedding)


@pytest.mark.parametrize("name", ["DDML", "DDMLPairs", "Mahalanobis"])
def test_a_distance_is_read_without_pytorch(name, tmp_path):
    learner = quick(name).fit(*(tiny_pairs() if name == "DDMLPairs" else tiny_points()))
    (tmp_path / "metric").write_bytes(pickle.dumps(learner.get_metric()))
    script = (
        "import pickle, sys; from pathlib import Path; metric = pickle.loads(Path(sys.argv[1]).read_bytes());"
        "print(metric([0, 1, 2, 3], [1, 1, 0, 1]), 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", script, tmp_path / "metric"], capture_output=True, check=True)
    assert shown.stdout.decode().split() == [str(learner.get_metric()([0, 1, 2, 3], [1, 1, 0, 1])), "False"]


SATURATING = {
    **{name: (name, lambda: load_wine(return_X_y=True)) for name in ("DDML", "HRAML", "EmbeddingNet")},
    "digits": ("DDML", lambda: load_digits(return_X_y=True)),
    "few rows of many features": ("DDML", lambda: make_classification(100, 2000, n_informative=20, random_state=0)),
}


@pytest.mark.parametrize("case", SATURATING)
def test_hidden_units_are_not_saturated(case):
    """At most a third of the inputs of units are beyond ±4, where the activation function is linear or 0."""
    name, load = SATURATING[case]
    X, y = load()
    net = ESTIMATORS[name](random_state=0).fit(X, y)
    seen = []
    hidden = next(layer for layer in net.module_[2].modules() if isinstance(layer, torch.nn.GELU))
    hidden.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].abs() > 4))
    net.transform(X)
    assert torch.cat(seen).float().mean() < 1 / 3
