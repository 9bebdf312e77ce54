"""DTML: the objective is the paper's, it adapts, target labels never matter, nothing diverges."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from metricnets import DTML, SourceOnly
from metricnets._neighbors import WithNeighbors, neighborhoods
from metricnets._pseudo_labels import most_confident, spread_shares
from metricnets.deep._dtml import objective
from metricnets.divergences import class_discrepancy, linear_mmd, multi_kernel_mmd

QUICK = {"max_epochs": 3, "n_rounds": 1, "n_components": 4, "device": "cpu", "random_state": 0}


@pytest.fixture
def domains():
    """90 rows of three classes, every third one of a shifted target: X, y, sample_domain."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], 30))
    domain = np.where(np.arange(90) % 3, 1, -1)
    X = rng.normal(size=(90, 5)) + 2 * np.eye(3, 5)[y]
    X[domain < 0] += 1
    return X, y, domain


def weights(dtml):
    return np.concatenate([p.detach().numpy().ravel() for p in dtml.module_.parameters()])


def target_accuracy(Z, y, domain):
    return SourceOnly().fit(Z, y, sample_domain=domain).score(Z[domain < 0], y[domain < 0])


# ------------------------------------------------------------------------------------------------
# The mathematics.


@pytest.fixture
def table():
    """24 embedded rows of two domains, codes with some unknown in the target, the source mask."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1, 2], 8))
    source = np.arange(24) < 15
    codes[20:] = -1
    return rng.normal(size=(24, 3)), codes, source


@pytest.mark.parametrize("margin", [np.inf, 2.0])
def test_objective_is_that_of_a_naive_double_loop(table, margin):
    z, codes, source = table
    k, alpha, beta = 2, 0.3, 0.7
    within, between = neighborhoods(z, codes, k, k)
    expected = 0.0
    for domain in (source, ~source):
        for i in np.flatnonzero(domain):
            for j in range(len(z)):
                d2 = ((z[i] - z[j]) ** 2).sum()
                P, Q = np.sum(within[i] == j), np.sum(between[i] == j)
                expected += (P * d2 - alpha * Q * min(d2, margin)) / (k * domain.sum())
    t = torch.from_numpy(z)
    shared = [c for c in range(3) if (codes[source] == c).any() and (codes[~source] == c).any()]
    gaps = [z[source & (codes == c)].mean(0) - z[~source & (codes == c)].mean(0) for c in shared]
    expected += beta * (float(multi_kernel_mmd(t[source], t[~source])) + np.mean(np.sum(np.square(gaps), axis=1)))

    rows = np.repeat(np.arange(len(z)), k)  # every row with each of its k neighbours
    batch = t[np.concatenate([rows, within.ravel(), between.ravel()])]
    found = objective(
        batch, torch.from_numpy(codes[rows]), torch.from_numpy(source[rows]),
        alpha=alpha, beta=beta, margin=margin, mmd=multi_kernel_mmd,
    )  # fmt: skip
    assert_allclose(float(found), expected, rtol=1e-12)


def test_the_source_alone_has_no_discrepancy(table):
    z, codes, _ = table
    z, codes, source = z[:15], codes[:15], np.ones(15, bool)
    batch = torch.from_numpy(np.concatenate([z, z[::-1], z + 1]))
    params = {"alpha": 2.0, "margin": np.inf, "mmd": linear_mmd}
    args = batch, torch.from_numpy(codes), torch.from_numpy(source)
    expected = ((z - z[::-1]) ** 2).sum(1).mean() - 2.0 * 3
    assert_allclose(float(objective(*args, beta=5.0, **params)), expected, rtol=1e-12)


def test_classes_in_one_domain_only_do_not_count():
    z = torch.tensor([[0.0], [2.0], [7.0], [4.0], [9.0]], requires_grad=True)
    source = torch.tensor([True, True, True, False, False])
    assert float(class_discrepancy(z, torch.tensor([0, 0, 1, 0, -1]), source).detach()) == (1 - 4) ** 2
    nothing = class_discrepancy(z, torch.tensor([0, 0, 1, -1, -1]), source)
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert_array_equal(z.grad, 0)


def test_neighbours_are_those_of_brute_force(table):
    X, codes, _ = table
    within, between = neighborhoods(X, codes, 3, 4)
    for i in range(len(X)):
        others = [j for j in range(len(X)) if j != i and -1 not in (codes[i], codes[j])]
        near = sorted(others, key=lambda j: ((X[i] - X[j]) ** 2).sum())
        for found, same in ((within[i], True), (between[i], False)):
            expected = [j for j in near if (codes[j] == codes[i]) == same][: len(found)]
            assert_array_equal(found, expected + [i] * (len(found) - len(expected)))


def test_batches_bring_neighbours_of_their_rows(table):
    X, codes, _ = table
    within, between = neighborhoods(X, codes, 3, 4)
    rows, a, b = np.split(next(iter(WithNeighbors([np.arange(15)], [within, between], np.random.default_rng(0)))), 3)
    assert_array_equal(rows, np.arange(15))
    assert all(a[i] in within[i] and b[i] in between[i] for i in rows)


def test_labels_spread_along_a_chain_and_the_surest_come_first():
    line = np.concatenate([np.arange(0, 30), np.arange(100, 130)])[:, None] / 10.0
    truth = np.repeat([0, 1], 30)
    codes = np.full(60, -1)
    codes[[0, 1, 58, 59]] = truth[[0, 1, 58, 59]]
    shares = spread_shares(line, codes, n_neighbors=4)
    assert_array_equal(most_confident(codes, shares), truth)
    half = most_confident(codes, shares, 0.5)
    assert_array_equal(half[half >= 0], truth[half >= 0])
    assert np.sum(half >= 0) == 4 + 2 * 14


# ------------------------------------------------------------------------------------------------
# It adapts.


@pytest.fixture(scope="module")
def turned_digits():
    """Digits, half of them with less contrast, another exposure, and a little turned: the target."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:900] / 16, y[:900]
    domain = np.where(np.arange(900) % 2, -1, 1)
    image = X[domain < 0].reshape(-1, 8, 8)
    image[:, :4] = np.roll(image[:, :4], 1, axis=2)  # the upper half slips to the right
    X[domain < 0] = 0.5 * image.reshape(-1, 64) + 0.2
    return X, y, domain


