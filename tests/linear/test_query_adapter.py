"""QueryAdapter: its loss against a loop, limits in closed form, negatives, the choice of strength, hostile pairs."""

import numpy as np
import pandas as pd
import pytest
from discovery import tiny_queries
from numpy.testing import assert_array_equal
from scipy.optimize import check_grad
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from metricnets import QueryAdapter
from metricnets.linear._pairwise.documents import (
    Judgements,
    compared,
    hardest_negatives,
    negatives_of,
    numbered,
    scores_of,
)
from metricnets.linear._pairwise.index import Index
from metricnets.linear._solvers import cross_validation
from metricnets.linear._solvers.cross_validation import Choice, choose_strength, folds_of
from metricnets.linear._solvers.low_rank_change import Subspace, score_coordinates
from metricnets.linear._solvers.softmax_ranking import Ranking, best_temperature, log_ranks

X, Y = tiny_queries()
GRADES = np.random.default_rng(3).choice([0.0, 0.3, 1.0], size=len(X))
FIXED = {"regularization": 1.0, "temperature": 2.0, "tol": 1e-12, "max_iter": 1000}


def ranking_of(queries, documents, judgements, temperature):
    """The ranking in the coordinates of the features, divided by the temperature."""
    rows = judgements.relevant
    negatives = negatives_of(queries, documents, judgements, 1000)
    own, scores = compared(queries, documents, judgements, negatives)
    weights = judgements.relevance[rows] / judgements.relevance[rows].sum()
    x, own_z = queries[judgements.query[rows]], documents[judgements.document[rows]]
    return Ranking(
        own / temperature, scores / temperature, weights, x, own_z / temperature, documents[negatives] / temperature
    )


def loop(queries, documents, judgements, temperature, W):
    """The mean loss of the docstring, pair by pair and document by document."""
    total, known = 0.0, list(zip(judgements.query, judgements.document, judgements.relevance))
    for query, own, relevance in known:
        if relevance == 0:
            continue
        score = [W @ queries[query] @ z - z @ z / 2 for z in documents]
        no_negative = {document for q, document, r in known if q == query and r >= relevance}
        compared = [own, *(k for k in range(len(documents)) if k not in no_negative)]
        total -= relevance * np.log(
            np.exp(score[own] / temperature) / sum(np.exp(score[k] / temperature) for k in compared)
        )
    return total / judgements.relevance.sum()


QUERY = np.array([0, 0, 0, 1, 1, 2, 3])  # the first has several documents, the last one a document of the second
GRADED = Judgements(QUERY, np.array([0, 1, 2, 3, 4, 5, 3]), np.array([1.0, 1.0, 0.5, 0.3, 0.0, 1.0, 0.7]))


def test_the_loss_is_that_of_the_loop():
    W = np.eye(4) + 0.3 * np.random.default_rng(0).normal(size=(4, 4))
    ranking = ranking_of(X[:4], Y[:12], GRADED, 1.5)
    expected = loop(X[:4], Y[:12], GRADED, 1.5, W)
    assert ranking.mean_loss(W - np.eye(4))[0] == pytest.approx(expected, rel=1e-10)
    assert ranking.weights @ ranking.losses() == pytest.approx(loop(X[:4], Y[:12], GRADED, 1.5, np.eye(4)), rel=1e-10)


def test_the_gradient_is_the_numerical_one():
    ranking = ranking_of(X[:4], Y[:12], GRADED, 1.5)
    start = 0.3 * np.random.default_rng(0).normal(size=16)
    error = check_grad(
        lambda b: ranking.mean_loss(b.reshape(4, 4))[0], lambda b: ranking.mean_loss(b.reshape(4, 4))[1].ravel(), start
    )
    assert error < 1e-5


