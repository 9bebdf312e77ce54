"""MMDML: the objective is that of a loop, sets are one unit, the smallest distance by the networks decides."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
import torch
from deep_learners import Linear
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import MMDML, NearestSet
from metricnets.datasets import make_sets
from metricnets.deep._training.manifolds import objective
from metricnets.deep._training.sets import hold_back_sets
from metricnets.deep._training.similarity import OfTargets, deal_sets
from metricnets.metrics import affine_hull_distance, mean_nearest_distance, minimum_distance, one_per_set
from metricnets.relations import same_class

QUICK = {"max_epochs": 2, "hidden": (8,), "n_components": 4, "device": "cpu", "random_state": 0}
PAPER = {
    "common_space": True, "other_sets": False, "distance": "minimum", "margin": 0.0, "init": "glorot",
    "hidden": (200, 100), "n_components": 50, "activation": "tanh", "activate_output": True,
    "normalize": False, "dropout": 0.0, "input_dropout": 0.0, "optimizer": "sgd", "weight_decay": 1e-4,
}  # fmt: skip


@pytest.fixture(scope="module")
def sets():
    """18 sets of six points of three classes, in random order: X, y, groups."""
    X, y, groups = make_sets(18, 6, 6, noise=1.0, random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], np.array(["a", "b", "c"])[y[order]], groups[order]


@pytest.fixture(scope="module")
def fitted(sets):
    X, y, groups = sets
    return MMDML(**QUICK).fit(X, y, groups=groups)


# ------------------------------------------------------------------------------------------------
# The mathematics.


def loop(z, codes, sets, row, k1, k2, margin, alpha, beta, common):
    total = 0.0
    for i in range(len(z)):
        d = {}
        for j in range(len(z)):
            of_i = z[i, codes[i] if common else codes[j]]
            d[j] = ((of_i - z[j, codes[j]]) ** 2).sum()
        own = [j for j in d if codes[j] == codes[i] and row[j] != row[i]]
        near = [j for j in own if sets[j] != sets[i]] or own
        far = [j for j in d if codes[j] != codes[i]]
        means = [np.mean(sorted(d[j] for j in part)[:k]) if part else 0.0 for part, k in ((near, k1), (far, k2))]
        total += np.log1p(np.exp(beta * (margin + means[0] - alpha * means[1]))) / beta
    return total / len(z)


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("k", [(1, 1), (3, 4), (50, 60)])
def test_the_objective_is_that_of_a_naive_loop(k, common):
    rng = np.random.default_rng(0)
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 2, 3, 3])  # one point alone in its class, a class of one set
    sets, row = np.array([0, 0, 1, 1, 2, 3, 3, 4, 5, 5]), np.array([0, 1, 2, 2, 3, 4, 5, 6, 7, 8])  # a row twice
    z = torch.tensor(rng.normal(size=(10, 4, 3)), requires_grad=True)
    options = {"n_within": k[0], "n_between": k[1], "margin": 0.3, "alpha": 0.7, "sharpness": 2.0}
    found = objective(z, *map(torch.from_numpy, (codes, sets, row)), **options, common_space=common)
    expected = loop(z.detach().numpy(), codes, sets, row, *k, 0.3, 0.7, 2.0, common)
    assert_allclose(float(found.detach()), expected, rtol=1e-12)
    found.backward()
    assert z.grad.isfinite().all()
    assert z.grad.abs().sum() > 0


def test_equal_networks_have_one_space():
    z = torch.randn(12, 1, 3, generator=torch.Generator().manual_seed(0)).expand(12, 4, 3)
    rows = torch.arange(12) % 4, torch.arange(12) // 2, torch.arange(12)
    options = {"n_within": 2, "n_between": 2, "margin": 0.1, "alpha": 1.0, "sharpness": 10.0}
    own, common = (objective(z, *rows, **options, common_space=common) for common in (False, True))
    assert_allclose(float(own), float(common), rtol=1e-5)


def test_a_batch_of_one_class_or_one_point_has_a_finite_loss():
    z = torch.ones(3, 2, 4, requires_grad=True)
    zeros = torch.zeros(3, dtype=torch.int64)
    options = {"n_within": 3, "n_between": 3, "margin": 0.0, "alpha": 1.0, "sharpness": 1.0}
    for n in (1, 3):
        loss = objective(z[:n], zeros[:n], zeros[:n], torch.arange(n), **options)
        assert float(loss.detach()) == pytest.approx(np.log(2))
        loss.backward()
    assert z.grad.isfinite().all()


def test_sets_are_dealt_to_folds_as_a_whole_unless_a_class_is_one_set():
    classes = np.repeat([0, 1, 2], [12, 6, 9])
    sets = np.r_[np.repeat(np.arange(4), 3), np.repeat([4, 5], 3), np.full(9, 6)]
    folds = deal_sets(classes, sets, np.random.default_rng(0))
    for s in range(6):
        assert len(set(folds[sets == s])) == 1
    assert_array_equal(np.bincount(folds[sets == 6]), [3, 3, 3])
    targets = OfTargets(torch.from_numpy(classes), same_class, sets=sets)
    few, rows = targets.sample(20, np.random.default_rng(0))
    assert_array_equal(few.sets, sets[rows])


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_sets", [(6, 6, 6), (2, 2), (1, 2, 9), (20, 1, 1, 3)])
def test_whole_sets_of_several_classes_are_held_back_and_each_class_keeps_one(n_sets, fraction):
    classes = np.repeat(np.arange(len(n_sets)), n_sets)
    order = np.random.default_rng(0).permutation(3 * len(classes))
    sets = np.repeat(np.arange(len(classes)), 3)[order]
    codes = classes[sets]
    held = hold_back_sets(codes, sets, fraction, np.random.default_rng(1))
    assert not set(sets[held]) & set(sets[~held])
    assert set(codes[~held]) == set(codes)
    assert len(set(codes[held])) > 1
    n_free = len(classes) - len(n_sets)
    assert len(set(sets[held])) == min(max(4, np.ceil(fraction * len(classes))), n_free)


def test_no_sets_are_held_back_of_classes_of_one_set():
    codes = np.array([0, 0, 1, 1, 2, 2])
    assert not hold_back_sets(codes, codes, 0.5, np.random.default_rng(0)).any()
    assert not hold_back_sets(codes, np.array([0, 3, 1, 1, 2, 2]), 0.5, np.random.default_rng(0)).any()


def test_early_stopping_holds_back_whole_sets(sets, monkeypatch):
    X, y, groups = sets
    seen = []
    prepare = MMDML._prepare

    def spy(*args):
        seen.append(prepare(*args))
        return seen[0]

    monkeypatch.setattr(MMDML, "_prepare", spy)
    model = MMDML(**QUICK, early_stopping=True).fit(X, y, groups=groups)
    kept, held = (set(groups[rows]) for rows in (seen[0].kept, seen[0].held_back))
    assert not kept & held
    assert len(held) == 4
    assert "valid_loss" in model.history_[0]


# ------------------------------------------------------------------------------------------------
# Sets.


@pytest.mark.parametrize(
    ("distance", "function"),
    [("minimum", minimum_distance), ("mean_nearest", mean_nearest_distance), (affine_hull_distance,) * 2],
)
def test_the_smallest_distance_by_the_networks_decides(sets, distance, function):
    X, y, groups = sets
    model = MMDML(**QUICK, distance=distance).fit(X, y, groups=groups)
    n_classes, width = 3, 4
    z = model.transform(X) * n_classes**0.5
    blocks = [z[:, c * width : (c + 1) * width] for c in range(n_classes)]
    for c, (name, block) in enumerate(zip(model.classes_, blocks)):
        assert_allclose(model.manifolds_[c], block[y == name], rtol=1e-4, atol=1e-5)
    d = [[function(block[groups == g], block[y == c]) for c, block in zip(model.classes_, blocks)] for g in groups]
    assert_allclose(model.class_distances(X, groups), d, rtol=1e-3, atol=1e-4)
    assert_array_equal(model.predict(X, groups), model.classes_[model.class_distances(X, groups).argmin(axis=1)])


def test_predictions_are_one_label_for_each_row_the_same_within_a_set(sets, fitted):
    X, y, groups = sets
    predicted = fitted.predict(X, groups=groups)
    names, of_sets = one_per_set(groups, predicted)
    assert fitted.score(X, y, groups) == np.mean(of_sets == one_per_set(groups, y)[1])
    assert_array_equal(fitted.predict(X, groups=[f"unseen {g}" for g in groups]), predicted)
    one = groups == names[0]
    assert_array_equal(fitted.predict(X[one], groups=np.zeros(one.sum())), predicted[one])


def test_without_groups_each_row_is_a_set(sets, fitted):
    X, y, _ = sets
    assert_array_equal(fitted.predict(X), fitted.predict(X, groups=np.arange(len(X))))
    a, b = (MMDML(**QUICK).fit(X, y, groups=groups) for groups in (None, np.arange(len(X))[::-1]))
    assert_array_equal(a.predict(X), b.predict(X))


def test_the_squared_distance_is_the_mean_of_those_of_the_networks(sets, fitted):
    X = sets[0]
    z = fitted.transform(X[:2]) * 3**0.5
    expected = np.mean([np.sum((z[0, c : c + 4] - z[1, c : c + 4]) ** 2) for c in (0, 4, 8)])
    assert fitted.pair_distance(X[None, :2])[0] ** 2 == pytest.approx(expected, rel=1e-6)
    assert fitted.get_metric()(X[0], X[1], squared=True) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("routing", [False, True])
def test_groups_pass_through_a_pipeline(sets, routing):
    X, y, groups = sets
    with sklearn.config_context(enable_metadata_routing=routing):
        model = make_pipeline(StandardScaler(), MMDML(**QUICK))
        given = {"groups": groups} if routing else {"mmdml__groups": groups}
        predicted = model.fit(X, y, **given).predict(X, groups=groups)
        Z = StandardScaler().fit_transform(X)
        direct = MMDML(**QUICK).fit(Z, y, groups=groups)
        assert_array_equal(predicted, direct.predict(Z, groups))
        if routing:
            assert model.score(X, y, groups=groups) == direct.score(Z, y, groups)
            cv, options = GroupKFold(2).set_split_request(groups=True), {"params": given}
        else:
            cv, options = GroupKFold(2), {"params": given, "groups": groups}
        assert np.isfinite(cross_val_score(model, X, y, cv=cv, **options)).all()


@pytest.mark.parametrize(
    "params", [{"n_networks": 2}, {"n_networks": 2, "init": "glorot"}, {"module": Linear}, {"skip": 1.0}]
)
def test_ensembles_and_modules_have_a_block_of_columns_for_each_class(sets, params):
    X, y, groups = sets
    quick = QUICK if "module" not in params else {k: v for k, v in QUICK.items() if k not in ("hidden", "n_components")}
    if "skip" in params:
        params = params | {"init": "glorot", "n_components": 10}
    model = MMDML(**quick | params).fit(X, y, groups=groups)
    z = model.transform(X) * 3**0.5
    width = z.shape[1] // 3
    for c in range(3):
        block = z[y == model.classes_[c], c * width : (c + 1) * width]
        assert_allclose(model.manifolds_[c], block, rtol=1e-4, atol=1e-4)


def test_a_copy_and_a_pickle_predict_the_same(sets, fitted):
    X, _, groups = sets
    for same in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert_array_equal(same.predict(X, groups), fitted.predict(X, groups))


def test_samples_of_weight_0_are_in_no_manifold(sets):
    X, y, groups = sets
    weights = (np.arange(len(X)) % 3 > 0) * (y != "b")
    model = MMDML(**QUICK).fit(X, y, groups=groups, sample_weight=weights)
    assert_array_equal(model.classes_, ["a", "c"])
    assert [len(m) for m in model.manifolds_] == [weights[y == c].sum() for c in model.classes_]


def test_classes_of_one_set_and_sets_of_one_row(sets):
    X, y, _ = sets
    for groups in (y, np.where(y == "a", -1, np.arange(len(y)))):
        model = MMDML(**QUICK, early_stopping=True).fit(X, y, groups=groups)
        assert model.score(X, y, groups) > 0.5


def test_a_class_of_one_row(sets):
    X, y, _ = sets
    y = y.copy()
    y[0] = "d"
    model = MMDML(**QUICK).fit(X, y)
    assert len(model.manifolds_[3]) == 1
    assert model.predict(X[:1]) == "d"


# ------------------------------------------------------------------------------------------------
# It learns.


def accuracy(model, seed=3):
    X, y, groups = make_sets(40, 6, n_features=8, class_sep=1.5, noise=2.0, random_state=seed)
    train = groups < 20
    return model.fit(X[train], y[train], groups=groups[train]).score(X[~train], y[~train], groups[~train])


def test_it_is_better_than_the_nearest_set():
    ours = np.mean([accuracy(MMDML(random_state=0, max_epochs=8, hidden=(16,)), seed) for seed in (3, 4)])
    for distance in ("minimum", "affine_hull"):
        assert ours > np.mean([accuracy(NearestSet(distance=distance), seed) for seed in (3, 4)]) + 0.1


def test_other_manifolds_matter():
    params = {"init": "glorot", "max_epochs": 30, "n_components": 8, "weight_decay": 0.1, "lr": 0.01, "hidden": (16,)}
    of = {a: np.mean([accuracy(MMDML(alpha=a, random_state=seed, **params)) for seed in (0, 1)]) for a in (0.0, 1.0)}
    assert of[1.0] > of[0.0] + 0.05


@pytest.mark.parametrize(
    "params",
    [
        {"alpha": 0.0}, {"margin": 1.0}, {"sharpness": 1.0}, {"n_neighbors_within": 1}, {"n_neighbors_between": 1},
        {"other_sets": False}, {"common_space": True}, {"n_per_class": 40, "batch_size": 64}, {"weight_decay": 0.0},
    ],
)  # fmt: skip
def test_each_parameter_has_an_effect(sets, fitted, params):
    X, y, groups = sets
    other = MMDML(**QUICK | params).fit(X, y, groups=groups)
    assert not np.array_equal(other.transform(X), fitted.transform(X))


def test_the_papers_setting_is_one_call(sets):
    X, y, groups = sets
    model = MMDML(**PAPER, random_state=0).fit(X, y, groups=groups)
    assert model.transform(X).shape == (len(X), 150)
    assert all(f"{name}=" in " ".join(MMDML.__doc__.split()) for name in PAPER)


# ------------------------------------------------------------------------------------------------
# What is wrong is named, before the estimator is changed.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": "one"}, "y differs within set one of groups: . and ."),
        ({"groups": [0, 1]}, "2 entries for 108 rows"),
        ({"groups": np.nan}, "missing"),
        ({"groups": None, "y": ["a"] * 108}, "one class only, a"),
        ({"X": np.nan}, "NaN"),
        ({"X": np.zeros((108, 2, 3))}, "flatten"),
        ({"sample_weight": -1.0}, "sample_weight"),
    ],
)
def test_bad_input_is_refused_and_leaves_the_estimator_as_it_was(sets, fitted, change, message):
    X, y, groups = sets
    model = copy.deepcopy(fitted)
    spread = {key: np.full(np.shape(dict(zip(["X", "groups"], [X, groups]))[key]), value)
              for key, value in change.items() if key in ("X", "groups") and np.isscalar(value)}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        model.fit(**{"X": X, "y": y, "groups": groups} | change | spread)
    assert_array_equal(model.predict(X, groups), fitted.predict(X, groups))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, y: m.predict(X, groups=[1]), "1 entries for 108 rows"),
        (lambda m, X, y: m.predict(X[:, :2]), "features"),
        (lambda m, X, y: m.predict(X * np.nan), "NaN"),
        (lambda m, X, y: m.predict(X[:0]), "0 sample"),
        (lambda m, X, y: m.score(X, y, groups=np.zeros(len(X))), "y differs within set"),
        (lambda m, X, y: m.score(X, y[:-1]), "inconsistent"),
        (lambda m, X, y: m.set_params(distance=lambda A, B: np.inf).predict(X), "infinity"),
    ],
)
def test_bad_input_to_predictions_is_refused(sets, fitted, call, message):
    X, y, _ = sets
    with pytest.raises(ValueError, match=message):
        call(copy.deepcopy(fitted), X, y)