@pytest.mark.parametrize("mmd", ["gaussian", "linear"])
def test_adapting_beats_the_source_alone_and_raw_points(turned_digits, mmd):
    X, y, domain = turned_digits
    raw = target_accuracy(X, y, domain)
    params = {"mmd": mmd, "n_rounds": 0, "device": "cpu", "random_state": 0}
    alone = target_accuracy(DTML(**params, beta=0.0).fit(X, y, domain).transform(X), y, domain)
    adapted = target_accuracy(DTML(**params).fit(X, y, domain).transform(X), y, domain)
    assert adapted > raw + 0.05
    assert adapted > alone + 0.05


def test_spread_labels_follow_classes_that_drift():
    rng = np.random.default_rng(0)
    y, domain = np.arange(400) % 2, np.repeat([1, -1], 200)
    drift = np.where(domain > 0, rng.normal(size=400) / 3, rng.uniform(0, 6, size=400))
    X = np.column_stack([4 * y + 0.8 * drift, drift]) + rng.normal(size=(400, 2)) * 0.3
    params = {"init": "pca", "pseudo_labels": "spreading", "n_components": 2, "lr": 0.01, "max_epochs": 30}
    params |= {"device": "cpu", "random_state": 0}
    once, again = (DTML(n_rounds=n, **params).fit(X, y, domain).transform(X) for n in (0, 4))
    assert target_accuracy(again, y, domain) > target_accuracy(once, y, domain) + 0.1


def test_without_sample_domain_it_is_the_source_only_method(domains):
    X, y, domain = domains
    source = domain > 0
    alone = DTML(**QUICK).fit(X[source], y[source])
    assert_array_equal(weights(alone), weights(DTML(**QUICK, beta=0.0).fit(X, y, domain)))
    assert_array_equal(weights(alone), weights(DTML(**QUICK, beta=5.0).fit(X[source], y[source])))
    assert not np.allclose(weights(alone), weights(DTML(**QUICK).fit(X, y, domain)))


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.1},
        {"beta": 3.0},
        {"margin": None},
        {"n_neighbors_within": 1},
        {"n_neighbors_between": 1},
        {"mmd": "linear"},
        {"n_rounds": 0},
        {"deep_supervision": 0.0},
        {"init": "jda"},
        {"init": "glorot"},
    ],
)
def test_every_parameter_matters(domains, change):
    params = QUICK | {"hidden": (6,), "deep_supervision": 1.0}
    assert not np.allclose(weights(DTML(**params).fit(*domains)), weights(DTML(**params | change).fit(*domains)))


def test_layers_at_most_at_the_threshold_are_left_in_peace(domains):
    params = QUICK | {"hidden": (6,)}
    peace = DTML(**params, deep_supervision=1.0, threshold=1e6).fit(*domains)
    assert_array_equal(weights(peace), weights(DTML(**params).fit(*domains)))


def test_the_papers_setting_runs(domains):
    dtml = DTML(
        alpha=0.1, beta=10.0, margin=None, mmd="linear", n_rounds=0, hidden=(8,), n_components=8, normalize=False,
        activate_output=True, init="glorot", optimizer="sgd", lr_schedule=None, weight_decay=0.2, deep_supervision=1.0,
        max_epochs=30, lr=0.01, random_state=0,
    ).fit(*domains)  # fmt: skip
    losses = [record["train_loss"] for record in dtml.history_]
    assert losses[-1] < losses[0]