def test_strong_regularization_is_a_step_along_the_gradient_in_closed_form():
    """W − I → T E P Q Eᵀ / λ with the gradient of the loss at W = I in the coordinates E."""
    large, T = 1e7, 2.0
    adapter = QueryAdapter(n_components=None, **{**FIXED, "regularization": large, "tol": 0.0}).fit(X, Y)
    unit = np.sqrt(np.mean((Y**2).sum(axis=1)))
    Q, D, E = X / unit, Y / unit, score_coordinates(Y / unit, 4)
    logits = scores_of(Q, D) / (T / unit**2)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    gradient = (shares @ D - D).T @ Q / len(X)
    expected = -T / unit**2 * E @ (E.T @ gradient @ E) @ E.T / large
    change = adapter.document_components_.T @ adapter.query_components_
    np.testing.assert_allclose(change, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_the_change_is_minimal_among_those_of_its_subspace():
    ranking = ranking_of(X, Y, Judgements(np.arange(45), np.arange(45), np.ones(45)), 2.0)
    subspace = Subspace(ranking, 2)
    _, converged = subspace.minimize(0.1, 500, 1e-14)
    assert converged
    assert subspace.H.shape == (2, 2)
    gradient = subspace.left.T @ ranking.mean_loss(subspace.left @ subspace.H @ subspace.right.T)[1] @ subspace.right
    np.testing.assert_allclose(gradient, -0.1 * subspace.H, atol=1e-5)


def test_the_coordinates_make_changes_of_scores_their_norm():
    documents = np.random.default_rng(0).normal(size=(500, 3)) * [5, 1, 0.2]
    E, B = score_coordinates(documents, 3), np.random.default_rng(1).normal(size=(3, 3))
    second = documents.T @ documents / 500
    ridged = np.linalg.inv(E @ E.T)
    np.testing.assert_allclose(ridged, second + 0.3 * np.trace(second) / 3 * np.eye(3), rtol=1e-8)
    A = E @ B @ E.T
    assert np.trace(ridged @ A @ ridged @ A.T) == pytest.approx((B**2).sum())


def test_the_temperature_has_the_largest_likelihood():
    scores = np.random.default_rng(0).normal(size=(200, 20))
    own = scores[:, 0] + 1.0
    weights = np.full(200, 1 / 200)
    best = best_temperature(own, scores, weights)

    def loss(T):
        return np.mean(np.log(np.exp(own / T) + np.exp(scores / T).sum(axis=1)) - own / T)

    assert loss(best) <= min(loss(best * 1.1), loss(best / 1.1))
    assert best_temperature(own[:1], scores[:1, :0], weights[:1]) == 1.0


def test_numbers_are_those_of_distinct_rows():
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [2.0, 0.0]])
    first, number = numbered(rows)
    assert first.tolist() == [0, 1]
    assert number.tolist() == [0, 1, 0, 1]


def test_the_hardest_negatives_are_the_most_similar_ones_that_are_not_relevant(monkeypatch):
    documents = np.array([[5.0], [4.0], [3.0], [0.0], [-9.0]])
    relevant = np.array([0, 1]), np.array([0, 4])
    queries = np.array([[5.0], [-9.0]])
    monkeypatch.setattr("metricnets.linear._pairwise.documents.BLOCK", 1)
    assert hardest_negatives(queries, documents, relevant, 2).tolist() == [1, 3]
    assert sorted(hardest_negatives(queries, documents, relevant, 9)) == [0, 1, 2, 3, 4]


def test_documents_at_least_as_relevant_are_no_negatives_and_less_relevant_ones_come_first():
    rows = GRADED.relevant
    which, document = GRADED.no_negatives(rows)
    found = {int(row): {int(d) for d in document[which == k]} for k, row in enumerate(rows)}
    assert found == {0: {0, 1}, 1: {0, 1}, 2: {0, 1, 2}, 3: {3}, 5: {5}, 6: {3}}
    assert GRADED.less_relevant().tolist() == [2, 4]
    assert set(negatives_of(X[:4], Y[:12], GRADED, 2)) == {2, 4}


def test_negatives_are_all_documents_or_the_hardest_and_a_sample_in_equal_parts():
    documents = np.vstack([np.linspace(1.0, 2.0, 50), np.linspace(5, -5, 50)]).T
    judgements = Judgements(np.array([0]), np.array([0]), np.ones(1))
    queries = np.array([[1.5, 0.0]])
    assert_array_equal(negatives_of(queries, documents, judgements, 50), np.arange(50))
    chosen = negatives_of(queries, documents, judgements, 20)
    hardest = np.argsort(-scores_of(queries, documents)[0])
    assert len(np.unique(chosen)) == 20
    assert set(hardest[hardest > 0][:10]) <= set(chosen)
    assert np.abs(np.arange(50)[:, None] - chosen).min(axis=1).max() <= 4  # everywhere


def test_changes_are_judged_by_documents_that_are_no_negatives():
    index = Index.of(X, Y, np.ones(45))
    ranking, judge, T = index.rankings(10, 2.0)
    assert (len(ranking.z), len(judge.z), T) == (10, 45, 2.0)
    everything, same, _ = index.rankings(45, 2.0)
    assert same is everything
    np.testing.assert_allclose(judge.losses(), everything.losses())
    scores = scores_of(X, Y)
    np.testing.assert_allclose(np.exp(judge.log_ranks()), 1 + (scores > np.diag(scores)[:, None]).sum(axis=1))


