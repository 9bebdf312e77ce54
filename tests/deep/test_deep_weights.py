"""Weights of samples, pairs and classes in the deep learners: how often they are drawn."""

import numpy as np
import pytest
import sklearn
import torch
from deep_learners import BUILT_IN, data, learner
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

from metricnets import DDML, DTML, HRAML, DDMLPairs, EmbeddingNet, Mahalanobis, losses, relations
from metricnets._weights import rows_of
from metricnets.deep._training import wccn as of_wccn
from metricnets.deep._training.samples import Weighted
from metricnets.deep._training.similarity import OfPairs, OfTargets
from metricnets.samplers import ClassBalanced, Shuffled

QUICK = {"max_epochs": 3, "hidden": (8,), "random_state": 0, "device": "cpu"}
SUPERVISED = [DDML, EmbeddingNet, HRAML, Mahalanobis]


def state(net):
    """All numbers of a trained network, after each other."""
    return np.concatenate([value.numpy().ravel() for value in net.module_.state_dict().values()])


class Recorder(torch.nn.Module):
    """A loss that counts the codes it is given; the counts are of the class, as losses are copied."""

    counts = np.zeros(3)

    def forward(self, z, codes):
        np.add.at(self.counts, codes.numpy(), 1)
        return (z**2).sum()

    @classmethod
    def shares(cls, X, y, sample_weight=None, **params):
        """The shares of the classes in the batches of a fit."""
        cls.counts[:] = 0
        EmbeddingNet(loss=cls(), **QUICK | {"max_epochs": 20} | params).fit(X, y, sample_weight=sample_weight)
        return cls.counts / cls.counts.sum()


def unbalanced(rng, sizes=(60, 20, 10)):
    y = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(y), 4)) + y[:, None], y


class TestWeighted:
    @pytest.mark.parametrize("spread", [0.1, 2.0])
    def test_rows_are_drawn_in_proportion_to_their_weights_up_to_one(self, spread):
        rng = np.random.default_rng(0)
        weights = np.exp(spread * rng.normal(size=50))
        deck, counts = Weighted(lambda rows: Shuffled(len(rows), 8, rng), weights, rng), np.zeros(50)
        for t in range(1, 30):
            counts += np.bincount(np.concatenate(list(deck)), minlength=50)
            assert np.abs(counts - t * weights / weights.mean()).max() < 1

    def test_integer_weights_repeat_rows(self):
        rng, weights = np.random.default_rng(0), np.array([1.0, 1, 2, 4])
        deck = Weighted(lambda rows: Shuffled(len(rows), 3, rng), weights, rng)
        assert_array_equal(np.bincount(np.concatenate([rows for _ in range(2) for rows in deck])), weights)

    def test_a_sampler_is_given_the_cards(self):
        seen = []

        def sampler(codes, batch_size, rng):
            seen.append(codes)
            return Shuffled(len(codes), batch_size, rng)

        y = np.repeat([0, 1], 30)
        X = np.random.default_rng(0).normal(size=(60, 3)) + y[:, None]
        EmbeddingNet(sampler=sampler, **QUICK | {"max_epochs": 30}).fit(X, y, sample_weight=1.0 + 2 * y)
        assert np.mean(np.concatenate(seen)) == pytest.approx(0.75, abs=0.02)


class TestClassesOfDifferentWeights:
    def test_a_batch_has_samples_in_proportion_to_the_weights_of_the_classes(self):
        codes = np.repeat([0, 1, 2], 200)
        sampler = ClassBalanced(codes, 100, np.random.default_rng(0), class_weight=[1.0, 0.5, 2.5])
        counts = [np.bincount(codes[rows], minlength=3) for _ in range(20) for rows in sampler]
        assert_allclose(np.mean(counts, axis=0) / np.sum(np.mean(counts, axis=0)), [0.25, 0.125, 0.625], atol=0.01)
        assert np.ptp(counts, axis=0).max() <= 1  # rounded up or down

    def test_each_sample_of_a_class_is_drawn_equally_often(self):
        codes = np.repeat([0, 1], [40, 20])
        sampler = ClassBalanced(codes, 8, np.random.default_rng(0), n_per_class=4, class_weight=[3.0, 1.0])
        drawn = np.bincount(np.concatenate([rows for _ in range(1000) for rows in sampler]), minlength=60)
        for c in (0, 1):
            assert_allclose(drawn[codes == c] / drawn[codes == c].mean(), 1, atol=0.25)
        assert drawn[codes == 0].sum() / drawn.sum() == pytest.approx(0.75, abs=0.02)

    def test_a_batch_has_no_sample_twice_and_each_class_once_at_least(self):
        codes = np.repeat([0, 1, 2], [40, 5, 20])
        for rows in ClassBalanced(codes, 30, np.random.default_rng(0), class_weight=[1.0, 5.0, 1e-6]):
            assert len(np.unique(rows)) == len(rows)
            assert set(codes[rows]) == {0, 1, 2}


