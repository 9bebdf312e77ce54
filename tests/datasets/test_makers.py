"""Makers: the planted metric is what it is said to be, and learners that find it are better than without."""

import inspect
from functools import partial

import numpy as np
import pytest
from discovery import needs_torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

import metricnets as mn
from metricnets import datasets, metrics

# Without a planted metric; see test_tracking_sequences.py
SEQUENCES = {"make_tracking_sequence": partial(datasets.make_tracking_sequence, 4)}
MAKE = {name: getattr(datasets, name) for name in datasets.__all__ if name[0] == "m" and name not in SEQUENCES}
every_maker = pytest.mark.parametrize("name", MAKE)
HALF = 200


def accuracy(z, y, train):
    """Of the nearest neighbours among the training rows, on the others."""
    return KNeighborsClassifier(3).fit(z[train], y[train]).score(z[~train], y[~train])


def first_half(n):
    return np.arange(n) < n // 2


@pytest.mark.parametrize("name", [*MAKE, *SEQUENCES])
def test_the_same_seed_gives_the_same_arrays_and_touches_no_global_state(name):
    state = np.random.get_state()[1].copy()
    first, again, other = ((MAKE | SEQUENCES)[name](random_state=seed) for seed in (0, np.random.RandomState(0), 1))
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    assert_array_equal(np.random.get_state()[1], state)


@every_maker
def test_components_are_orthonormal_and_returned_on_request(name):
    plain, more = MAKE[name](random_state=0), MAKE[name](random_state=0, return_components=True)
    for a, b in zip(plain, more):
        assert_array_equal(a, b)
    maps = more[-1] if isinstance(more[-1], tuple) else more[-1:]
    for components, X in zip(maps, more):
        assert components.shape == (3, X.shape[-1])
        assert_allclose(components @ components.T, np.eye(3), atol=1e-12)


@every_maker
def test_other_directions_are_noise_of_the_given_scale(name):
    X, *_, components = MAKE[name](random_state=0, noise=0.0, return_components=True)
    components = components[0] if isinstance(components, tuple) else components
    assert_allclose(X @ components.T @ components, X, atol=1e-10)
    X, *_, components = MAKE[name](random_state=0, noise=7.0, return_components=True)
    components = components[0] if isinstance(components, tuple) else components
    others = (X - X @ components.T @ components).reshape(-1, X.shape[-1])
    n_others = X.shape[-1] - 3
    assert np.sqrt((others**2).sum() / (len(others) * n_others)) == pytest.approx(7, rel=0.1)


