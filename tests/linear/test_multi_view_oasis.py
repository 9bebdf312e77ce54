"""MultiViewOASIS: the views are OASIS, the weights are Hedge, the sum is their similarity; views that are missing."""

import numpy as np
import pandas as pd
import pytest
from discovery import quick, tiny_points, tiny_tuples
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets._views import columns_of
from metricnets.linear._multi_view_oasis import MultiViewOASIS, MultiViewOASIS_Supervised
from metricnets.linear._oasis import OASIS, OASIS_Supervised
from metricnets.linear._solvers.hedge import Hedge, weighted_by_margins

X, y = tiny_points()
triplets = tiny_tuples(3)
COLUMNS = [[0, 1], [2, 3], [1, 2, 3]]
gaps = triplets.copy()
gaps[::3, 0, :1] = gaps[::3, 0, 1:2] = np.nan  # the anchor has the second view alone
gaps[1::5, 2, 2:] = np.nan
TWO = COLUMNS[:2]


def in_order(**params):
    return MultiViewOASIS(**{"views": TWO, "shuffle": False} | params)


def margins_of(data, columns):
    """Margins of each triplet before its step, in each view that all of its points have: OASIS, one triplet a time."""
    found = np.full((len(data), len(columns)), np.nan)
    for v, each in enumerate(columns):
        oasis, points = OASIS(), data[..., each]
        whole = np.flatnonzero(~np.isnan(points).any(axis=(1, 2)))
        for before, t in zip([None, *whole], whole):
            W = np.eye(len(each)) if before is None else oasis.partial_fit(points[[before]]).bilinear_
            seen = points[whole[whole <= t]].reshape(-1, len(each))
            a, b, c = (points[t] - seen.mean(axis=0)) / np.sqrt(((seen - seen.mean(axis=0)) ** 2).sum(axis=1).mean())
            found[t, v] = a @ W @ (b - c)
    return found


def hedged(losses):
    """Weights of each step, by the definition of AdaHedge, from losses that are not relative; ranges of the losses."""
    n, total, gap, weights = losses.shape[1], np.zeros(losses.shape[1]), 0.0, []
    for step in losses:
        if gap == 0:
            w, mix = np.full(n, 1 / n), (total + step).min() - total.min()
        else:
            rate = np.log(n) / gap
            w = np.exp(-rate * (total - total.min()))
            w /= w.sum()
            mix = -np.log(w @ np.exp(-rate * step)) / rate
        weights.append(w)
        gap, total = gap + w @ step - mix, total + step
    return np.array(weights)


def bound(losses):
    ranges, log = np.ptp(losses, axis=1), np.log(losses.shape[1])
    return np.sqrt((ranges**2).sum() * log) + ranges.max() * (4 / 3 * log + 2)


# ------------------------------------------------------------------------------------------------
# Hedge.


STREAMS = {
    "random": np.random.default_rng(0).normal(size=(200, 3)),
    "one is best": np.random.default_rng(1).random((200, 3)) + np.array([0, 0.1, 0.5]),
    "in turn": np.tile(np.eye(3), (60, 1)),
    "large at the end": np.random.default_rng(2).random((100, 3)) ** 3 * np.geomspace(1e-3, 1e3, 100)[:, None],
}


@pytest.mark.parametrize("losses", STREAMS.values(), ids=STREAMS)
def test_hedge_is_adahedge_and_keeps_its_bound(losses):
    expected, hedge, found = hedged(losses), Hedge(np.zeros(3)), []
    for step in losses:
        found.append(hedge.weights())
        hedge = hedge.after(step - found[-1] @ step, found[-1])
    assert_allclose(found, expected, rtol=1e-7, atol=1e-12)
    regret = (expected * losses).sum() - losses.sum(axis=0).min()
    assert regret <= bound(losses)


def test_units_do_not_matter_and_weights_stay_positive():
    margins = STREAMS["one is best"]
    expected, *others = (
        weighted_by_margins(Hedge(np.zeros(3)), m, False).weights() for m in (margins, margins * 1e9, margins[:, ::-1])
    )
    assert_allclose(others[0], expected)
    assert_allclose(others[1][::-1], expected)
    far = weighted_by_margins(Hedge(np.zeros(2)), np.tile([5.0, -50.0], (800, 1)), False).weights()
    assert 0 < far[1] < 1e-12


