from itertools import combinations

import numpy as np
import pytest
from discovery import tiny_points
from scipy.stats import rankdata
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, RAML
from metricnets.displays import RelationDisplay
from metricnets.relations import GivenPairs

X, Y = tiny_points()
MODEL = make_pipeline(StandardScaler(), LDA(n_components=2)).fit(X, Y)
SETS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1]])[Y]  # Jaccard: 1/3, 1/2, 2/3 and 1


def jaccard(a, b):
    return (a & b).sum() / (a | b).sum()


def by_loops(embedding, relation, targets):
    """Relation and distance of all pairs, sorted, as the display may take the samples in any order."""
    pairs = list(combinations(range(len(targets)), 2))
    r = [relation(targets[i], targets[j]) for i, j in pairs]
    return np.array(sorted(zip(r, (np.linalg.norm(embedding[i] - embedding[j]) for i, j in pairs))))


def test_a_box_for_each_value_of_the_relation():
    display = RelationDisplay.from_estimator(MODEL, X, SETS)
    found = np.array(sorted(zip(display.relation, display.distances)))
    expected = by_loops(MODEL.transform(X), jaccard, SETS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    values = [1 / 3, 1 / 2, 2 / 3, 1]
    for value, box, median in zip(values, display.boxes_["boxes"], display.boxes_["medians"], strict=True):
        own = expected[np.isclose(expected[:, 0], value), 1]
        assert median.get_ydata()[0] == pytest.approx(np.median(own))
        edges = box.get_path().vertices[:, 1]
        np.testing.assert_allclose([edges.min(), edges.max()], np.percentile(own, [25, 75]))
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["0.33", "0.5", "0.67", "1"]
    assert display.hexagons_ is None


def test_the_correlation_is_that_of_ranks():
    display = RelationDisplay.from_estimator(MODEL, X, SETS)
    expected = np.corrcoef(rankdata(display.relation), rankdata(display.distances))[0, 1]
    assert display.correlation == pytest.approx(expected)
    assert display.ax_.get_title() == f"990 pairs, rank correlation −{abs(expected):.2f}"
    assert RelationDisplay.from_predictions([0, 1, 1], [1.0, 1.0, 1.0]).correlation == 0


def test_graded_relations_are_counted_in_hexagons():
    target = X[:, 0]
    display = RelationDisplay.from_estimator(MODEL, X, target, gridsize=5, bins=None)
    assert display.boxes_ is None
    assert display.hexagons_.get_array().sum() == 45 * 44 / 2
    expected = by_loops(MODEL.transform(X), lambda a, b: 1 - abs(a - b) / np.ptp(target), target)
    np.testing.assert_allclose(np.sort(display.relation), expected[:, 0], atol=1e-6)
    assert display.colorbar_.mappable is display.hexagons_


def test_the_kind_may_be_told():
    relation = np.linspace(0, 1, 11)
    assert RelationDisplay.from_predictions(relation, relation).hexagons_ is not None
    assert len(RelationDisplay.from_predictions(relation, relation, kind="box").boxes_["boxes"]) == 11
    assert RelationDisplay.from_predictions([0, 1], [1.0, 2.0], kind="hexbin").boxes_ is None


def test_the_relation_is_that_of_the_estimator_unless_it_is_given():
    target = np.round(100 * X[:, 0])  # whole numbers would be classes
    model = RAML(relation="absolute").fit(X, target)
    assert len(np.unique(RelationDisplay.from_estimator(model, X, target).relation)) > 2
    same = RelationDisplay.from_estimator(model, X, Y, relation="same_class")
    assert np.unique(same.relation).tolist() == [0, 1]
    function = RelationDisplay.from_estimator(model, X, Y, relation=lambda a, b: 1 - abs(a[:, None] - b) / 2)
    assert np.unique(function.relation).tolist() == [0, 0.5, 1]


def test_unknown_pairs_are_left_out_and_samples_drawn():
    partial = np.where(np.arange(45) < 20, Y, -1)
    display = RelationDisplay.from_estimator(MODEL, X, partial, relation="known_class")
    assert len(display.relation) == 20 * 19 / 2
    few = RelationDisplay.from_estimator(MODEL, X, Y, n_samples=12)
    assert len(few.relation) == 12 * 11 / 2
    again = RelationDisplay.from_estimator(MODEL, X, Y, n_samples=12)
    np.testing.assert_array_equal(few.distances, again.distances)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RelationDisplay.from_estimator(MODEL, X, Y, n_samples=0), "n_samples=0 should be an integer from 1"),
        (lambda: RelationDisplay.from_estimator(MODEL, X, Y[:9]), "X has 45 rows and y 9"),
        (lambda: RelationDisplay.from_estimator(MODEL, X, Y, relation="jacard"), "Did you mean 'jaccard'"),
        (lambda: RelationDisplay.from_estimator(MODEL, X, 0 * Y), "all 990 pairs have one relation"),
        (
            lambda: RelationDisplay.from_estimator(MODEL, X, np.arange(45), relation=GivenPairs([[0, 1]]), n_samples=2),
            "y gives no relation to any pair of 2 samples; raise n_samples=2",
        ),
        (lambda: RelationDisplay.from_predictions([0, 1], [0.1]), "relation has 2 values and distances 1"),
        (lambda: RelationDisplay.from_predictions([0, 1], [[0.1, 0.2]]), r"distances should have a number.*\(1, 2\)"),
        (lambda: RelationDisplay.from_predictions([0, 1], [0.1, 2], kind="violin"), "kind='violin' is unknown"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