# ---- laws of all deep learners


@pytest.mark.parametrize("name", BUILT_IN)
class TestLaws:
    def test_weight_1_is_no_weight(self, name):
        X, y = data(name)
        none, *ones = (state(learner(name).fit(X, y, sample_weight=w)) for w in (None, np.ones(len(X)), 2.5))
        for one in ones:
            assert_array_equal(one, none)

    def test_weight_0_is_to_leave_out(self, name):
        X, y = data(name)
        weights = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
        kept = weights > 0
        one = learner(name).fit(X, y, sample_weight=weights)
        two = learner(name).fit(X[kept], rows_of(y, kept), sample_weight=weights[kept])
        assert_array_equal(state(one), state(two))
        assert getattr(one, "threshold_", None) == getattr(two, "threshold_", None)
        assert one.module_(torch.zeros(2, 4)).isfinite().all()

    def test_only_ratios_matter(self, name):
        X, y = data(name)
        weights = np.random.default_rng(0).integers(1, 3, len(X)).astype(float)
        one, two = (learner(name).fit(X, y, sample_weight=factor * weights).module_ for factor in (1.0, 2.0**-30))
        assert_allclose(one(torch.ones(1, 4)).detach(), two(torch.ones(1, 4)).detach(), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize(
        ("weights", "message"),
        [(np.ones(3), "shape"), (-np.ones(45), "negative|shape"), (np.zeros(45), "zero|shape"), ("heavy", "weight")],
        ids=["too few", "negative", "zero", "a string"],
    )
    def test_other_weights_are_refused(self, name, weights, message):
        with pytest.raises(ValueError, match=message):
            learner(name).fit(*data(name), sample_weight=weights)


# ---- statistics before the network


def test_points_are_standardised_as_if_they_were_repeated():
    rng = np.random.default_rng(0)
    X, y = unbalanced(rng)
    weights = rng.integers(1, 5, len(X))
    weighted = EmbeddingNet(**QUICK).fit(X, y, sample_weight=weights).module_[0]
    repeated = EmbeddingNet(**QUICK).fit(X.repeat(weights, 0), y.repeat(weights)).module_[0]
    for name, value in weighted.state_dict().items():
        assert_allclose(value, repeated.state_dict()[name], rtol=1e-6)


@pytest.mark.parametrize("relation", [relations.same_class, relations.absolute])
def test_the_covariance_of_similar_points_counts_weights(relation):
    rng = np.random.default_rng(0)
    Z, weights = rng.normal(size=(40, 3)), rng.integers(1, 4, 40)
    y = torch.from_numpy(rng.integers(0, 3, 40) if relation is relations.same_class else rng.random(40))
    found = OfTargets(y, relation, weights.astype(float)).covariance(Z, np.arange(40))
    if relation is relations.same_class:
        expected = OfTargets(y.repeat_interleave(torch.from_numpy(weights)), relation)
        expected = expected.covariance(Z.repeat(weights, 0), np.arange(weights.sum()))
        assert_allclose(found / np.trace(found), expected / np.trace(expected))
    few = weights > 1
    weighted = OfTargets(y, relation, np.where(few, 1.0, 1e-9)).covariance(Z, np.flatnonzero(few))
    assert_allclose(weighted, OfTargets(y[few], relation).covariance(Z[few], np.arange(few.sum())), rtol=1e-6)


def test_the_covariance_of_similar_pairs_counts_weights():
    rng = np.random.default_rng(0)
    Z, members = rng.normal(size=(30, 3)), rng.integers(0, 30, (25, 2))
    similar, weights = rng.random(25) < 0.5, rng.integers(1, 4, 25)
    pairs = OfPairs(members, similar, weights.astype(float))
    repeated = OfPairs(members.repeat(weights, 0), similar.repeat(weights))
    found, expected = pairs.covariance(Z, np.arange(25)), repeated.covariance(Z, np.arange(weights.sum()))
    assert_allclose(found / np.trace(found), expected / np.trace(expected))
    truth = pairs.truth(None, np.arange(25)), repeated.truth(None, np.arange(weights.sum()))
    quality = pairs.quality(Z[None], None, np.arange(25), truth[0])
    assert quality == pytest.approx(repeated.quality(Z[None], None, np.arange(weights.sum()), truth[1]))


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_pairs_are_judged_by_the_area_under_the_roc_curve(ties):
    rng = np.random.default_rng(0)
    z, members = rng.normal(size=(2, 30, 3)), rng.integers(0, 30, (40, 2))
    z = z.round() if ties else z
    similar, weights = rng.random(40) < 0.5, rng.uniform(1, 3, 40)
    found = OfPairs(members, similar, weights).quality(z, None, np.arange(40), similar)
    d2 = ((z[:, members[:, 0]] - z[:, members[:, 1]]) ** 2).sum(axis=2)
    assert_allclose(found, [roc_auc_score(similar, -d, sample_weight=weights) for d in d2])


def test_the_map_of_wccn_counts_weights():
    rng = np.random.default_rng(0)
    Z, weights, C = rng.normal(size=(40, 3)), rng.integers(1, 4, 40), np.diag([1.0, 2, 3])
    for candidate in [(0.3, 1.0), (3.0, 0.0)]:
        L, b = of_wccn.whitened(Z, C, *candidate, 4, weights.astype(float))
        expected = of_wccn.whitened(Z.repeat(weights, 0), C, *candidate, 4)
        assert_allclose(L, expected[0], atol=1e-12)
        assert_array_equal(b, expected[1])
    assert_allclose(of_wccn.feature_scales(Z, weights), of_wccn.feature_scales(Z.repeat(weights, 0)))


# ---- in training


def test_the_metric_follows_the_samples_of_large_weight():
    rng = np.random.default_rng(0)
    y, first = rng.integers(0, 2, 200), rng.random(200) < 0.5
    X = np.column_stack([rng.normal(size=(200, 2)), y])
    X[np.arange(200), np.where(first, 0, 1)] *= 5  # one feature is noise in some samples, the other one in the others
    quick = {"max_epochs": 5, "random_state": 0, "device": "cpu"}
    ratios = []
    for weights in (np.where(first, 1.0, 0.05), np.where(first, 0.05, 1.0)):
        M = Mahalanobis(loss="contrastive", **quick).fit(X, y, sample_weight=weights).get_mahalanobis_matrix()
        ratios.append(M[0, 0] / M[1, 1])
    assert ratios[0] < 0.5
    assert ratios[1] > 2


def test_a_sample_that_is_drawn_twice_forms_no_pair_with_itself():
    repeats = []

    def loss(z, r):
        same = (z[:, None] == z[None]).all(dim=2)
        repeats.append(int(same.sum()) - len(z))
        assert r[same].isnan().all()
        return losses.contrastive(z, r)

    X, y = unbalanced(np.random.default_rng(0))
    quick = QUICK | {"dropout": 0.0, "input_dropout": 0.0}
    EmbeddingNet(loss=loss, **quick).fit(X, y, sample_weight=np.where(y == 2, 5.0, 1.0))
    assert max(repeats) > 0


def test_pairs_of_large_weight_are_drawn_more_often_and_count_more_in_the_threshold():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2, 3))
    y = np.repeat([1, -1], 60)
    X[:60, 1] = X[:60, 0] + 0.5 * rng.normal(size=(60, 3))
    strict, lenient = (
        DDMLPairs(**QUICK).fit(X, y, sample_weight=np.where(y == sign, 20.0, 1.0)).predict(X) for sign in (-1, 1)
    )
    assert (strict == 1).sum() < (lenient == 1).sum()


