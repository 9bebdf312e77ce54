"""Learners of two views: both views, their distances, what they learn, hostile input."""

import pickle

import numpy as np
import pytest
import torch
from discovery import TWO_VIEWS, quick, tiny_views
from scipy.sparse import csr_array

from metricnets import DCML, TwoViewNet
from metricnets.datasets import make_views
from metricnets.deep._training.identification import mutual_cross_entropy
from metricnets.deep._training.two_views import joint_relation
from metricnets.deep.views._dcml import coupled_objective
from metricnets.metrics import mean_average_precision

X, Y, CLASSES = tiny_views()
every = pytest.mark.parametrize("name", TWO_VIEWS)
FITTED = {}
FAST = {"init": "glorot"}  # most of the time of such a small fit is the choice of the start


def fitted(name):
    """Fitted once: do not change it."""
    if name not in FITTED:
        FITTED[name] = quick(name).fit(X, Y, CLASSES)
    return FITTED[name]


# --- both views


@every
def test_the_embedding_of_a_view_does_not_depend_on_the_other(name):
    z, z_y = fitted(name).transform(X, Y[:7])
    np.testing.assert_array_equal(z, fitted(name).transform(X))
    np.testing.assert_array_equal(z_y, fitted(name).transform_y(Y[:7]))


@every
def test_distances_across_views_are_those_of_embeddings(name):
    z, z_y = fitted(name).transform(X, Y)
    expected = np.linalg.norm(z - z_y, axis=1)
    np.testing.assert_allclose(fitted(name).pair_distance(X, Y), expected, rtol=1e-9)
    np.testing.assert_array_equal(fitted(name).pair_score(X, Y), -fitted(name).pair_distance(X, Y))
    metric = pickle.loads(pickle.dumps(fitted(name).get_metric("xy")))
    np.testing.assert_allclose([metric(x, y) for x, y in zip(X, Y)], expected, rtol=1e-6)
    assert metric(X[0], Y[1], squared=True) == pytest.approx(metric(X[0], Y[1]) ** 2)
    within = fitted(name).get_metric("yy")
    assert within(Y[0], Y[1]) == pytest.approx(np.linalg.norm(z_y[0] - z_y[1]), rel=1e-6)


@every
def test_the_triangle_inequality_holds_across_views(name):
    z, z_y = fitted(name).transform(X, Y)
    d = np.linalg.norm(z[:, None] - z_y, axis=2)
    within = np.linalg.norm(z[:, None] - z, axis=2)
    assert (d[:, None, :] <= within[:, :, None] + d[None, :, :] + 1e-9).all()


@every
def test_views_may_have_their_own_precision_and_one_feature(name):
    model = quick(name).fit(X.astype(np.float32), Y[:, 0], CLASSES)
    z, z_y = model.transform(X.astype(np.float32), Y[:, 0])
    assert (z.dtype, z_y.dtype) == (np.float32, np.float64)


@every
def test_the_order_of_rows_of_a_query_does_not_matter(name):
    order = np.random.default_rng(0).permutation(45)
    np.testing.assert_allclose(fitted(name).transform_y(Y[order]), fitted(name).transform_y(Y)[order], atol=1e-9)


@every
def test_unknown_labels_have_one_meaning(name):
    partial = [np.where(np.arange(45) < 30, CLASSES, unknown) for unknown in (-1, np.nan)]
    partial.append(np.array([c if i < 30 else None for i, c in enumerate(CLASSES)], object))
    first, *others = (quick(name).fit(X, Y, y).transform_y(Y) for y in partial)
    for z in others:
        np.testing.assert_array_equal(z, first)


@every
def test_validation_data_are_not_trained_on(name):
    given = {"X_val": X[30:], "Y_val": Y[30:], "y_val": CLASSES[30:]}
    model = quick(name, early_stopping=True).fit(X[:30], Y[:30], CLASSES[:30], **given)
    assert "valid_loss" in model.history_[0]
    moved = {"X_val": X[30:] + 1, "Y_val": Y[30:], "y_val": CLASSES[30:]}
    other = quick(name, early_stopping=True, n_iter_no_change=9).fit(X[:30], Y[:30], CLASSES[:30], **moved)
    assert other.history_[0]["train_loss"] == model.history_[0]["train_loss"]


@every
def test_rows_of_weight_zero_are_left_out(name):
    weights = np.r_[np.ones(30), np.zeros(15)]
    found = quick(name).fit(X, Y, CLASSES, sample_weight=weights).transform(X)
    np.testing.assert_array_equal(found, quick(name).fit(X[:30], Y[:30], CLASSES[:30]).transform(X))


@every
def test_seeds_and_weights_have_an_effect(name):
    z = fitted(name).transform(X)
    assert not np.array_equal(quick(name, random_state=1).fit(X, Y, CLASSES).transform(X), z)
    assert not np.array_equal(quick(name).fit(X, Y, CLASSES, sample_weight=np.arange(45) + 1.0).transform(X), z)


# --- hostile input