def test_views_without_a_margin_have_the_loss_of_the_others():
    losses = np.random.default_rng(3).normal(size=(50, 2))
    hedge = Hedge(np.zeros(3), 0.0)
    hedge = weighted_by_margins(hedge, np.column_stack([-losses, np.full(50, np.nan)]), combined=False)
    assert hedge.losses[2] == 0
    one = np.array([[0.3, np.nan], [np.nan, -2.0], [np.nan, np.nan]])
    assert_array_equal(weighted_by_margins(Hedge(np.zeros(2)), one, True).weights(), 0.5)


def test_margins_that_are_equal_up_to_rounding_leave_the_weights():
    margins = np.random.default_rng(0).normal(size=(100, 1)) * (1 + 1e-15 * np.arange(3))
    for combined in (True, False):
        assert_allclose(weighted_by_margins(Hedge(np.zeros(3)), margins, combined).weights(), 1 / 3)


# ------------------------------------------------------------------------------------------------
# The views, the weights and the stream.


@pytest.mark.parametrize("center", [True, False])
def test_each_view_is_oasis_of_the_triplets_that_have_it(center):
    model = in_order(center=center, C=0.3).fit(gaps)
    for v, each in enumerate(TWO):
        whole = ~np.isnan(gaps[..., each]).any(axis=(1, 2))
        oasis = OASIS(shuffle=False, center=center, C=0.3).fit(gaps[whole][..., each])
        assert_allclose(model.bilinear_[v], oasis.bilinear_, rtol=1e-9, atol=1e-12)
        assert_allclose(model.mean_[v], oasis.mean_)
        assert model.scale_[v] == pytest.approx(oasis.scale_)
    assert model.n_iter_ == len(gaps)


@pytest.mark.parametrize("normalize", [True, False])
def test_one_view_is_oasis(normalize):
    pairs = X[np.arange(40).reshape(20, 2)]
    how, drawn = {"views": 1, "normalize": normalize}, {"random_state": 0}
    for model, oasis, data in (
        (in_order(**how), OASIS(shuffle=False), (triplets,)),
        (MultiViewOASIS_Supervised(**how, **drawn), OASIS_Supervised(**drawn), (X, y)),
    ):
        model.fit(*data)
        oasis.fit(*data)
        assert_allclose(model.pair_similarity(pairs), oasis.pair_similarity(pairs), rtol=1e-8, atol=1e-10)
        z = (pairs - oasis.mean_) @ oasis.components_.T / oasis.scale_
        z = z / np.linalg.norm(z, axis=2, keepdims=True) if normalize else z
        assert_allclose(model.pair_distance(pairs), np.linalg.norm(z[:, 0] - z[:, 1], axis=1), rtol=1e-7)
        assert_array_equal(model.view_weights_, 1)


def test_weights_follow_from_the_margins_of_the_views():
    margins = margins_of(triplets[:40], COLUMNS)
    combined = in_order(views=COLUMNS).fit(triplets[:40]).view_weights_
    mistakes = in_order(views=COLUMNS, view_weights="mistakes").fit(triplets[:40]).view_weights_
    steps = [(margin <= 0) * 1.0 for margin in margins]
    assert_allclose(mistakes, hedged(np.array([*steps, steps[0]]))[-1], rtol=1e-6)
    active, combination = [], []
    for margin in margins:
        weights = hedged(np.array([*active, margin]))[-1]
        combination.append(max(0, 1 - weights @ margin))
        active += [-margin] if combination[-1] > 0 else []
    assert_allclose(combined, hedged(np.array([*active, margin]))[-1], rtol=1e-6)
    # the regret, against each of the views and against some mixtures of them
    mixtures = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 20)])
    best = np.maximum(0, 1 - margins @ mixtures.T).sum(axis=0).min()
    assert sum(combination) <= best + bound(np.array(active))