def test_indicators_of_weight_0_are_left_out():
    rng = np.random.default_rng(0)
    points, pairs, y = rng.normal(size=(30, 4)), rng.integers(0, 30, (40, 2)), np.tile([-1, 1], 20)
    kept = (pairs < 20).all(axis=1)
    one, two = (DDMLPairs(preprocessor=points, **QUICK) for _ in range(2))
    one.fit(pairs, y, sample_weight=kept.astype(float))
    assert_array_equal(state(one), state(two.fit(pairs[kept], y[kept])))
    with pytest.raises(ValueError, match="sample_weight is 0 for all similar or for all dissimilar pairs"):
        one.fit(pairs, y, sample_weight=y > 0)


def test_domains_are_drawn_by_weight():
    X, y = unbalanced(np.random.default_rng(0))
    domain = np.tile([1, -1], 45)
    dtml = DTML(n_rounds=0, max_epochs=2, random_state=0, device="cpu")
    kept = np.arange(90) % 6 != 0
    one = state(dtml.fit(X, y, sample_domain=domain, sample_weight=kept * 1.0))
    assert_array_equal(one, state(dtml.fit(X[kept], y[kept], sample_domain=domain[kept])))
    weights = np.where(y == 0, 5.0, 1.0)
    assert (one != state(dtml.fit(X, y, sample_domain=domain, sample_weight=weights))).any()
    with pytest.raises(ValueError, match="sample_weight is 0 for all source samples"):
        dtml.fit(X, y, sample_domain=domain, sample_weight=domain < 0)


# ---- classes