def test_a_few_folds_do_for_many_queries(monkeypatch):
    index = Index.of(X, Y, np.ones(45))
    ranking, judge, _ = index.rankings(45, None)
    how = {"n_components": 2, "max_iter": 20, "tol": 1e-3}
    fold = folds_of(np.arange(45), ranking.losses(), 5)
    for enough, n_folds in ((2000, 5), (10, 2), (9, 1)):
        monkeypatch.setattr(cross_validation, "ENOUGH", enough)
        choice = choose_strength(ranking, judge, np.arange(45), 5, **how)
        rows = np.concatenate([np.flatnonzero(fold == k) for k in range(n_folds)])
        assert choice.losses[0] + choice.gains[0] == pytest.approx(ranking.losses()[rows].mean())


def test_queries_are_held_out_with_all_their_documents_and_folds_have_easy_and_hard_ones():
    query, losses = np.repeat(np.arange(10), 2), np.repeat(np.arange(10.0)[::-1], 2)
    fold = folds_of(query, losses, 5)
    assert (fold[::2] == fold[1::2]).all()
    assert sorted(fold[losses < 5]) == sorted(fold[losses >= 5]) == sorted([*range(5)] * 2)


def test_the_strength_has_the_best_ranks_less_two_standard_errors_if_losses_gain_by_three():
    strengths, gains, few, some = (
        np.array([10.0, 1.0, 0.1]),
        np.array([0.5, 0.6, -1.0]),
        np.full(3, 0.1),
        np.full(3, 0.5),
    )
    ranks = np.array([2.0, 1.5, 9.0])
    assert Choice(strengths, -gains, gains, few, ranks, some).best == 10
    assert Choice(strengths, -gains, gains, few, ranks, np.array([0.9, 0.5, 0])).best == 1
    assert Choice(strengths, -gains, gains, np.array([0.2, 0.1, 0.1]), ranks, some).best == 1
    assert Choice(strengths, -gains, gains, some, ranks, some).best == np.inf
    assert Choice(strengths, -gains, gains, few, ranks, np.array([1.1, 1, 0])).best == np.inf


def test_ranks_count_negatives_above_and_half_of_the_ties():
    own, scores = np.array([1.0, 2.0, 0.0]), np.array([[3.0, 1.0, -np.inf], [1.0, 0.0, 1.9], [0.1, 0.2, 0.3]])
    np.testing.assert_allclose(np.exp(log_ranks(own, scores)), [2.5, 1, 4])


# ------------------------------------------------------------------------------------------------
# The estimator.


def found_first(queries, documents=Y):
    nearest = NearestNeighbors(n_neighbors=1).fit(documents).kneighbors(queries, return_distance=False)[:, 0]
    return np.mean(nearest == np.arange(len(queries)))


def test_held_out_queries_find_their_documents():
    adapter = QueryAdapter().fit(X[:30], Y[:30], documents=Y)
    assert found_first(adapter.transform(X[30:]), Y[30:]) > found_first(X[30:], Y[30:]) + 0.3
    results = adapter.cv_results_
    assert adapter.regularization_ in results["regularization"]
    assert results["gain"].max() > 3 * results["gain_error"][results["gain"].argmax()]


def test_the_identity_is_kept_if_nothing_can_be_learned():
    rng = np.random.default_rng(0)
    documents = normalize(rng.normal(size=(60, 8)))
    for queries in (rng.normal(size=(20, 8)), documents[:20], documents[:1]):
        adapter = QueryAdapter().fit(queries, documents[: len(queries)], documents=documents)
        assert adapter.regularization_ == np.inf
        assert adapter.query_components_.shape == (0, 8)
        np.testing.assert_allclose(adapter.transform(queries), queries, rtol=1e-12)


def test_groups_are_held_out_together_so_that_what_helps_in_one_only_is_no_gain():
    rng = np.random.default_rng(0)
    topics = np.repeat(np.arange(6), 20)
    own, noise = 4 * np.eye(6, 12)[topics], rng.normal(size=(2, 120, 12)) * np.repeat([0.1, 1], 6)
    documents, queries = own + noise[0], own[(np.arange(120) + 20) % 120] + noise[0] + 0.3 * noise[1]
    single, together = (QueryAdapter().fit(queries, documents, groups=groups) for groups in (None, topics))
    assert single.cv_results_["gain"].max() > together.cv_results_["gain"].max() + 0.2
    with pytest.raises(ValueError, match="groups has 3 values"):
        QueryAdapter().fit(queries, documents, groups=topics[:3])


