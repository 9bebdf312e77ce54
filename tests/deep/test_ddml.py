"""DDML and DDMLPairs: the loss is the paper's, both forms learn, thresholds, initialisation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from metricnets import DDML, DDMLPairs
from metricnets.deep._pairs import Pairs
from metricnets.deep._training.autoencoder import pretrain
from metricnets.deep._training.data import Targets
from metricnets.deep._training.initialization import principal_start
from metricnets.networks import mlp

QUICK = {"max_epochs": 5, "random_state": 0}
FREE = {  # nothing between the paper's loss and its minimum: neither unit norm, nor dropout, nor a closed start
    "init": "glorot",
    "hidden": (256,),
    "n_components": 32,
    "activation": "tanh",
    "normalize": False,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "lr": 0.01,
    "weight_decay": 1.0,
    "margin": 3.0,
    "gap": 1.0,
    "sharpness": 1.0,
    "balanced": False,
    "random_state": 0,
}


@pytest.fixture
def points():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture
def indexed(points):
    """Balanced pairs of digits, as indices, and their labels."""
    X, digit = points
    rng = np.random.default_rng(0)
    pairs = rng.integers(len(X), size=(4000, 2))
    y = np.where(digit[pairs[:, 0]] == digit[pairs[:, 1]], 1, -1)
    kept = np.concatenate([np.flatnonzero(y == 1)[:200], np.flatnonzero(y == -1)[:200]])
    return pairs[kept], y[kept]


def test_distances_end_on_their_sides_of_the_margin():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    X = rng.normal(size=(90, 5)) / 4 + 4 * np.eye(5)[y]
    ddml = DDML(max_epochs=200, **FREE).fit(X, y)
    i, j = np.triu_indices(len(X), k=1)
    squared = ddml.pair_distance(np.stack([X[i], X[j]], axis=1)) ** 2
    similar = y[i] == y[j]
    assert np.mean(squared[similar] < 3 - 1) > 0.99
    assert np.mean(squared[~similar] > 3 + 1) > 0.99


def test_beats_euclid_where_noise_drowns_the_shape():
    X, y = make_moons(600, noise=0.1, random_state=0)
    X = np.hstack([X, np.random.default_rng(0).normal(size=(600, 10))])
    knn = KNeighborsClassifier(3)
    raw = knn.fit(X[:400], y[:400]).score(X[400:], y[400:])
    ddml = DDML(random_state=0).fit(X[:400], y[:400])
    learned = knn.fit(ddml.transform(X[:400]), y[:400]).score(ddml.transform(X[400:]), y[400:])
    assert learned > raw + 0.05


@pytest.mark.parametrize(
    "change", [{"margin": 6.0}, {"gap": 0.5}, {"sharpness": 1.0}, {"balanced": False}, {"sampler": "pairs"}]
)
def test_every_parameter_matters(points, change):
    plain, changed = DDML(**QUICK).fit(*points), DDML(**QUICK, **change).fit(*points)
    assert not np.allclose(plain.transform(points[0]), changed.transform(points[0]))


def test_denoising_autoencoders_restore_their_input_better_than_random_layers(points):
    X = torch.as_tensor(points[0], dtype=torch.float32)

    def best_reconstruction(network):
        """Mean squared error of the best linear decoder, by least squares."""
        with torch.no_grad():
            h = torch.cat([network(X), torch.ones(len(X), 1)], dim=1)
        decoder = torch.linalg.lstsq(h, X).solution
        return float(((h @ decoder - X) ** 2).mean())

    torch.manual_seed(0)
    network = mlp(64, 16, hidden=(32,))
    before = best_reconstruction(network)
    pretrain(network, X, torch.Generator().manual_seed(0), max_epochs=300)
    assert best_reconstruction(network) < 0.8 * before


def test_noise_of_the_autoencoders_matters(points):
    X = torch.as_tensor(points[0], dtype=torch.float32)
    weights = []
    for noise in (0.0, 0.5):
        torch.manual_seed(0)
        network = mlp(64, 16, hidden=())
        pretrain(network, X, torch.Generator().manual_seed(0), noise=noise, max_epochs=3)
        weights.append(network[0][0].weight.detach())
    assert not torch.allclose(*weights)


def test_dae_changes_the_start(points):
    glorot, dae = (DDML(init=init, **QUICK).fit(*points) for init in ("glorot", "dae"))
    assert not np.allclose(glorot.transform(points[0]), dae.transform(points[0]))
    with pytest.raises(ValueError, match="init='dae'"):
        DDML(init="dae", module=torch.nn.Linear(64, 2), **QUICK).fit(*points)


@pytest.mark.parametrize("learner", [DDML, DDMLPairs])
def test_margin_and_gap_leave_room_for_similar_pairs(points, indexed, learner):
    X, (pairs, y) = points[0], indexed
    with pytest.raises(ValueError, match=r"gap=2.0 should be at least 0 and below margin=1.5"):
        learner(margin=1.5, gap=2.0, **QUICK).fit(*(points if learner is DDML else (X[pairs], y)))


# --- pairs


def test_wanted_sides_of_the_margin_with_and_without_a_gap(points, indexed):
    X, (pairs, y) = points[0], indexed
    for gap in (0.0, 1.0):
        settings = FREE | {"gap": gap, "sharpness": 10.0, "hidden": (32,), "max_epochs": 60, "early_stopping": False}
        learner = DDMLPairs(**settings)
        squared = learner.set_params(preprocessor=X).fit(pairs, y).pair_distance(pairs) ** 2
        assert np.mean(np.where(y > 0, squared < 3 - gap, squared > 3 + gap)) > 0.99


def within(learner, X, pairs):
    """Covariance of the differences of pairs after embedding."""
    d = learner.transform(X[pairs[:, 0]]) - learner.transform(X[pairs[:, 1]])
    return d.T @ d / len(d)


STILL = {"lr": 1e-12, "max_epochs": 1, "random_state": 0}  # what is learned is the start


@pytest.mark.parametrize("hidden", [(), (6,), (9, 6)])
def test_a_start_within_whitens_the_differences_of_similar_pairs(hidden):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + 5
    pairs, y = np.arange(400).reshape(-1, 2), np.tile([-1, 1], 100)
    X[pairs[y > 0, 1]] = X[pairs[y > 0, 0]] + rng.normal(size=(100, 6)) * [1, 2, 3, 4, 5, 6]
    shape = {"hidden": hidden, "n_components": 6, "activation": "identity", "normalize": False, "preprocessor": X}
    learner = DDMLPairs(init="within", early_stopping=False, **shape, **STILL).fit(pairs, y)
    found = within(learner, X, pairs[y > 0])
    assert_allclose(found / np.trace(found) * 6, np.eye(6), atol=0.1)  # but for the ridge
    assert_allclose(learner.transform(X).var(axis=0).mean(), 1, rtol=0.02)
    values = np.linalg.eigvalsh(within(DDMLPairs(init="pca", **shape, **STILL).fit(pairs, y), X, pairs[y > 0]))
    assert values[-1] > 10 * values[0]


def test_a_start_within_is_the_closed_form_with_a_ridge():
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(50, 4)) * [1, 2, 3, 4], rng.normal(size=(3, 4))  # fewer differences than features
    network = mlp(4, 4, hidden=())
    principal_start(network, X, D)
    L = network[0][0].weight.detach().numpy().astype(float)
    values, vectors = np.linalg.eigh(np.cov(X.T))
    whitening = vectors.T / np.sqrt(values)[:, None]
    C = whitening @ D.T @ D @ whitening.T
    M = whitening.T @ np.linalg.inv(C + 0.03 * np.trace(C) / 4 * np.eye(4)) @ whitening
    assert_allclose(L.T @ L, M / np.trace(M @ np.cov(X.T)) * 4, rtol=1e-4, atol=1e-5)
    assert_allclose(network(torch.as_tensor(X, dtype=torch.float32)).mean(0).detach(), np.zeros(4), atol=1e-5)


@pytest.mark.parametrize("init", ["pca", "within"])
def test_a_closed_start_of_what_does_not_vary(init):
    X, y = np.ones((20, 2, 3)), np.tile([-1, 1], 10)
    assert np.isfinite(DDMLPairs(init=init, **QUICK).fit(X, y).transform(X[:, 0])).all()
    X[y < 0, 1] += np.random.default_rng(0).normal(size=(10, 3))  # similar points are the same point
    assert np.isfinite(DDMLPairs(init=init, jitter=1.0, **QUICK).fit(X, y).transform(X[:, 0])).all()
    X[..., 1] = X[..., 0]
    assert np.isfinite(DDMLPairs(init=init, **QUICK).fit(X, y).transform(X[:, 0])).all()


def rows_of(jitter, kept=range(6), d=()):
    X = torch.arange(36.0, dtype=torch.float64).reshape(12, *d, -1) ** 2
    targets = Targets(torch.tensor([1, -1, 1, -1, 1, -1]))
    return Pairs(X, targets, torch.arange(12).reshape(6, 2), list(kept), jitter, torch.Generator())


def test_a_closed_start_sees_no_pair_that_is_held_back():
    rows = rows_of(0.0, kept=[0, 1, 5])
    points, differences = rows.sample(10, torch.Generator())
    assert {tuple(x) for x in points} == {tuple(x) for x in rows.X[[0, 1, 2, 3, 10, 11]].tolist()}
    assert_array_equal(differences, rows.X[:1] - rows.X[1:2])
    assert len(rows.sample(2, torch.Generator())[0]) == 4


def test_pairs_without_jitter_are_first_points_then_second_points():
    rows = rows_of(0.0)
    x, targets = rows[torch.tensor([4, 1])]
    torch.testing.assert_close(x, rows.X[[8, 2, 9, 3]])
    assert targets.labels.tolist() == [1, -1]


@pytest.mark.parametrize("d", [(), (3, 1)])
def test_jitter_moves_kept_points_by_differences_of_kept_similar_pairs(d):
    rows = rows_of(0.5, kept=[0, 1, 2, 5], d=d)
    before = rows.X.clone()
    allowed = [sign * 0.5 / 2**0.5 * (before[a] - before[a + 1]) for a in (0, 4) for sign in (1, -1)]
    order = torch.arange(6).repeat(50)
    found = (rows[order][0] - before[rows.members[order].T.reshape(-1)]).reshape(2, 50, 6, -1)
    assert not found[:, :, [3, 4]].any()  # held back
    steps = found[:, :, [0, 1, 2, 5]].reshape(-1, before[0].numel())
    which = torch.cdist(steps, torch.stack(allowed).reshape(4, -1)).min(dim=1)
    assert which.values.max() < 1e-3
    assert which.indices.bincount(minlength=4).min() > 50  # of 400, each of four about equally often
    torch.testing.assert_close(rows.X, before, rtol=0, atol=0)


def test_without_a_similar_pair_among_the_kept_nothing_moves():
    rows = rows_of(1.0, kept=[1, 3])
    torch.testing.assert_close(rows[torch.arange(6)][0], rows_of(0.0)[torch.arange(6)][0], rtol=0, atol=0)
    assert rows.sample(10, torch.Generator())[1].shape == (0, 3)


def test_jitter_is_reproducible_and_leaves_points_and_generators_alone(points, indexed):
    X, (pairs, y) = points[0].copy(), indexed
    before = X.copy()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    settings = {"preprocessor": X, "jitter": 1.0, "early_stopping": False, **QUICK}
    one, two = (DDMLPairs(**settings).fit(pairs, y) for _ in range(2))
    assert torch.rand(1) == expected
    assert_array_equal(one.transform(X), two.transform(X))
    assert one.threshold_ == two.threshold_
    assert_array_equal(X, before)
    formed = DDMLPairs(**settings | {"preprocessor": None}).fit(X[pairs], y)
    assert_array_equal(formed.transform(X), one.transform(X))
    assert formed.threshold_ == one.threshold_
    assert not np.allclose(DDMLPairs(**settings | {"jitter": 0.0}).fit(pairs, y).transform(X), one.transform(X))


def test_jitter_of_images_with_a_network_of_ones_own(points, indexed):
    X, (pairs, y) = points[0].reshape(-1, 1, 8, 8), indexed
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))
    learner = DDMLPairs(module=network, jitter=0.5, early_stopping=False, **QUICK)
    assert learner.set_params(preprocessor=X).fit(pairs, y).score(pairs, y) > 0.6
    for init in ("pca", "within", "dae"):
        with pytest.raises(ValueError, match=f"init='{init}' is for the built-in perceptron"):
            learner.set_params(init=init).fit(pairs, y)


def test_threshold_is_calibrated_on_jittered_pairs_where_none_are_held_back():
    """Of random pairs, with as many features as pairs, those learned by heart are nearer than new ones."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 2, 60)), np.tile([-1, 1], 250)
    X[y == 1, 1] = X[y == 1, 0] + rng.normal(size=(250, 60))
    shape = {"hidden": (), "init": "within", "early_stopping": False, "random_state": 0}
    accuracies = []
    for jitter in (0.0, 1.0):
        learner = DDMLPairs(jitter=jitter, **shape).fit(X[:120], y[:120])
        accuracies.append(accuracy_score(y[120:], learner.predict(X[120:])))
    assert accuracies[1] > accuracies[0] + 0.02
    far = DDMLPairs(jitter=4.0, **shape)
    plain = far.fit(X[:120], y[:120]).threshold_
    assert far.fit(X[:120], y[:120], {"strategy": "max_tnr", "min_rate": 1.0}).threshold_ > plain