class TestClassWeights:
    @pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
    def test_samples_are_drawn_in_proportion_to_the_weight_of_their_class(self, points, sampler):
        shares = Recorder.shares(*points, sampler=sampler, class_weight={0: 3.0})
        assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.03)

    @pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
    def test_balanced_weights_draw_classes_equally_often(self, sampler):
        X, y = unbalanced(np.random.default_rng(0))
        assert_allclose(Recorder.shares(X, y, sampler=sampler, class_weight="balanced"), [1 / 3] * 3, atol=0.03)
        weights = (np.bincount(y).mean() / np.bincount(y))[y]
        assert_allclose(Recorder.shares(X, y, weights, sampler="shuffled"), [1 / 3] * 3, atol=0.03)

    @pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
    def test_balanced_is_the_same_as_balanced_weights_of_samples(self, sampler):
        X, y = unbalanced(np.random.default_rng(0))
        weights = compute_sample_weight("balanced", y)
        one = EmbeddingNet(sampler=sampler, class_weight="balanced", **QUICK).fit(X, y)
        two = EmbeddingNet(sampler=sampler, **QUICK).fit(X, y, sample_weight=weights)
        assert_allclose(one.transform(X), two.transform(X), atol=1e-4)

    def test_balanced_counts_the_weights_of_samples(self):
        X, y = unbalanced(np.random.default_rng(0))
        weights = np.where(y == 0, 4.0, 1.0)
        shares = Recorder.shares(X, y, weights, sampler="shuffled", class_weight="balanced")
        assert_allclose(shares, [1 / 3] * 3, atol=0.03)

    @pytest.mark.parametrize("learner", SUPERVISED)
    def test_a_class_of_weight_0_is_left_out(self, points, learner):
        X, y = points
        params = {key: value for key, value in QUICK.items() if key in learner().get_params()}
        one = learner(class_weight={0: 0.0}, **params).fit(X, y)
        assert_array_equal(state(one), state(learner(**params).fit(X[y > 0], y[y > 0])))

    def test_equal_weights_are_no_weights(self, points):
        one, two = (EmbeddingNet(class_weight=w, **QUICK) for w in (None, dict.fromkeys([0, 1, 2], 3.0)))
        assert_array_equal(state(one.fit(*points)), state(two.fit(*points)))

    def test_classes_that_are_unknown_are_of_weight_1(self, points):
        X, y = points
        y = np.array(["a", "b", None, "c"], object)[np.where(np.arange(45) % 5 == 0, 2, y + (y > 1))]
        one, two = (EmbeddingNet(relation="known_class", class_weight=w, **QUICK) for w in ({"a": 0.0}, None))
        assert_array_equal(state(one.fit(X, y)), state(two.fit(X[y != "a"], y[y != "a"])))

    def test_classes_as_distributions_have_weights(self, points):
        one, two = (HRAML(relation="overlap", class_weight=w, **QUICK) for w in ({0: 0.0}, None))
        X, y = points
        assert_array_equal(state(one.fit(X, y)), state(two.fit(X[y > 0], y[y > 0])))

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ({7: 2.0}, "class_weight={7: 2.0} has 7, which is no class of y"),
            ({0: -1.0}, "class_weight=.* should hold numbers, at least 0"),
            (dict.fromkeys([0, 1, 2], 0.0), "class_weight=.* should hold numbers, at least 0"),
            ({0: 0.0, 1: 0.0}, "y has one class only"),
            ("equal", "class_weight"),
        ],
    )
    def test_messages(self, points, weights, message):
        with pytest.raises(ValueError, match=message):
            EmbeddingNet(class_weight=weights, **QUICK).fit(*points)

    @pytest.mark.parametrize("weights", [{0: 1.0}, "balanced"])
    def test_other_targets_have_no_classes(self, points, weights):
        X, y = points
        with pytest.raises(ValueError, match="class_weight=.* is for classes, and y holds other targets"):
            HRAML(class_weight=weights, **QUICK).fit(X, np.eye(3)[y] * 0.9 + 0.03)


# ---- metadata routing


def test_weights_are_routed_through_pipelines_and_searches(points):
    X, y = points
    weights = np.where(y == 0, 4.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        net = EmbeddingNet(**QUICK).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(net, KNeighborsClassifier(3)).fit(X, y, sample_weight=weights)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        search = GridSearchCV(pipeline, {"embeddingnet__loss": ["triplet", "contrastive"]}, scoring=scorer, cv=2)
        assert search.fit(X, y, sample_weight=weights).best_score_ > 0
    alone = EmbeddingNet(**QUICK)
    assert_array_equal(alone.fit_transform(X, y, sample_weight=weights), pipeline[0].transform(X))
    assert_array_equal(state(alone), state(EmbeddingNet(**QUICK).fit(X, y, sample_weight=weights)))
    best = EmbeddingNet(**QUICK, loss=search.best_params_["embeddingnet__loss"]).fit(X, y, sample_weight=weights)
    assert_array_equal(state(search.best_estimator_[0]), state(best))