# ------------------------------------------------------------------------------------------------
# Labels and domains.


@pytest.mark.parametrize("kind", ["true", "-1", "nan", "none", "shuffled"])
def test_target_labels_never_matter(domains, kind):
    X, y, domain = domains
    target = domain < 0
    labels = {
        "true": y,
        "-1": np.where(target, -1, y),
        "nan": np.where(target, np.nan, y),
        "none": [None if t else int(label) for t, label in zip(target, y)],
        "shuffled": np.where(target, np.arange(90) + 100, y),
    }[kind]
    assert_array_equal(weights(DTML(**QUICK).fit(X, labels, domain)), weights(DTML(**QUICK).fit(X, y, domain)))


@pytest.mark.parametrize("mask", [None, np.nan, -1, "unknown"])
def test_string_labels(domains, mask):
    X, y, domain = domains
    names = np.array(["ant", "bee", "cow"], dtype=object)[y]
    names[domain < 0] = mask
    expected = weights(DTML(**QUICK).fit(*domains))
    for labels in (names, names.tolist(), pd.Series(names, index=np.arange(90)[::-1])):
        assert_array_equal(weights(DTML(**QUICK).fit(X, labels, sample_domain=domain)), expected)


def test_data_frames_and_any_numbers_for_domains(domains):
    X, y, domain = domains
    frame = pd.DataFrame(X, columns=list("abcde"))
    dtml = DTML(**QUICK).fit(frame, pd.Series(y), sample_domain=pd.Series(np.where(domain < 0, -2.5, 0)))
    assert_array_equal(weights(dtml), weights(DTML(**QUICK).fit(*domains)))
    assert list(dtml.feature_names_in_) == list("abcde")


def test_same_seed_same_bits(domains):
    first, second, third = (DTML(**QUICK | {"random_state": seed}).fit(*domains) for seed in (1, 1, 2))
    assert_array_equal(weights(first), weights(second))
    assert not np.array_equal(weights(first), weights(third))


def test_early_stopping_trains_on_a_part(domains):
    params = QUICK | {"n_rounds": 2, "init": "pca"}
    dtml = DTML(**params, early_stopping=True, validation_fraction=0.2).fit(*domains)
    assert all(np.isfinite(record["valid_loss"]) for record in dtml.history_)
    assert [record["round"] for record in dtml.history_] == [0] * 3 + [1] * 3 + [2] * 3


def test_degenerate_tables(domains):
    X, y, domain = domains
    assert np.isfinite(DTML(**QUICK).fit(np.ones_like(X), y, domain).transform(X)).all()
    lonely = np.where(np.arange(90) == 1, 7, y)  # a class of one source row
    assert np.isfinite(DTML(**QUICK).fit(X, lonely, domain).transform(X)).all()
    one_target = np.r_[np.flatnonzero(domain > 0), 0]
    assert np.isfinite(DTML(**QUICK).fit(X[one_target], y[one_target], domain[one_target]).transform(X)).all()


# ------------------------------------------------------------------------------------------------
# What is refused.


def test_a_source_without_target_warns_and_is_the_source_only_method(domains):
    X, y, _ = domains
    with pytest.warns(UserWarning, match="no row.*nothing is adapted") as caught:
        dtml = DTML(**QUICK).fit(X, y, sample_domain=np.ones(90))
    assert caught[0].filename == __file__
    assert_array_equal(weights(dtml), weights(DTML(**QUICK).fit(X, y)))


@pytest.mark.parametrize(
    ("sample_domain", "message"),
    [
        (-np.ones(90), "sample_domain is negative in all rows"),
        (np.ones(89), "sample_domain has shape"),
        (np.ones((90, 2)), "sample_domain has shape"),
        (np.full(90, np.nan), "sample_domain contains NaN"),
        (np.arange(90) > 30, "sample_domain should hold numbers"),
        (["source", "target"] * 45, "sample_domain should hold numbers"),
    ],
)
def test_bad_domains_are_refused_and_change_nothing(domains, sample_domain, message):
    X, y, domain = domains
    dtml = DTML(**QUICK).fit(X, y, domain)
    before = weights(dtml)
    with pytest.raises(ValueError, match=message):
        dtml.fit(X, y, sample_domain=sample_domain)
    assert_array_equal(weights(dtml), before)


def test_bad_labels_are_refused(domains):
    X, y, domain = domains
    with pytest.raises(ValueError, match="one class only"):
        DTML(**QUICK).fit(X, np.where(domain < 0, y, 1), domain)
    with pytest.raises(ValueError, match="requires y to be passed"):
        DTML(**QUICK).fit(X, None, domain)
    with pytest.raises(ValueError, match="NaN"):
        DTML(**QUICK).fit(X, np.full(90, np.nan), domain)
    with pytest.raises(ValueError, match="inconsistent"):
        DTML(**QUICK).fit(X, y[:-1], domain)