def test_pairs_and_indices_give_the_same_bits(points, indexed):
    X, (pairs, y) = points[0], indexed
    formed = DDMLPairs(**QUICK).fit(X[pairs], y)
    by_array = DDMLPairs(preprocessor=X, **QUICK).fit(pairs, y)
    by_function = DDMLPairs(preprocessor=lambda rows: X[rows], **QUICK).fit(pairs, y)
    expected = formed.transform(X)
    assert_array_equal(by_array.transform(X), expected)
    assert_array_equal(by_function.transform(X), expected)
    assert_array_equal(by_array.decision_function(pairs), formed.decision_function(X[pairs]))
    assert by_array.n_features_in_ == formed.n_features_in_ == 64


def test_preprocessor_of_names(points, indexed):
    X, (pairs, y) = points[0], indexed
    names = np.array([f"digit-{i}.png" for i in range(len(X))])
    row_of = {name: row for row, name in enumerate(names)}
    by_name = DDMLPairs(preprocessor=lambda asked: X[[row_of[name] for name in asked]], **QUICK).fit(names[pairs], y)
    assert by_name.score(names[pairs], y) > 0.9


def test_learns_pairs_that_euclid_cannot_tell(indexed, points):
    X, (pairs, y) = points[0], indexed
    scaled = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 16)) / 2])[pairs]
    raw = roc_auc_score(y[::2], -np.linalg.norm(scaled[::2, 0] - scaled[::2, 1], axis=1))
    learned = DDMLPairs(random_state=0).fit(scaled[1::2], y[1::2]).score(scaled[::2], y[::2])
    assert learned > raw + 0.02