WRONG = {
    "rows": (lambda m: m.fit(X, Y[:-1], CLASSES), "X has 45 rows and Y has 44"),
    "no second view": (lambda m: m.fit(X, y=CLASSES), "give Y"),
    "NaN": (lambda m: m.fit(X, Y * np.nan, CLASSES), "NaN"),
    "one class": (lambda m: m.fit(X, Y, np.ones(45)), "one class only"),
    "no class": (lambda m: m.fit(X, Y, np.full(45, -1)), "no known classes"),
    "labels": (lambda m: m.fit(X, Y, CLASSES[:-1]), "44 labels"),
    "labels of validation data": (
        lambda m: m.set_params(early_stopping=True).fit(
            X[:30], Y[:30], CLASSES[:31], X_val=X[30:], Y_val=Y[30:], y_val=CLASSES[31:]
        ),
        "y has 31 labels",
    ),
    "swapped views": (lambda m: m.fit(X, Y).transform(Y), "features"),
    "swapped second view": (lambda m: m.fit(X, Y).transform_y(X), "fitted with 3 in the second"),
    "pairs": (lambda m: m.fit(X, Y).pair_distance(X, Y[:3]), "45 points of the first view and 3"),
    "views": (lambda m: m.fit(X, Y).get_metric("yx"), "views='yx'"),
    "validation": (lambda m: m.set_params(early_stopping=True).fit(X, Y, X_val=X), "incomplete"),
    "no early stopping": (lambda m: m.fit(X, Y, X_val=X, Y_val=Y), "early_stopping=False"),
}


@every
@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(name, case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        call(quick(name, max_epochs=1, **FAST))


@every
def test_a_sparse_second_view_is_refused_as_the_first_is(name):
    with pytest.raises(TypeError, match="Y is sparse"):
        quick(name, max_epochs=1).fit(X, csr_array(Y))
    with pytest.raises(TypeError, match="Y is sparse"):
        fitted(name).transform_y(csr_array(Y))


@every
def test_columns_of_the_second_view_keep_their_order(name):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    model = quick(name, max_epochs=1).fit(X, frame)
    np.testing.assert_array_equal(model.transform_y(frame), model.transform_y(Y))
    with pytest.raises(ValueError, match="columns of Y"):
        model.transform(X, frame[["b", "a", "c"]])


@every
@pytest.mark.parametrize(
    "spoil",
    [
        lambda X, Y, y: (X * [1, 1, 1, 0] + 0.1, Y, y),
        lambda X, Y, y: (X * 0, Y, y),
        lambda X, Y, y: (X, Y, np.r_[np.arange(5), y[5:] + 5]),
        lambda X, Y, y: (X[:2], Y[:2], None),
        lambda X, Y, y: (np.hstack([X**k for k in range(1, 5)])[:6], Y[:6], y[:6]),
        lambda X, Y, y: (Y, X, y),
    ],
    ids=["constant column", "constant view", "classes of a row", "two rows", "wide", "swapped"],
)
def test_odd_data_have_finite_embeddings(name, spoil):
    data = spoil(X, Y, CLASSES)
    z, z_y = quick(name).fit(*data).transform(*data[:2])
    assert np.isfinite(z).all()
    assert np.isfinite(z_y).all()


# --- losses and relations


def test_the_relation_of_a_batch_by_a_naive_loop():
    codes, row = np.array([0, 1, 0, -1, 0]), np.array([0, 1, 2, 3, 0])
    for across in (True, False):
        expected = np.full((10, 10), np.nan)
        for i in range(10):
            for j in range(10):
                same_view, same_row = (i < 5) == (j < 5), row[i % 5] == row[j % 5]
                if same_view and (across or same_row):
                    continue
                if same_row:
                    expected[i, j] = 1
                elif codes[i % 5] >= 0 and codes[j % 5] >= 0:
                    expected[i, j] = codes[i % 5] == codes[j % 5]
        found = joint_relation(torch.tensor(codes), torch.tensor(row), across)
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize(("pairs", "views"), [("within", [0]), ("across", [1]), ("all", [0, 1])])
def test_the_objective_of_dcml_by_a_naive_loop(pairs, views):
    z = np.random.default_rng(0).normal(size=(2, 5, 4, 3))  # view, role, sample, component
    expected = 0.0
    for i in range(4):
        expected += 0.7 * np.sum((z[0, 0, i] - z[1, 0, i]) ** 2)
        for own, near, far in ((0, 1, 2), (1, 3, 4)):
            for view in [abs(own - k) for k in views]:
                d = np.sum((z[own, 0, i] - z[view, near, i]) ** 2), np.sum((z[own, 0, i] - z[view, far, i]) ** 2)
                expected += (d[0] - 0.3 * min(d[1], 2.0)) / len(views)
    found = coupled_objective(torch.tensor(z.reshape(-1, 3)), alpha=0.3, coupling=0.7, margin=2.0, pairs=pairs)
    assert found.item() == pytest.approx(expected / 4)


def test_mutual_cross_entropy_by_a_naive_loop():
    rng = np.random.default_rng(0)
    a, b, codes = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), np.array([0, 2, -1, 1])
    p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (a, b))
    total = 0.0
    for own, other in ((p, q), (q, p)):
        for i, c in enumerate(codes):
            wanted = other[i] if c < 0 else 0.5 * np.eye(3)[c] + 0.5 * other[i]
            total -= wanted @ np.log(own[i])
    found = mutual_cross_entropy(torch.tensor(a), torch.tensor(b), torch.tensor(codes))
    assert found.item() == pytest.approx(total / 8)