@pytest.mark.parametrize("view_weights", ["auto", "mistakes"])
@pytest.mark.parametrize("cuts", [[40], [1, 2, 79], [*range(1, 80)]], ids=["halves", "uneven", "one by one"])
def test_parts_of_a_stream_are_the_whole(cuts, view_weights):
    first = gaps[[5, *range(5), *range(6, 80)]]  # begins with a triplet that has both views
    params = {"view_weights": view_weights, "shuffle": False}
    whole, stream = in_order(**params).fit(first), in_order(**params)
    for part in np.split(first, cuts):
        stream.partial_fit(part)
    assert_allclose(stream.view_weights_, whole.view_weights_, rtol=1e-7)
    for name in ("bilinear_", "mean_", "scale_"):
        for found, expected in zip(getattr(stream, name), getattr(whole, name)):
            assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    assert_allclose(stream.transform(X), whole.transform(X), rtol=1e-6, atol=1e-8)


def test_a_part_may_lack_a_view_and_a_part_that_fails_leaves_what_was_learned():
    model = in_order().fit(triplets)
    before, weights = [W.copy() for W in model.bilinear_], model.view_weights_
    part = triplets[:10].copy()
    part[..., 2:] = np.nan
    with pytest.raises(ValueError, match=r"shape \(3,\), but MultiViewOASIS was fitted with \(4,\)"):
        model.partial_fit(triplets[..., :3])
    model.partial_fit(part)
    assert_array_equal(model.bilinear_[1], before[1])
    assert not np.allclose(model.bilinear_[0], before[0])
    assert_array_equal(model.view_weights_, weights)


# ------------------------------------------------------------------------------------------------
# The similarity and its metric.


def test_the_similarity_is_the_weighted_sum_over_the_views_that_both_have():
    model = in_order(C=0.5).fit(gaps)
    Z = X[:12].copy()
    Z[:4, :2] = Z[4:8, 2:] = np.nan
    pairs = np.stack([Z, np.roll(Z, 5, axis=0)], axis=1)
    for found, (a, b) in zip(model.pair_similarity(pairs), pairs):
        expected, w = 0.0, model.view_weights_
        for v, each in enumerate(TWO):
            if not np.isnan([a[each], b[each]]).any():
                za, zb = ((p[each] - model.mean_[v]) / model.scale_[v] for p in (a, b))
                shares = [1.0 if np.isnan(p).any() else w[v] for p in (a, b)]
                expected += np.sqrt(np.prod(shares)) * (za @ model.bilinear_[v] @ zb)
        assert found == pytest.approx(expected, abs=1e-12)
    with pytest.raises(NotFittedError):
        in_order().pair_similarity(pairs)


def test_inner_products_of_embeddings_are_the_similarity_where_it_is_a_metric():
    model = in_order(normalize=False).fit(triplets)
    model.bilinear_[:] = [W @ W.T for W in model.bilinear_]
    for view, W in zip(model._views, model.bilinear_):
        view.bilinear = W
        view.project(None)
    Z = X[:12].copy()
    Z[:4, :2] = Z[4:8, 2:] = np.nan
    z, pairs = model.transform(Z), np.stack([Z, np.roll(Z, 5, axis=0)], axis=1)
    assert_allclose(np.einsum("ij,ij->i", z, np.roll(z, 5, axis=0)), model.pair_similarity(pairs), atol=1e-10)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    assert_allclose(model.set_params(normalize=True).transform(Z), unit, atol=1e-10)
    distance = model.get_metric()
    assert_allclose([distance(a, b) for a, b in pairs], model.pair_distance(pairs), atol=1e-10)


def test_the_embedding_of_each_view_has_at_most_n_components_columns():
    for n_components, width in ((None, 7), (2, 6), (1, 3), (9, 7)):
        model = in_order(views=COLUMNS, n_components=n_components).fit(triplets)
        assert model.transform(X).shape == (45, width)
        assert len(model.get_feature_names_out()) == width