def test_prediction_is_the_threshold_on_the_distance(points, indexed):
    X, (pairs, y) = points[0], indexed
    learner = DDMLPairs(preprocessor=X, early_stopping=False, **QUICK).fit(pairs, y)
    distances = learner.pair_distance(pairs)
    assert_array_equal(learner.decision_function(pairs), -distances)
    assert_array_equal(learner.predict(pairs), np.where(distances <= learner.threshold_, 1, -1))
    assert learner.score(pairs, y) == roc_auc_score(y, -distances)
    accuracies = [accuracy_score(y, np.where(distances <= cut, 1, -1)) for cut in distances]
    assert accuracy_score(y, learner.predict(pairs)) == max(accuracies)
    assert_array_equal(learner.set_threshold(0.0).predict(pairs), np.where(distances == 0, 1, -1))
    learner.calibrate_threshold(pairs, y, strategy="max_tpr", min_rate=0.9)
    assert np.mean(learner.predict(pairs)[y == -1] == -1) >= 0.9


def test_calibration_params_are_checked_before_fitting(points, indexed):
    X, (pairs, y) = points[0], indexed
    learner = DDMLPairs(preprocessor=X, early_stopping=False, **QUICK)
    with pytest.raises(ValueError, match="strategy='best'"):
        learner.fit(pairs, y, calibration_params={"strategy": "best"})
    with pytest.raises(NotFittedError):
        learner.predict(pairs)
    learner.fit(pairs, y, calibration_params={"strategy": "max_tnr", "min_rate": 0.95})
    assert np.mean(learner.predict(pairs)[y == 1] == 1) >= 0.95