@pytest.mark.filterwarnings("error")
def test_without_sample_domain_a_warning_says_that_nothing_is_adapted(domains):
    X, y, domain = domains
    with pytest.warns(UserWarning, match="sample_domain= is not given.*nothing is adapted.*beta=0") as caught:
        DTML(**QUICK).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    DTML(**QUICK, beta=0.0).fit(X, y)
    DTML(**QUICK).fit(X, y, domain)


def test_unknown_labels_of_the_source_are_told(domains):
    X, y, domain = domains
    labels = np.where(np.arange(len(y)) % 5 == 0, -1, y)
    with pytest.warns(UserWarning, match="y has -1 in the source, where it is a class; leave out"):
        DTML(**QUICK).fit(X, labels, domain)


def test_masked_labels_without_domains_are_told(domains):
    X, y, domain = domains
    with pytest.warns(UserWarning, match="y has -1, which is a class if sample_domain= is not given"):
        DTML(**QUICK).fit(X, np.where(domain < 0, -1, y))


def test_early_stopping_needs_rows_of_every_kind(domains):
    X, y, domain = domains
    few = np.r_[np.flatnonzero(domain > 0), np.flatnonzero(domain < 0)[:1]]
    with pytest.raises(ValueError, match="early_stopping=True leaves"):
        DTML(**QUICK, early_stopping=True).fit(X[few], y[few], domain[few])


@pytest.mark.parametrize(
    "unbounded",
    [
        {},
        {"activation": "relu", "activate_output": True},
        {"activation": "tanh", "activate_output": False},
        {"module": nn.Linear(5, 2)},
    ],
)
def test_what_could_diverge_is_refused(domains, unbounded):
    with pytest.raises(ValueError, match="grow without bound"):
        DTML(**QUICK, **unbounded, margin=None, normalize=False).fit(*domains)


@pytest.mark.parametrize(
    "bounded",
    [
        {"alpha": 0.0, "margin": None, "normalize": False},
        {"margin": None, "normalize": False, "activation": "tanh", "activate_output": True},
        {"margin": None, "module": nn.Linear(5, 2)},
        {"normalize": False, "module": nn.Linear(5, 2)},
        {"normalize": False, "hidden": (6,), "activation": "relu"},
    ],
)
def test_bounded_objectives_stay_bounded(domains, bounded):
    params = QUICK | {"max_epochs": 200, "lr": 0.1, "beta": 0.1} | bounded
    if "module" in params:
        del params["n_components"]
    dtml = DTML(**params).fit(*domains)
    assert np.isfinite(dtml.transform(domains[0])).all()


@pytest.mark.parametrize("change", [{"hidden": ()}, {"hidden": (6,), "module": nn.Linear(5, 2)}])
def test_deep_supervision_needs_layers(domains, change):
    with pytest.raises(ValueError, match="deep_supervision=1.0 needs layers"):
        DTML(**QUICK, **change, deep_supervision=1.0).fit(*domains)


# ------------------------------------------------------------------------------------------------
# In a pipeline, in a search.


@pytest.mark.parametrize("routing", [True, False])
def test_in_a_grid_search(domains, routing):
    X, y, domain = domains
    masked = np.where(domain < 0, -1, y)
    steps = [
        ("scale", StandardScaler()),
        ("dtml", DTML(**QUICK)),
        ("knn", SourceOnly(estimator=KNeighborsClassifier(1))),
    ]
    with sklearn.config_context(enable_metadata_routing=routing), warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(Pipeline(steps), {"dtml__beta": [0.0, 1.0]}, cv=3, error_score="raise")
        names = ["sample_domain"] if routing else ["dtml__sample_domain", "knn__sample_domain"]
        search.fit(X, masked, **dict.fromkeys(names, domain))
        pipeline = search.best_estimator_
        by_hand = StandardScaler().fit_transform(X)
        by_hand = DTML(**QUICK).set_params(**pipeline["dtml"].get_params()).fit(by_hand, masked, domain)
    assert_array_equal(weights(pipeline["dtml"]), weights(by_hand))
    assert (search.cv_results_["mean_test_score"] > 0.5).all()
    assert set(pipeline.predict(X)) == {0, 1, 2}
    assert np.mean(pipeline.predict(X)[domain < 0] == y[domain < 0]) > 0.6


def test_fit_transform_passes_the_domains(domains):
    X, y, domain = domains
    for routing in (True, False):
        with sklearn.config_context(enable_metadata_routing=routing):
            Z = DTML(**QUICK).fit_transform(X, y, sample_domain=domain)
        assert_array_equal(Z, DTML(**QUICK).fit(X, y, domain).transform(X))