def test_norms_are_preserved_if_they_are_1():
    queries, documents = normalize(X), normalize(Y)
    adapter = QueryAdapter(**{**FIXED, "regularization": 0.01, "temperature": 0.1}).fit(queries, documents)
    Z = adapter.transform(3 * np.vstack([queries, np.zeros(4)]))
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), [*np.full(len(X), 3.0), 0.0], rtol=1e-9)
    assert np.abs(adapter.transform(queries) - queries).max() > 0.05
    assert not QueryAdapter(**FIXED).fit(2 * queries, 2 * documents).keeps_norm_


@pytest.mark.parametrize("params", [{"n_components": 2}, FIXED])
def test_neither_units_nor_the_order_of_pairs_matter(params):
    params = {"tol": 1e-9, "max_iter": 500} | params
    expected = QueryAdapter(**params).fit(X, Y, GRADES).transform(X)
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = QueryAdapter(**params).fit(X[order], Y[order], GRADES[order]).transform(X)
    np.testing.assert_allclose(shuffled, expected, rtol=1e-3, atol=1e-3)
    if "temperature" not in params:
        scaled = QueryAdapter(**params).fit(1e6 * X, 1e6 * Y, GRADES).transform(X)
        np.testing.assert_allclose(scaled, expected, rtol=1e-3, atol=1e-3)


def test_copies_of_documents_are_no_negatives():
    twice = QueryAdapter(**FIXED).fit(X, Y, documents=np.vstack([Y, Y[::-1]]))
    np.testing.assert_allclose(twice.transform(X), QueryAdapter(**FIXED).fit(X, Y).transform(X), rtol=1e-9)


def test_relevance_is_a_weight_and_irrelevant_documents_are_pushed_away():
    repeated = np.repeat(np.arange(len(X)), 1 + (GRADES == 1))
    once = QueryAdapter(**FIXED).fit(X, Y, np.where(GRADES == 1, 1.0, 0.5))
    twice = QueryAdapter(**FIXED).fit(X[repeated], Y[repeated])
    np.testing.assert_allclose(once.transform(X), twice.transform(X), rtol=1e-4, atol=1e-4)
    wrong = Y[:1] + 0.2
    told = QueryAdapter(**{**FIXED, "n_negatives": 1}).fit(X[[0, 0]], np.vstack([Y[:1], wrong]), [1, 0], documents=Y)
    before, after = (scores_of(Z, np.vstack([Y[:1], wrong]))[0] for Z in (X[:1], told.transform(X[:1])))
    assert after[0] - after[1] > before[0] - before[1]


def test_each_parameter_has_an_effect():
    base = QueryAdapter(**FIXED).fit(X, Y).transform(X)
    for changed in ({"n_components": 1}, {"regularization": 0.1}, {"temperature": 1.0}, {"n_negatives": 3}):
        assert np.abs(QueryAdapter(**{**FIXED, **changed}).fit(X, Y).transform(X) - base).max() > 1e-3
    with pytest.warns(UserWarning, match="max_iter=1 "):
        QueryAdapter(**{**FIXED, "max_iter": 1}).fit(X, Y)
    assert QueryAdapter(n_components=1, **FIXED).fit(X, Y).query_components_.shape == (1, 4)


def test_it_is_a_step_of_a_pipeline_with_documents_in_the_space_of_its_input():
    scaler = StandardScaler().fit(Y)
    documents = scaler.transform(Y)
    model = make_pipeline(scaler, QueryAdapter()).fit(X, documents, queryadapter__documents=documents)
    alone = QueryAdapter().fit(scaler.fit(X).transform(X), documents, documents=documents)
    np.testing.assert_allclose(model.transform(X), alone.transform(scaler.transform(X)), rtol=1e-9)
    assert clone(alone).get_params() == alone.get_params()