# --- what they learn

VIEWS = make_views(160, (10, 8), noise=5.0, difference=0.3, random_state=0)


def scores(model, A, B, c):
    z, z_y = model.transform(A, B)
    return mean_average_precision(z, c, z_y, c), mean_average_precision(z_y, c, z, c)


@pytest.mark.parametrize("with_classes", [True, False])
@pytest.mark.parametrize("name", TWO_VIEWS)
def test_unseen_rows_find_those_of_the_other_view(name, with_classes):
    A, B, c = VIEWS
    model = quick(name, max_epochs=10).fit(A[:80], B[:80], c[:80] if with_classes else None)
    truth = c[80:] if with_classes else np.arange(80)
    assert min(scores(model, A[80:], B[80:], truth)) > (0.8 if with_classes else 0.1)  # 1/3 and 0.06 by chance


PLAIN = {"init": "glorot", "max_epochs": 20, "n_components": 4, "lr": 0.02, "weight_decay": 0.01}
PLAIN |= {"dropout": 0.0, "input_dropout": 0.0}


def test_without_coupling_matched_rows_are_not_near():
    A, B, c = VIEWS
    coupled, decoupled = (quick("DCML", coupling=weight, pairs="within", **PLAIN).fit(A, B, c) for weight in (1.0, 0.0))
    assert coupled.pair_distance(A, B).mean() < 0.7 * decoupled.pair_distance(A, B).mean()


def test_other_classes_are_apart_only_with_alpha():
    A, B, c = VIEWS

    def apart(alpha):
        z = quick("DCML", alpha=alpha, pairs="within", **PLAIN).fit(A, B, c).transform(A)
        d = np.linalg.norm(z[:, None] - z, axis=2)
        return d[c[:, None] != c].mean()

    assert apart(1.0) > 2 * apart(0.0)


@pytest.mark.parametrize("loss", ["info_nce", "siglip", "contrastive", "supcon", "triplet", "cosent"])
def test_any_loss_of_the_catalogue(loss):
    model = quick("TwoViewNet", loss=loss, pairs="all", **FAST).fit(X, Y, CLASSES)
    assert np.isfinite([record["train_loss"] for record in model.history_]).all()


def test_a_function_as_loss_is_the_loss_of_the_catalogue():
    from metricnets.losses import supcon

    by_name, by_function = (quick("TwoViewNet", loss=loss, **FAST).fit(X, Y, CLASSES) for loss in ("supcon", supcon))
    np.testing.assert_allclose(by_function.transform(X), by_name.transform(X), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss_params": {"temperature": -1.0}, "loss": "supcon"}, "temperature"),
        ({"loss": torch.nn.Linear(2, 2)}, "is a module"),
        ({"loss": "proxy_anchor"}, "loss"),
    ],
)
def test_losses_that_do_not_suit_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        TwoViewNet(**params).fit(X, Y, CLASSES)


def test_parameters_have_an_effect():
    auto = {"init": "auto"}
    z = quick("TwoViewNet", **auto).fit(X, Y, CLASSES).transform(X)
    for params in (
        {"pairs": "all"},
        {"identification": 0.0},
        {"init": "cca"},
        {"init": "glorot"},
        {"normalize": False},
    ):
        assert not np.allclose(quick("TwoViewNet", **auto | params).fit(X, Y, CLASSES).transform(X), z, atol=1e-4)
    z = quick("DCML", **FAST).fit(X, Y, CLASSES).transform(X)
    for params in (
        {"pairs": "all"},
        {"pairs": "within"},
        {"alpha": 2.0},
        {"coupling": 1.0},
        {"n_neighbors_within": 1},
        {"n_neighbors_between": 1},
    ):
        assert not np.array_equal(quick("DCML", **FAST, **params).fit(X, Y, CLASSES).transform(X), z)


@every
def test_the_cross_entropy_of_classes_counts_where_networks_start_from_probabilities(name):
    with_it, without = (quick(name, init="semantic", identification=w).fit(X, Y, CLASSES) for w in (1.0, 0.0))
    assert with_it.history_[0]["train_loss"] > without.history_[0]["train_loss"]
    assert not np.allclose(with_it.transform(X), without.transform(X), atol=1e-4)


def test_unbounded_distances_are_refused():
    with pytest.raises(ValueError, match="grow without bound"):
        DCML(margin=None, normalize=False).fit(X, Y, CLASSES)
