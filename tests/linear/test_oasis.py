"""OASIS: the steps against the loop of the paper, streams, its metric, and what it draws from classes."""

import itertools

import numpy as np
import pytest
from discovery import tiny_points, tiny_tuples
from scipy.sparse import csr_array, csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from metricnets._draws import random_triplets
from metricnets.linear import _oasis
from metricnets.linear._oasis import OASIS, OASIS_Supervised
from metricnets.linear._solvers.passive_aggressive import passive_aggressive

X, y = tiny_points()
triplets = tiny_tuples(3)
unit = normalize(triplets.reshape(-1, 4)).reshape(triplets.shape)  # the points of the paper


def loop(triplets, C):
    """The algorithm of the paper, in its notation."""
    W = np.eye(triplets.shape[2])
    for p, p_plus, p_minus in triplets:
        loss = max(0.0, 1 - p @ W @ p_plus + p @ W @ p_minus)
        V = np.outer(p, p_plus - p_minus)
        if loss > 0 and V.any():
            W = W + min(C, loss / np.linalg.norm(V) ** 2) * V
    return W


def nearest_psd(M):
    values, vectors = np.linalg.eigh((M + M.T) / 2)
    return (vectors * values.clip(0)) @ vectors.T


def in_order(C=0.1, **params):
    return OASIS(C=C, shuffle=False, **params)


# ------------------------------------------------------------------------------------------------
# The steps.


@pytest.mark.parametrize("block", [1, 7, 128])
@pytest.mark.parametrize("C", [1e-3, 0.1, 1e3])
def test_the_similarity_is_that_of_the_loop(C, block, monkeypatch):
    monkeypatch.setattr(_oasis, "BLOCK", block)
    oasis = in_order(C, center=False).fit(unit)
    assert oasis.scale_ == pytest.approx(1, rel=1e-12)
    np.testing.assert_array_equal(oasis.mean_, 0)
    np.testing.assert_allclose(oasis.bilinear_, loop(unit, C), rtol=1e-9, atol=1e-12)
    assert oasis.n_iter_ == len(triplets)