NAN = np.full((45, 4), np.nan)
WRONG = {
    "widths": (X, Y[:, :3], None, None, "Y has 3 features and X has 4"),
    "widths of documents": (X, Y, None, Y[:, :3], "documents has 3 features"),
    "rows": (X, Y[:9], None, None, "X has 45 queries and Y 9"),
    "NaN in X": (NAN, Y, None, None, "X contains NaN"),
    "NaN in Y": (X, NAN, None, None, "Y contains NaN"),
    "NaN in documents": (X, Y, None, NAN, "documents contains NaN"),
    "NaN in y": (X, Y, NAN[:, 0], None, "y contains NaN"),
    "nothing relevant": (X, Y, np.zeros(45), None, "y is 0 for all pairs"),
    "grades of 0 to 4": (X, Y, 4 * GRADES, None, r"y reaches from 0 to 4; relevance is in \[0, 1\]"),
    "too few grades": (X, Y, GRADES[:3], None, r"y has shape \(3,\)"),
    "zero documents": (X, 0 * Y, None, None, "zeros only"),
    "other units": (1e9 * X, Y, None, None, "scale X first"),
    "squares above all numbers": (1e160 * X, 1e160 * Y, None, None, "norms of about .*e.160: scale X, Y"),
    "squares below all numbers": (
        1e-160 * X,
        1e-160 * Y,
        None,
        None,
        "norms of about .*e-160: scale X, Y",
    ),
    "classes as documents": (X, GRADES, None, None, "2D array"),
    "rows of the index": (X, np.arange(45), None, None, r"index\[Y\] if Y has rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_pairs_are_named_and_a_fitted_adapter_stays_as_it_was(case):
    *pairs, documents, message = WRONG[case]
    adapter = QueryAdapter(**FIXED).fit(X, Y)
    before = dict(vars(adapter))
    with pytest.raises(ValueError, match=message):
        adapter.fit(*pairs, documents=documents)
    assert vars(adapter) == before


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("queries", "documents"),
    [
        (X[:1], Y[:1]),
        (X[[0, 0, 0]], Y[[0, 0, 0]]),
        (X * 0, Y),
        (np.vstack([X, 0 * X[:2]]), np.vstack([Y, 0 * Y[:2]])),
        (np.tile(X[:5], (4, 1)), np.tile(Y[:5], (4, 1))),
        (1e150 * X, 1e150 * Y),
        (1e-150 * X, 1e-150 * Y),
        (X.astype(np.float32) * 1e15, Y.astype(np.float32) * 1e15),
        (X[:, :1], Y[:, :1]),
        (np.hstack([X] * 20)[:7], np.hstack([Y] * 20)[:7]),
        (X.round().astype(int), Y.round().astype(int)),
    ],
    ids=[
        "one",
        "one, repeated",
        "zero",
        "some zero",
        "repeated",
        "huge",
        "tiny",
        "single",
        "a column",
        "wide",
        "whole",
    ],
)
@pytest.mark.parametrize("regularization", [None, 1.0])
def test_unusual_pairs_give_finite_queries(queries, documents, regularization):
    adapter = QueryAdapter(regularization=regularization).fit(queries, documents)
    Z = adapter.transform(queries)
    assert np.isfinite(Z).all()
    assert Z.dtype == (queries.dtype if queries.dtype == np.float32 else float)


def test_frames_and_single_precision_and_what_is_sparse():
    names = ["a", "b", "c", "d"]
    frames = [pd.DataFrame(part, columns=names) for part in (X, Y)]
    adapter, plain = QueryAdapter(**FIXED).fit(*frames), QueryAdapter(**FIXED).fit(X, Y)
    assert list(adapter.get_feature_names_out()) == list(adapter.feature_names_in_) == names
    assert_array_equal(adapter.transform(frames[0]), plain.transform(X))
    assert list(adapter.set_output(transform="pandas").transform(frames[0]).columns) == names
    for documents in (Y, Y.astype(np.float32)):
        single = QueryAdapter(**FIXED).fit(X.astype(np.float32), documents).transform(X.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, plain.transform(X), rtol=1e-2, atol=1e-2)
    assert plain.transform(X.astype(np.float32)).dtype == np.float32
    assert_array_equal(QueryAdapter(**FIXED).fit(X, csr_array(Y)).transform(X), plain.transform(X))
    with pytest.raises(TypeError, match="dense data is required"):
        QueryAdapter().fit(csr_array(X), Y)


def test_more_features_than_points_are_as_in_their_span():
    """Orthogonal coordinates, most of which are 0 for all points, change nothing."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(120, 4)))[0]
    wide = QueryAdapter(**FIXED).fit(X @ basis.T, Y @ basis.T)
    assert wide.query_components_.shape[1] == 120
    change = basis.T @ wide.document_components_.T @ wide.query_components_ @ basis
    Z = wide.transform(X @ basis.T) @ basis
    np.testing.assert_allclose(Z, X + X @ change.T, rtol=1e-6, atol=1e-8)
    assert found_first(Z) > found_first(X) + 0.2
