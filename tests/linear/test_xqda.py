"""XQDA: the subspace and the metric of all pairs across views."""

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets.linear._kissme import KISSME_Supervised
from metricnets.linear._xqda import XQDA

N_PERSONS, D = 30, 6


def two_cameras(seed=0):
    """Persons seen twice by camera a and once by camera b, which sees other colours."""
    rng = np.random.default_rng(seed)
    persons = rng.normal(size=(N_PERSONS, D)) * [3, 2, 1, 0.3, 0, 0]
    person, view = np.tile(np.arange(N_PERSONS), 3), np.repeat(list("aab"), N_PERSONS)
    return persons[person] + rng.normal(size=(len(person), D)) + 2.0 * (view == "b")[:, None], person, view


X, person, view = two_cameras()


def reference(X, y, view, share):
    """M of Liao et al., pair by pair, with the same regularisation of both covariances."""
    differences = {True: [], False: []}
    for i in range(len(X)):
        for j in range(i):
            if view[i] != view[j]:
                differences[y[i] == y[j]].append(X[i] - X[j])
    S, E = (np.mean([np.outer(t, t) for t in differences[kind]], axis=0) for kind in (True, False))
    added = share * np.trace(S) / X.shape[1] * np.eye(X.shape[1])
    S, E = S + added, E + added
    values, vectors = np.linalg.eig(np.linalg.inv(S) @ E)
    W = vectors[:, values.real > 1].real
    return W @ (np.linalg.inv(W.T @ S @ W) - np.linalg.inv(W.T @ E @ W)) @ W.T, np.sort(values.real)[::-1]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3])
def test_the_metric_is_that_of_the_paper(share):
    xqda = XQDA(regularization=share).fit(X, person, view=view)
    M, ratios = reference(X, person, view, share)
    np.testing.assert_allclose(xqda.get_mahalanobis_matrix(), M, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(xqda.ratios_, ratios[ratios > 1], rtol=1e-8)
    z = xqda.transform(X)
    pairs = X[[[0, 1], [5, 40], [2, 2]]]
    v = pairs[:, 0] - pairs[:, 1]
    np.testing.assert_allclose(xqda.pair_distance(pairs) ** 2, np.einsum("ij,jk,ik->i", v, M, v), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(z[5] - z[40]), xqda.pair_distance(pairs)[1])


def test_regularization_does_not_change_how_many_directions_there_are():
    numbers = {len(XQDA(regularization=share).fit(X, person, view=view).ratios_) for share in (0.0, 0.1, 10.0)}
    assert len(numbers) == 1
    assert numbers < {*range(1, D)}


def test_it_is_kissme_where_dissimilar_pairs_differ_more_in_every_direction():
    rng = np.random.default_rng(0)
    y = np.arange(60) // 5
    Z = (rng.normal(size=(12, 4)) * 4)[y] + rng.normal(size=(60, 4))
    one, other = (learner.fit(Z, y).get_mahalanobis_matrix() for learner in (XQDA(), KISSME_Supervised()))
    np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def test_fewer_components_are_the_largest_ratios_and_more_are_zero():
    full = XQDA().fit(X, person, view=view)
    assert full.components_.shape == (D, D)
    assert not full.components_[len(full.ratios_) :].any()
    for k in (1, 2, D):
        fewer = XQDA(n_components=k).fit(X, person, view=view)
        np.testing.assert_allclose(fewer.components_, full.components_[:k])
        np.testing.assert_allclose(fewer.ratios_, full.ratios_[:k])


def test_new_persons_are_found_in_the_other_camera():
    z, (new, *_) = XQDA().fit(X, person, view=view).transform, two_cameras(1)
    a, b = new[:N_PERSONS], new[-N_PERSONS:]

    def found(a, b):
        return (np.linalg.norm(a[:, None] - b, axis=2).argmin(axis=1) == np.arange(N_PERSONS)).mean()

    assert found(z(a), z(b)) > found(a, b)


def test_the_view_reaches_it_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), XQDA().set_fit_request(view=True)).fit(X, person, view=view)
    expected = XQDA().fit(StandardScaler().fit_transform(X), person, view=view)
    np.testing.assert_allclose(pipeline[-1].components_, expected.components_)
    pipeline = make_pipeline(StandardScaler(), XQDA()).fit(X, person, xqda__view=view)
    np.testing.assert_allclose(pipeline[-1].components_, expected.components_)


def test_views_of_unknown_persons_do_not_matter():
    named = person.astype(object)
    named[::7] = None
    kept = np.arange(len(X)) % 7 > 0
    one, other = XQDA().fit(X, named, view=view), XQDA().fit(X[kept], person[kept], view=view[kept])
    np.testing.assert_allclose(one.components_, other.components_, rtol=1e-6, atol=1e-9)


def test_no_direction_is_told():
    with pytest.warns(UserWarning, match="in no direction; all distances are 0"):
        xqda = XQDA().fit(np.ones((6, 3)), [0, 0, 1, 1, 2, 2])
    assert xqda.components_.shape == (3, 3)
    assert not xqda.components_.any()


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (["a", 1, "b"] * 2, "view mixes strings"),
        (np.zeros((6, 2)), "view should hold one value for each sample"),
        ([1] * 6, "view has one value only"),
        ([None, 1, 2] * 2, "view is None or NaN for 2 samples"),
    ],
)
def test_a_bad_view_is_named(view, message):
    with pytest.raises(ValueError, match=message):
        XQDA().fit(np.arange(12.0).reshape(6, 2), [0, 1, 2] * 2, view=view)