def test_threshold_holds_for_new_pairs_of_random_points():
    """Nothing can be learned of random pairs: a threshold next to those learned by heart would reject all new ones."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 2, 20)), np.tile([-1, 1], 300)
    X[y == 1, 1] += 2 * X[y == 1, 0]
    learner = DDMLPairs(max_epochs=100, **FREE).fit(X[:400], y[:400])
    held_back = learner._split(400, y[:400], learner._seed())[1]
    assert learner.threshold_ == learner.calibrate_threshold(X[held_back], y[held_back]).threshold_
    by_heart = DDMLPairs(early_stopping=False, max_epochs=100, **FREE).fit(X[:400], y[:400])
    halfway, largest = by_heart.threshold_, by_heart.pair_distance(X[:400])[y[:400] == 1].max()
    assert largest < halfway < learner.threshold_
    nearest = by_heart.pair_distance(X[:400])[y[:400] == -1].min()
    assert halfway == pytest.approx((largest + nearest) / 2)
    accuracy = accuracy_score(y[400:], by_heart.predict(X[400:]))
    close = by_heart.set_threshold(largest)
    for better in (accuracy, accuracy_score(y[400:], learner.predict(X[400:]))):
        assert better > accuracy_score(y[400:], close.predict(X[400:]))


def test_model_selection(points, indexed):
    X, (pairs, y) = points[0], indexed
    learner = DDMLPairs(preprocessor=X, **QUICK)
    folds = KFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(learner, pairs, y, cv=folds)
    manual = [learner.fit(pairs[a], y[a]).score(pairs[b], y[b]) for a, b in folds.split(pairs)]
    assert_allclose(scores, manual)
    assert set(cross_val_predict(learner, pairs, y, cv=folds)) == {-1, 1}
    for scoring in ("accuracy", "f1", "roc_auc", "average_precision", "precision", "recall"):
        assert np.isfinite(cross_val_score(learner, pairs, y, cv=folds, scoring=scoring)).all()
    search = GridSearchCV(learner, {"margin": [2.0, 4.0]}, cv=2).fit(pairs, y)
    assert search.best_score_ > 0.5
    assert is_classifier(learner)
    assert_array_equal(learner.classes_, [-1, 1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda pairs, y: (pairs[:, 0], y), "tuples of 2 points"),
        (lambda pairs, y: (pairs[:, [0, 1, 0]], y), "tuples of 2 points"),
        (lambda pairs, y: (np.where(np.arange(64) == 3, np.nan, pairs), y), "NaN"),
        (lambda pairs, y: (pairs, y[:-1]), "400 pairs and 399 labels"),
        (lambda pairs, y: (pairs, np.ones_like(y)), r"\+1 and -1, or 1 and 0, both"),
        (lambda pairs, y: (pairs, (y + 3) / 2), r"\+1 and -1, or 1 and 0, both"),
        (lambda pairs, y: (np.ones((400, 2), int), y), "no preprocessor"),
    ],
)
def test_bad_pairs(points, indexed, spoil, message):
    X, (pairs, y) = points[0], indexed
    with pytest.raises(ValueError, match=message):
        DDMLPairs(**QUICK).fit(*spoil(X[pairs], y))


@pytest.mark.parametrize("pairs", [np.array([[0, 5]]), np.array([[0.0, 1.0]])])
def test_bad_indices(points, pairs):
    with pytest.raises(ValueError, match="indices"):
        DDMLPairs(preprocessor=points[0][:3], **QUICK).fit(np.repeat(pairs, 2, axis=0), [1, -1])