def test_points_are_relative_to_the_mean_and_in_units_of_the_spread_of_those_seen_so_far():
    located = []
    for t in range(len(triplets)):
        seen = triplets[: t + 1].reshape(-1, 4)
        mean = seen.mean(axis=0)
        located.append((triplets[t] - mean) / np.sqrt(((seen - mean) ** 2).sum(axis=1).mean()))
    oasis = in_order().fit(triplets)
    np.testing.assert_allclose(oasis.bilinear_, loop(np.array(located), 0.1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(oasis.mean_, mean)
    assert oasis.scale_ == pytest.approx(np.sqrt(((seen - mean) ** 2).sum(axis=1).mean()))


def one_step(W, p, d, C):
    after = W.copy()
    passive_aggressive(after, p[None], d[None], C)
    return after


def test_a_triplet_with_the_margin_changes_nothing():
    p, d = np.array([2.0, 0.0, 1.0]), np.array([1.0, 5.0, 0.0])  # p W d = 2
    np.testing.assert_array_equal(one_step(np.eye(3), p, d, 1e3), np.eye(3))


def test_a_free_step_is_the_least_change_that_gives_the_margin():
    rng = np.random.default_rng(0)
    W, p = rng.normal(size=(2, 3, 3))[0], rng.normal(size=3)
    d = -W.T @ p + 0.1 * rng.normal(size=3)
    change = one_step(W, p, d, 1e9) - W
    assert p @ (W + change) @ d == pytest.approx(1)
    A = np.outer(p, d).ravel()
    least = np.linalg.pinv(A[None]) @ [1 - p @ W @ d]  # of all changes with ⟨A, change⟩ = loss
    np.testing.assert_allclose(change.ravel(), least, atol=1e-12)


def test_the_aggressiveness_limits_a_step():
    p, d = np.array([1.0, -1.0]), np.array([-2.0, 0.5])
    np.testing.assert_allclose(one_step(np.eye(2), p, d, 1e-3) - np.eye(2), 1e-3 * np.outer(p, d), atol=1e-15)


def test_points_that_say_nothing_are_passed_over():
    nothing = np.zeros((2, 3))
    W = np.eye(3)
    passive_aggressive(W, np.vstack([nothing, np.ones((1, 3))]), np.vstack([np.ones((2, 3)), nothing[:1]]), 1.0)
    np.testing.assert_array_equal(W, np.eye(3))


# ------------------------------------------------------------------------------------------------
# Streams.


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("cuts", [[40], [1, 2, 79], [33, 66]])
def test_parts_of_a_stream_are_the_whole(cuts, center):
    whole, stream = in_order(center=center).fit(triplets), OASIS(center=center)
    for part in np.split(triplets, cuts):
        stream.partial_fit(part)
    for name in ("bilinear_", "mean_", "scale_", "components_"):
        np.testing.assert_allclose(getattr(stream, name), getattr(whole, name), rtol=1e-9, atol=1e-11)
    assert stream.n_iter_ == whole.n_iter_ == 80


def test_a_fit_forgets_and_a_partial_fit_goes_on():
    oasis = in_order().fit(triplets)
    first = oasis.bilinear_
    assert not np.array_equal(oasis.partial_fit(triplets).bilinear_, first)
    np.testing.assert_array_equal(oasis.fit(triplets).bilinear_, first)


def test_more_steps_than_triplets_are_further_passes():
    np.testing.assert_allclose(
        in_order(n_iter=200).fit(triplets).bilinear_,
        in_order().fit(np.concatenate([triplets] * 3)[:200]).bilinear_,
        rtol=1e-9,
    )
    assert in_order(n_iter=5).fit(triplets).n_iter_ == 5


def test_the_order_is_random_unless_it_is_given():
    one, same, other = (OASIS(random_state=seed).fit(triplets).bilinear_ for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    assert not np.allclose(one, in_order().fit(triplets).bilinear_)


@pytest.mark.parametrize(("learner", "data"), [(OASIS(), (triplets,)), (OASIS_Supervised(random_state=0), (X, y))])
def test_a_first_part_is_a_fit_and_later_ones_need_its_features(learner, data):
    params = learner.get_params() | ({"shuffle": False} if len(data) == 1 else {})
    expected = type(learner)(**params).fit(*data).bilinear_
    np.testing.assert_array_equal(learner.partial_fit(*data).bilinear_, expected)
    with pytest.raises(ValueError, match=r"shape \(3,\), but OASIS was fitted with \(4,\)|X has 3 features"):
        learner.partial_fit(data[0][..., :3], *data[1:])
    np.testing.assert_array_equal(learner.bilinear_, expected)
    assert learner.n_iter_ == (80 if len(data) == 1 else 45 * 30)


def test_a_part_that_fails_leaves_what_was_learned(monkeypatch):
    oasis = OASIS().fit(triplets)
    before = {key: np.copy(value) for key, value in vars(oasis).items() if key.endswith("_")}

    def half_way(W, P, D, C):
        passive_aggressive(W, P, D, C)
        raise KeyboardInterrupt

    monkeypatch.setattr(_oasis, "passive_aggressive", half_way)
    with pytest.raises(KeyboardInterrupt):
        oasis.partial_fit(triplets)
    for key, value in before.items():
        np.testing.assert_array_equal(getattr(oasis, key), value)


def test_batches_of_samples_may_bring_new_classes():
    oasis = OASIS_Supervised(n_iter=100, random_state=0)
    for classes in ([0, 1], [1, 2], [0, 2]):
        oasis.partial_fit(X[np.isin(y, classes)], y[np.isin(y, classes)])
    assert oasis.n_iter_ == 300
    np.testing.assert_allclose(oasis.mean_, X.mean(axis=0))  # every sample came twice
    with pytest.raises(ValueError, match="y gives no triplets; it needs two classes"):
        oasis.partial_fit(X[y == 0], y[y == 0])


# ------------------------------------------------------------------------------------------------
# The similarity and its metric.


@pytest.mark.parametrize("learner", [OASIS().fit(triplets), OASIS_Supervised(C=1.0, random_state=0).fit(X, y)])
def test_the_metric_is_the_projection_of_the_symmetric_part(learner):
    np.testing.assert_allclose(learner.get_mahalanobis_matrix(), nearest_psd(learner.bilinear_), atol=1e-9)
    assert not np.allclose(learner.bilinear_, learner.bilinear_.T)
    learner = type(learner)(**learner.get_params() | {"n_components": 2, "random_state": 0})
    L = learner.fit(*((triplets,) if isinstance(learner, OASIS) else (X, y))).components_
    np.testing.assert_allclose(L @ L.T, np.diag(np.linalg.eigvalsh(nearest_psd(learner.bilinear_))[:1:-1]), atol=1e-9)


def test_the_similarity_of_pairs():
    oasis = OASIS().fit(triplets)
    pairs = X[np.arange(40).reshape(20, 2)]
    z = (pairs - oasis.mean_) / oasis.scale_
    expected = [a @ oasis.bilinear_ @ b for a, b in z]
    np.testing.assert_allclose(oasis.pair_similarity(pairs), expected)
    assert not np.allclose(oasis.pair_similarity(pairs[:, ::-1]), expected)
    by_index = OASIS(preprocessor=X).fit(np.arange(45).reshape(15, 3))
    rows = np.arange(40).reshape(20, 2)
    np.testing.assert_allclose(by_index.pair_similarity(rows), by_index.pair_similarity(X[rows]))
    with pytest.raises(ValueError, match=r"shape \(3,\), but OASIS was fitted with \(4,\)"):
        oasis.pair_similarity(pairs[..., :3])
    with pytest.raises(ValueError, match="tuples of 2 points"):
        oasis.pair_similarity(triplets)
    with pytest.raises(NotFittedError):
        OASIS().pair_similarity(pairs)


def test_triplets_are_learned_by_the_similarity():
    oasis = OASIS(n_iter=4000, random_state=0).fit(triplets)
    gain = oasis.pair_similarity(triplets[:, :2]) - oasis.pair_similarity(triplets[:, ::2])
    z = (triplets - oasis.mean_) / oasis.scale_
    before = ((z[:, 0] * (z[:, 1] - z[:, 2])).sum(axis=1) > 0).mean()
    assert (gain > 0).mean() > before + 0.05


@pytest.mark.parametrize(("learner", "data"), [(OASIS(), (triplets,)), (OASIS_Supervised(), (X, y))])
def test_neither_the_origin_nor_a_common_unit_matters(learner, data):
    learner.set_params(random_state=0)
    W = learner.fit(*data).bilinear_
    for scale, shift in itertools.product([1e-6, 1.0, 1e6], [0.0, 30.0]):
        moved = learner.fit((data[0] + shift) * scale, *data[1:])
        np.testing.assert_allclose(moved.bilinear_, W, rtol=1e-7, atol=1e-9)


def test_opposite_points_that_are_similar_leave_no_metric():
    opposite = np.array([[[1.0], [-1.0], [1.0]]])
    with pytest.warns(UserWarning, match="all distances are 0; see pair_similarity"):
        oasis = OASIS(C=10.0, center=False).fit(opposite)
    assert oasis.bilinear_ == pytest.approx(np.array([[-0.5]]))
    assert oasis.pair_similarity([[[1.0], [-1.0]]]) > 0


# ------------------------------------------------------------------------------------------------
# Triplets of classes.


def test_random_triplets_are_all_those_of_classes_equally_often():
    codes = np.array([1, 0, 2, 1, -1, 0, 1, 3])  # two classes of one sample
    possible = {
        (a, b, c)
        for a, b, c in itertools.product(range(8), repeat=3)
        if a != b and codes[a] == codes[b] and codes[c] not in (-1, codes[a]) and codes[a] >= 0
    }
    drawn = random_triplets(codes, 40000, np.random.RandomState(0))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert {*map(tuple, found.tolist())} == possible
    # a, b and c are independent draws: 1/5 of a, 1/(size - 1) of b, 1 over the size of all other classes of c
    sizes = np.bincount(codes[codes >= 0])[codes[found[:, 0]]]
    expected = 40000 / 5 / (sizes - 1) / (7 - sizes)
    assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("C", [0.1, 5.0])
def test_classes_are_the_triplets_drawn_from_them(C):
    oasis = OASIS_Supervised(C=C, n_iter=700, random_state=3).fit(X, y)
    Z = X - X.mean(axis=0)
    Z /= np.sqrt((Z**2).sum(axis=1).mean())
    drawn = random_triplets(y, 700, np.random.RandomState(3))
    np.testing.assert_allclose(oasis.bilinear_, loop(Z[drawn], C), rtol=1e-8, atol=1e-10)
    assert oasis.n_iter_ == 700


def test_samples_of_unknown_class_change_nothing():
    hidden = np.arange(45) % 4 == 0
    partly = OASIS_Supervised(random_state=0).fit(X, np.where(hidden, np.nan, y))
    without = OASIS_Supervised(random_state=0).fit(X[~hidden], y[~hidden])
    np.testing.assert_allclose(partly.bilinear_, without.bilinear_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [csr_matrix, csr_array])
def test_sparse_points_are_points(kind):
    words = np.random.default_rng(0).poisson(0.3, size=(60, 30)) * 1.0
    classes = np.arange(60) % 3
    words[np.arange(60), classes] += 1
    dense, sparse = (
        OASIS_Supervised(center=False, random_state=0).fit(given, classes) for given in (words, kind(words))
    )
    np.testing.assert_allclose(sparse.bilinear_, dense.bilinear_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(sparse.transform(kind(words)), dense.transform(words), rtol=1e-7, atol=1e-9)
    sparse.partial_fit(kind(words[:30]), classes[:30])
    with pytest.raises(TypeError, match="center=True would make a sparse X dense; set center=False"):
        OASIS_Supervised().fit(kind(words), classes)


@pytest.mark.parametrize("center", [True, False])
def test_it_finds_the_features_that_tell_classes_apart(center):
    rng = np.random.default_rng(0)
    classes = np.arange(300) % 3
    Z = np.hstack([4 * np.eye(3)[classes] + rng.normal(size=(300, 3)), 2 * rng.normal(size=(300, 20))])
    oasis = OASIS_Supervised(center=center, random_state=0).fit(Z[:150], classes[:150])
    raw, learned = (
        KNeighborsClassifier(3).fit(z[:150], classes[:150]).score(z[150:], classes[150:])
        for z in (Z, oasis.transform(Z))
    )
    assert learned > raw + 0.05


def test_wrong_parameters_are_named():
    for params, name in [({"C": 0.0}, "C"), ({"n_iter": 0}, "n_iter"), ({"center": "mean"}, "center")]:
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            OASIS_Supervised(**params).fit(X, y)
    with pytest.raises(TypeError, match="Did you mean 'n_iter'"):
        OASIS(max_iter=5)
    for classes in (np.zeros(45), [*range(20), *[None] * 25]):
        with pytest.raises(ValueError, match="y gives no triplets; it needs two classes, and two samples in one"):
            OASIS_Supervised().fit(X, classes)
