"""HRAML: the loss is the paper's, every kind of target, hard example mining."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.datasets import make_friedman1, make_multilabel_classification
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler, label_binarize

from metricnets import HRAML, relations
from metricnets.deep._hraml import hardest

QUICK = {"max_epochs": 5, "random_state": 0}
OF_THE_PAPER = {"init": "glorot", "activation": "tanh", "activate_output": True, "dropout": 0.0, "input_dropout": 0.0}
ALIGNING = OF_THE_PAPER | {  # what brings distances near to the relation
    "n_components": 32,
    "hidden": (256,),
    "lr": 0.01,
    "max_epochs": 100,
    "weight_decay": 1.0,
    "random_state": 0,
}


def distances_and_relation(hraml, X, r):
    i, j = np.triu_indices(len(X), k=1)
    return hraml.pair_distance(np.stack([X[i], X[j]], axis=1)) ** 2, r[i, j]


def correlation(hraml, X, r):
    """Of squared distances with 1 − r, over all pairs."""
    return np.corrcoef(*distances_and_relation(hraml, X, 1 - r))[0, 1]


def test_squared_distances_reach_the_scaled_relation():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    X = rng.normal(size=(60, 4)) / 10 + 2 * np.eye(4)[y]
    for scale in (1.0, 2.0, 4.0):
        hraml = HRAML(scale=scale, **ALIGNING | {"max_epochs": 300}).fit(X, y)
        squared, r = distances_and_relation(hraml, X, relations.same_class(y, y))
        assert_allclose(squared[r == 1].mean(), 0, atol=0.05)
        assert_allclose(squared[r == 0].mean(), scale, rtol=0.05)


def test_label_sets_align():
    X, Y = make_multilabel_classification(300, 10, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    i, j = np.triu_indices(100, k=1)
    euclidean = ((X[200:][i] - X[200:][j]) ** 2).sum(axis=1)
    for name in ("hamming", "jaccard", "cosine"):
        r = getattr(relations, name)(Y[200:], Y[200:])
        hraml = HRAML(relation=name, **ALIGNING).fit(X[:200], Y[:200])
        assert correlation(hraml, X[200:], r) > np.corrcoef(euclidean, 1 - r[i, j])[0, 1] + 0.03, name


def test_l1_of_label_sets_is_hamming_and_auto_is_jaccard():
    X, Y = make_multilabel_classification(60, 10, n_classes=4, random_state=0)
    embedded = {
        name: HRAML(relation=name, **QUICK).fit_transform(X, Y) for name in ("hamming", "l1", "jaccard", "auto")
    }
    assert_allclose(embedded["l1"], embedded["hamming"], atol=1e-5)
    assert_allclose(embedded["auto"], embedded["jaccard"])


def test_constant_targets_are_refused_and_sparse_ones_taken():
    X, Y = make_multilabel_classification(60, 10, n_classes=4, random_state=0)
    for same in (np.ones_like(Y), np.full(60, 0.5)):
        with pytest.raises(ValueError, match="y is the same in all rows"):
            HRAML(**QUICK).fit(X, same)
    column = np.array(["a", "b"] * 30, dtype=object)[:, None]
    assert_allclose(HRAML(**QUICK).fit(X, column).transform(X), HRAML(**QUICK).fit(X, column[:, 0]).transform(X))
    sparse = HRAML(**QUICK).fit(X, csr_array(Y)).transform(X)
    assert_allclose(sparse, HRAML(**QUICK).fit(X, Y).transform(X))


def test_distributions_align():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    logits = X @ rng.normal(size=(5, 3))
    Y = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for name in ("auto", "overlap", "hellinger", "symmetric_kl", "l1", "cosine"):
        hraml = HRAML(relation=name, **ALIGNING).fit(X[:200], Y[:200])
        assert correlation(hraml, X[200:], relations.overlap(Y[200:], Y[200:])) > 0.8, name


def test_real_targets_help_neighbours_to_regress():
    X, y = make_friedman1(500, n_features=10, noise=1.0, random_state=0)
    knn = KNeighborsRegressor(10)
    raw = knn.fit(X[:300], y[:300]).score(X[300:], y[300:])
    hraml = HRAML(random_state=0).fit(X[:300], y[:300])
    assert knn.fit(hraml.transform(X[:300]), y[:300]).score(hraml.transform(X[300:]), y[300:]) > raw + 0.05


def test_one_hot_rows_are_classes():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 20)
    X = rng.normal(size=(60, 4))
    options = {"sampler": "shuffled", "init": "glorot"}  # the start is other for classes than for rows
    by_class = HRAML(**options, **QUICK).fit(X, y)
    by_rows = HRAML(relation="l1", **options, **QUICK).fit(X, label_binarize(y, classes=[0, 1, 2]).astype(float))
    assert_allclose(by_rows.transform(X), by_class.transform(X), atol=1e-5)


def test_own_relation():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.tile([0, 1, 2], 20)
    options = {"sampler": "shuffled", "init": "glorot"}  # the start is other for classes than for an own relation
    named = HRAML(relation="same_class", **options, **QUICK).fit(X, y)
    own = HRAML(relation=lambda a, b: a[:, None] == b[None, :], **options, **QUICK).fit(X, y)
    assert_allclose(own.transform(X), named.transform(X))


def test_hardest_keeps_the_pairs_with_the_greatest_loss():
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(6, 3, generator=rng, dtype=torch.float64)
    r = torch.rand(6, 6, generator=rng, dtype=torch.float64)
    r = ((r + r.T) / 2).fill_diagonal_(torch.nan)
    kept = hardest(z, r, scale=2.0, fraction=1 / 3)
    losses = {
        (i, j): float((((z[i] - z[j]) ** 2).sum() - 2 * (1 - r[i, j])) ** 2) for i, j in np.ndindex(6, 6) if i != j
    }
    expected = set(sorted(losses, key=losses.get)[-10:])
    assert {tuple(map(int, pair)) for pair in (kept == kept).nonzero()} == expected


@pytest.mark.parametrize(
    "change", [{"hard_fraction": 0.3}, {"scale": 1.0}, {"sampler": "pairs"}, {"normalize": False}, {"init": "uniform"}]
)
def test_every_parameter_matters(change):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.tile([0, 1, 2], 20)
    plain, changed = HRAML(**QUICK).fit(X, y), HRAML(**QUICK, **change).fit(X, y)
    assert not np.allclose(plain.transform(X), changed.transform(X))


def test_the_papers_setting_learns():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 40)
    X = np.hstack([rng.normal(size=(120, 3)) / 2 + 2 * np.eye(3)[y], rng.normal(size=(120, 9)) * 2])
    paper = HRAML(
        **OF_THE_PAPER | {"init": "uniform"},
        relation="l1",
        sampler="pairs",
        optimizer="sgd",
        lr=0.1,
        lr_schedule=None,
        max_epochs=200,
        random_state=0,
    )
    knn = KNeighborsClassifier(3)
    raw = knn.fit(X[:90], y[:90]).score(X[90:], y[90:])
    paper.fit(X[:90], y[:90])
    assert knn.fit(paper.transform(X[:90]), y[:90]).score(paper.transform(X[90:]), y[90:]) > raw


@pytest.mark.parametrize(
    ("relation", "Y", "message"),
    [
        ("jaccard", np.full((60, 2), 0.5), "label sets"),
        ("overlap", np.ones((60, 2)), "sum to 1"),
        ("cosine", -np.ones((60, 2)), "negative"),
        ("same_class", np.ones((60, 2)), "1d array"),
        ("absolute", np.array(["a", "b"] * 30), "numbers"),
    ],
)
def test_targets_that_do_not_suit_the_relation(relation, Y, message):
    with pytest.raises(ValueError, match=message):
        HRAML(relation=relation, **QUICK).fit(np.ones((60, 2)), Y)
