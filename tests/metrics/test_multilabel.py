"""Scores of label sets, against loops over rows and labels."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import hamming_loss
from sklearn.neighbors import KNeighborsClassifier

from metricnets.metrics import average_precision, coverage, multilabel_scores, one_error, ranking_loss

SCORES = [one_error, coverage, ranking_loss, average_precision]
RANKED = [one_error, ranking_loss, average_precision]


def label_sets(ties=False):
    """Forty rows of five labels, some of them empty and some full."""
    rng = np.random.default_rng(0)
    Y, score = rng.integers(2, size=(40, 5)), rng.random((40, 5))
    Y[:3], Y[3:5] = 0, 1
    return Y, np.round(score, 1) if ties else score


def by_rows(rule, Y, score, full):
    rows = [(set(np.flatnonzero(y)), s) for y, s in zip(Y, score) if y.any() and (full or not y.all())]
    return np.mean([rule(own, s) for own, s in rows])


def naive(score_name, own, s):
    labels, rank = range(len(s)), [sum(s >= value) for value in s]
    if score_name == "one_error":
        return not {label for label in labels if s[label] == max(s)} <= own
    if score_name == "coverage":
        return max(rank[label] for label in own) - 1
    if score_name == "ranking_loss":
        return np.mean([s[a] <= s[b] for a in own for b in labels if b not in own])
    return np.mean([sum(s[other] >= s[label] for other in own) / rank[label] for label in own])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("score", SCORES)
def test_scores_are_what_a_loop_finds(score, ties):
    Y, s = label_sets(ties)
    expected = by_rows(lambda own, row: naive(score.__name__, own, row), Y, s, full=score is coverage)
    assert score(Y, s) == pytest.approx(expected)
    assert isinstance(score(Y, s), float)


@pytest.mark.parametrize("score", SCORES)
def test_a_perfect_and_a_reversed_order(score):
    Y, own = np.array([[1, 1, 0, 0], [0, 0, 0, 1]]), np.array([0.1, 0.2, 0.3, 0.4])
    best = {coverage: 0.5, average_precision: 1}.get(score, 0)
    worst = {coverage: 3, average_precision: np.mean([(1 / 3 + 2 / 4) / 2, 1 / 4])}.get(score, 1)
    assert score(Y, own + Y) == pytest.approx(best)
    assert score(Y, own - Y) == pytest.approx(worst)


@pytest.mark.parametrize("score", SCORES)
def test_only_the_order_of_labels_counts_and_rows_that_say_nothing_do_not(score):
    Y, s = label_sets()
    assert score(Y, np.exp(3 * s)) == score(Y, s)
    empty = np.zeros((4, 5), int)
    assert score(np.vstack([Y, empty]), np.vstack([s, s[:4]])) == pytest.approx(score(Y, s))


@pytest.mark.parametrize("score", RANKED)
def test_full_rows_do_not_count_where_there_is_nothing_to_order(score):
    Y, s = label_sets()
    full = np.ones((4, 5), int)
    assert score(np.vstack([Y, full]), np.vstack([s, s[:4]])) == pytest.approx(score(Y, s))


def test_all_five_at_once():
    Y, s = label_sets()
    scores = multilabel_scores(Y, s, threshold=0.3)
    assert scores.pop("hamming_loss") == pytest.approx(np.mean((s > 0.3) != Y)) == hamming_loss(Y, s > 0.3)
    assert scores == {score.__name__: score(Y, s) for score in SCORES}


@pytest.mark.parametrize("score", [*SCORES, multilabel_scores])
@pytest.mark.parametrize(
    ("Y", "s", "message"),
    [
        ([[1, 0]], [[0.5, 0.2, 0.1]], r"Y has shape \(1, 2\) and score \(1, 3\)"),
        ([[1, 2]], [[0.5, 0.2]], "Y should hold 0 and 1 only; it holds .2"),
        ([[1, 0]], [[0.5, np.nan]], "score contains NaN"),
        ([1, 0], [0.5, 0.1], "2D array"),
        ([[0, 0]], [[0.5, 0.1]], "no row of Y has at least one label"),
    ],
)
def test_what_is_wrong_is_named(score, Y, s, message):
    with pytest.raises(ValueError, match=message):
        score(Y, s)


def test_hamming_loss_of_ties_is_that_of_predict():
    X, Y = make_multilabel_classification(200, random_state=0)
    model = KNeighborsClassifier(4).fit(X[:100], Y[:100])
    score = np.column_stack([p[:, 1] for p in model.predict_proba(X[100:])])
    assert (score == 0.5).any()
    assert multilabel_scores(Y[100:], score)["hamming_loss"] == hamming_loss(Y[100:], model.predict(X[100:]))


def test_sparse_label_sets():
    Y, s = label_sets()
    assert multilabel_scores(csr_matrix(Y), s) == multilabel_scores(Y, s)


def test_coverage_of_one_label_goes_nowhere():
    assert coverage([[1], [0], [1]], [[0.3], [0.9], [0.1]]) == 0
    with pytest.raises(ValueError, match="no row of Y has at least one label"):
        coverage([[0]], [[0.5]])