def test_views_that_complete_each_other_are_both_used_and_a_view_of_noise_is_not():
    Z, classes = (part[:500] for part in load_digits(return_X_y=True))
    Z = np.hstack([Z, np.random.default_rng(0).normal(size=Z.shape)])
    halves, noise = [slice(32), slice(32, 64)], slice(64, 128)

    def fitted(views, **params):
        model = MultiViewOASIS_Supervised(views=views, n_iter=1500, random_state=0, **params)
        knn = KNeighborsClassifier(1).fit(model.fit_transform(Z[:250], classes[:250]), classes[:250])
        return model.view_weights_, knn.score(model.transform(Z[250:]), classes[250:])

    (_, one), (weights, both) = fitted(halves[:1]), fitted(halves)
    assert both > one + 0.05
    assert weights.min() > 0.3
    assert fitted(halves, view_weights="mistakes")[0].min() < weights.min()
    assert_array_equal(fitted(halves, view_weights="equal")[0], 0.5)
    noisy, score = fitted([*halves, noise])
    assert noisy[2] < 0.1
    assert score > one


def test_classes_with_gaps_are_learned_with_the_views_that_rows_have():
    Z, classes = X.copy(), np.where(np.arange(45) % 7 == 0, np.nan, y)
    Z[::4, :2] = Z[1::4, 2:] = np.nan
    model = quick("MultiViewOASIS_Supervised").fit(Z, classes)
    known = Z[classes >= 0]
    assert_allclose(model.mean_[0], np.nanmean(known[:, :2], axis=0))
    assert_allclose(model.scale_[1], np.sqrt(np.nansum(np.nanvar(known[:, 2:], axis=0))))
    assert np.isfinite(model.transform(Z)).all()
    batches = quick("MultiViewOASIS_Supervised", n_iter=None).partial_fit(Z[:30], classes[:30])
    assert batches.n_iter_ == 30 * np.count_nonzero(classes[:30] >= 0)
    lacking = Z[30:].copy()
    lacking[:, :2] = np.nan
    rows = ~np.isnan(lacking).all(axis=1)
    before = batches.bilinear_[0].copy()
    assert_array_equal(batches.partial_fit(lacking[rows], classes[30:][rows]).bilinear_[0], before)


def test_columns_by_name_in_a_pipeline_with_gaps():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame.iloc[::4, :2] = np.nan
    by_name, by_number = (
        make_pipeline(StandardScaler().set_output(transform="pandas"), quick("MultiViewOASIS_Supervised", views=views))
        for views in ([["b", "a"], ["c", "d"]], [[1, 0], slice(2, 4)])
    )
    assert_array_equal(by_name.fit_transform(frame, y), by_number.fit_transform(frame, y))


def test_masks_of_columns_are_numbers():
    for masks in ([[True, False, True, True], [False, True, False, False]], np.eye(2, 4, dtype=bool)):
        numbers = [np.flatnonzero(mask) for mask in masks]
        assert [each.tolist() for each in columns_of(list(masks), 4)] == [each.tolist() for each in numbers]


def test_what_is_wrong_is_named():
    alone = triplets.copy()
    alone[:, 1, :2] = np.nan
    for views, data, message in (
        (TWO, alone, "view 0 is missing in all triplets, in one of their points"),
        (TWO, np.where(np.arange(4) == 1, np.nan, triplets), "some columns of view 0"),
        ([[0, 4]], triplets, "has the column 4"),
        ([[True, False]], triplets, "a mask of 2 columns, and X has 4 features"),
        ([np.zeros(4, bool)], triplets, "has no column"),
        (5, triplets, "n_features=4"),
        (["a"], triplets, "should be a list of columns or a slice"),
    ):
        with pytest.raises(ValueError, match=message):
            MultiViewOASIS(views=views).fit(data)
    lacking = X.copy()
    lacking[y >= 0, :2] = np.nan
    with pytest.raises(ValueError, match="view 0 is missing in all rows of X"):
        MultiViewOASIS_Supervised().fit(lacking, y)
    for params, name in (({"C": 0.0}, "C"), ({"view_weights": "best"}, "view_weights"), ({"n_iter": 0}, "n_iter")):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            MultiViewOASIS_Supervised(**params).fit(X, y)