@every_maker
def test_sizes_are_checked_and_kept(name):
    counts = [key for key in inspect.signature(MAKE[name]).parameters if key.startswith("n_")]
    for count in counts:
        with pytest.raises(ValueError, match=f"{count}=0"):
            MAKE[name](**{count: 0})
    with pytest.raises(ValueError, match="n_informative=11 should be at most n_features="):
        MAKE[name](n_informative=11)
    with pytest.raises(ValueError, match="noise=-1"):
        MAKE[name](noise=-1)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("make_label_sets", {"label_share": 1.0}),
        ("make_label_distributions", {"sharpness": -1.0}),
        ("make_tasks", {"missing": 1.0}),
        ("make_domains", {"shift": -1.0}),
        ("make_views", {"difference": -1.0}),
        ("make_views", {"n_features": (3, 4, 5)}),
        ("make_sets", {"spread": -1.0}),
        ("make_pairs", {"n_classes": 1}),
        ("make_planted_metric", {"class_sep": np.nan}),
    ],
)
def test_other_parameters_are_checked(name, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MAKE[name](**wrong)


def test_classes_and_pairs_are_balanced():
    _, y = datasets.make_planted_metric(90, random_state=0)
    assert np.bincount(y).tolist() == [30, 30, 30]
    _, y = datasets.make_pairs(90, random_state=0)
    assert y.sum() == 0


def test_label_sets_have_the_share_that_is_asked_for():
    _, Y = datasets.make_label_sets(200, label_share=0.25, random_state=0)
    assert_array_equal(Y.sum(axis=0), 50)


def test_distributions_sum_to_one_and_sharpen():
    flat, sharp = (datasets.make_label_distributions(sharpness=s, random_state=0)[1] for s in (0.0, 50.0))
    assert_allclose(flat, 0.2)
    assert_allclose(sharp.sum(axis=1), 1)
    assert np.median(sharp.max(axis=1)) > 0.99


def test_tasks_lack_some_annotations_and_no_sample_lacks_all():
    X, Y = datasets.make_tasks(1000, n_tasks=3, missing=0.6, random_state=0)
    complete_X, complete = datasets.make_tasks(1000, n_tasks=3, missing=0.0, random_state=0)
    known = ~np.isnan(Y)
    assert known.any(axis=1).all()
    assert known.mean() == pytest.approx(1 / 3 + 2 / 3 * 0.4, abs=0.04)
    assert_array_equal(X, complete_X)
    assert_array_equal(Y[known], complete[known])


def test_the_target_is_moved_by_the_shift():
    X, y, domain, components = datasets.make_domains(3000, 3000, shift=5.0, random_state=0, return_components=True)
    z = X @ components.T
    moved = [z[(y == c) & (domain < 0)].mean(axis=0) - z[(y == c) & (domain > 0)].mean(axis=0) for c in range(3)]
    assert_allclose(np.linalg.norm(moved, axis=1), 5, rtol=0.1)
    assert_allclose(moved, [moved[0]] * 3, atol=0.4)


def test_views_share_the_informative_coordinates():
    X, Y, _, (of_x, of_y) = datasets.make_views(500, difference=0.1, random_state=0, return_components=True)
    assert (X @ of_x.T - Y @ of_y.T).std() == pytest.approx(0.1, rel=0.1)


def test_sets_have_a_class_each():
    X, y, groups = datasets.make_sets(12, 5, random_state=0)
    assert X.shape == (60, 10)
    assert_array_equal(groups, np.repeat(np.arange(12), 5))
    assert all(len(np.unique(y[groups == g])) == 1 for g in range(12))


# ------------------------------------------------------------------------------------------------
# A learner is better than without, on samples that it was not fitted to.


def test_a_learner_from_classes_finds_the_planted_metric():
    X, y = datasets.make_planted_metric(2 * HALF, noise=10.0, random_state=0)
    train = first_half(2 * HALF)
    z = mn.LDA().fit(X[train], y[train]).transform(X)
    assert accuracy(z, y, train) > accuracy(X, y, train) + 0.2


def test_a_learner_from_pairs_verifies_other_pairs():
    pairs, y = datasets.make_pairs(2 * HALF, random_state=0)
    train = first_half(2 * HALF)
    learned = mn.ITML().fit(pairs[train], y[train]).pair_score(pairs[~train])
    euclidean = -np.linalg.norm(pairs[~train, 0] - pairs[~train, 1], axis=1)
    assert roc_auc_score(y[~train], learned) > roc_auc_score(y[~train], euclidean) + 0.15


def predicted(predictor, X, Y, train):
    model = clone(predictor).fit(X[train], Y[train])
    return model.predict_proba(X[~train]) if hasattr(model, "predict_proba") else model.predict(X[~train])


def test_a_learner_from_label_sets_improves_mlknn():
    X, Y = datasets.make_label_sets(2 * HALF, random_state=0)
    train = first_half(2 * HALF)
    raw, learned = (
        metrics.average_precision(Y[~train], predicted(mn.MLKNN(metric=metric), X, Y, train))
        for metric in (None, mn.RAML(random_state=0))
    )
    assert learned > raw + 0.1


def test_a_learner_from_label_distributions_improves_aaknn():
    X, Y = datasets.make_label_distributions(2 * HALF, random_state=0)
    train = first_half(2 * HALF)
    raw, learned = (
        metrics.chebyshev(Y[~train], predicted(mn.AAKNN(metric=metric), X, Y, train))
        for metric in (None, mn.RAML(random_state=0))
    )
    assert learned < raw - 0.05


@needs_torch
def test_adaptation_is_better_than_the_source_alone():
    X, y, domain = datasets.make_domains(random_state=0)
    source, known = domain > 0, np.where(domain > 0, y, -1)
    params = {"init": "jda", "max_epochs": 3, "device": "cpu", "random_state": 0}
    adapted = mn.DTML(**params).fit(X, known, sample_domain=domain).transform(X)
    alone = mn.DTML(**params | {"init": "pca"}).fit(X[source], y[source]).transform(X)
    assert accuracy(adapted, y, source) > max(accuracy(alone, y, source), accuracy(X, y, source)) + 0.1


def test_a_learner_from_views_finds_the_matches():
    X, Y, _ = datasets.make_views(2 * HALF, random_state=0)
    stacked = np.block([[X, np.zeros_like(Y)], [np.zeros_like(X), Y]])  # a map of each view
    sample, view = np.tile(np.arange(2 * HALF), 2), np.repeat([0, 1], 2 * HALF)
    train = sample < HALF
    z = mn.XQDA().fit(stacked[train], sample[train], view=view[train]).transform(stacked)
    queries, gallery = ~train & (view == 0), ~train & (view == 1)
    found = metrics.cmc(z[queries], sample[queries], z[gallery], sample[gallery], k=[20])[0]
    assert found > 0.3  # 0.1 by chance


def test_a_metric_from_classes_of_sets_classifies_other_sets():
    X, y, groups = datasets.make_sets(80, noise=20.0, random_state=0)
    train = groups < 40
    z = mn.LDA().fit(X[train], y[train]).transform(X)
    raw, learned = (np.array([points[groups == g].mean(axis=0) for g in range(80)]) for points in (X, z))
    assert accuracy(learned, y[::10], first_half(80)) > accuracy(raw, y[::10], first_half(80)) + 0.3


def test_one_task_teaches_another():
    X, Y = datasets.make_tasks(2 * HALF, missing=0.3, random_state=0)
    _, complete = datasets.make_tasks(2 * HALF, missing=0.0, random_state=0)
    train = first_half(2 * HALF)
    known = train & ~np.isnan(Y[:, 0])
    z = mn.LDA().fit(X[known], Y[known, 0].astype(int)).transform(X)
    assert accuracy(z, complete[:, 1], train) > accuracy(X, complete[:, 1], train) + 0.1
