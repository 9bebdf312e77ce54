import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_pairs, tiny_points, training_data
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from metricnets import LDA, ITML_Supervised, PairsClassifier
from metricnets.displays import MetricImportanceDisplay

X, Y = tiny_points()
NAMES = ["a", "b", "c", "d"]


def bars(display):
    ticks = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    return dict(zip(ticks, [bar.get_width() for bar in display.bars_], strict=True))


def test_bars_are_the_diagonal_sorted():
    model = LDA().fit(X, Y)
    found, diagonal = (
        bars(MetricImportanceDisplay.from_estimator(model, NAMES)),
        np.diag(model.get_mahalanobis_matrix()),
    )
    order = np.argsort(-diagonal)
    assert list(found) == [NAMES[i] for i in order]
    np.testing.assert_allclose(list(found.values()), diagonal[order])
    # M_ii is the squared distance for a difference of 1 in feature i
    unit = model.pair_distance([[x, np.zeros(4)] for x in np.eye(4)])
    np.testing.assert_allclose(diagonal, unit**2)


@pytest.mark.parametrize("n_features", [1, 3, 4, 9])
def test_contributions_of_a_pair_sum_to_its_squared_distance(n_features):
    model = make_pipeline(StandardScaler(), ITML_Supervised(random_state=0)).fit(X, Y)
    display = MetricImportanceDisplay.from_estimator(model, NAMES, pair=X[:2], n_features=n_features)
    z = model.transform(X[:2])
    squared = ((z[0] - z[1]) ** 2).sum()
    assert display.importances.sum() == pytest.approx(squared)
    assert sum(bars(display).values()) == pytest.approx(squared)
    assert len(display.bars_) == min(n_features + 1, 4)
    assert display.ax_.get_xlabel() == f"Contribution to the squared distance {squared:.3g}"


@pytest.mark.parametrize("name", ["NCA", "GMML", "SCML", "LSML", pytest.param("Mahalanobis", marks=needs_torch)])
def test_the_law_holds_for_learners_of_all_kinds(name):
    model = quick(name).fit(*training_data(name))
    pair = tiny_pairs()[0][0]
    display = MetricImportanceDisplay.from_estimator(model, pair=pair)
    assert display.importances.sum() == pytest.approx(float(model.pair_distance([pair])[0]) ** 2, rel=1e-4)


def test_contributions_do_not_depend_on_the_order_and_one_feature_stands_for_itself():
    model = LDA().fit(X, Y)
    display, swapped = (MetricImportanceDisplay.from_estimator(model, pair=pair) for pair in (X[:2], X[1::-1]))
    np.testing.assert_allclose(display.importances, swapped.importances)
    alone = MetricImportanceDisplay.from_estimator(model, pair=[[0, 0, 0, 0], [0, 2.0, 0, 0]]).importances
    np.testing.assert_allclose(alone, [0, 4 * model.get_mahalanobis_matrix()[1, 1], 0, 0])


def test_the_largest_is_at_the_top_however_often_it_is_drawn():
    display = MetricImportanceDisplay.from_estimator(LDA().fit(X, Y))
    for _ in range(2):
        bottom, top = display.ax_.get_ylim()
        assert bottom > top
        display.plot(ax=display.ax_)
    with pytest.raises(ValueError, match="n_features=0 should be an integer from 1"):
        display.plot(n_features=0)


def test_negative_contributions_have_another_colour():
    display = MetricImportanceDisplay(importances=np.array([1.0, -2.0]), feature_names=["a", "b"], of_pair=True).plot()
    assert list(bars(display).items()) == [("b", -2), ("a", 1)]
    first, second = (to_hex(bar.get_facecolor()) for bar in display.bars_)
    assert first != second
    assert {to_hex(bar.get_facecolor()) for bar in display.plot(color="red").bars_} == {"#ff0000"}


def test_names_of_features_are_those_that_the_metric_sees():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=NAMES)
    show = MetricImportanceDisplay.from_estimator
    assert sorted(bars(show(LDA().fit(frame, Y)))) == NAMES
    scaled = make_pipeline(StandardScaler(), LDA()).fit(frame, Y)
    assert sorted(bars(show(scaled, pair=frame.iloc[:2]))) == NAMES
    components = make_pipeline(make_pipeline(StandardScaler(), PCA(2)), LDA()).fit(frame, Y)
    assert sorted(bars(show(components, pair=frame.iloc[:2]))) == ["pca0", "pca1"]
    nested = make_pipeline(StandardScaler(), make_pipeline(PCA(2), LDA())).fit(frame, Y)
    assert sorted(bars(show(nested, pair=frame.iloc[:2]))) == ["pca0", "pca1"]


def test_other_features_are_numbered():
    show = MetricImportanceDisplay.from_estimator
    for model in (LDA(), make_pipeline(LDA()), make_pipeline(FunctionTransformer(np.tanh), LDA())):
        assert sorted(bars(show(model.fit(X, Y)))) == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features": 0}, "n_features=0 should be an integer from 1"),
        ({"feature_names": ["a"]}, "feature_names has 1 names, and the metric has 4 features"),
        ({"pair": X[0]}, r"pair should hold two points.*got shape \(4,\)"),
        ({"pair": X[:3]}, r"pair should hold two points.*got shape \(3, 4\)"),
        ({"pair": X[:2, :3]}, "the points of pair have 3 features, and the metric has 4"),
        ({"pair": X[:2] * np.nan}, "pair contains NaN"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        MetricImportanceDisplay.from_estimator(LDA().fit(X, Y), **options)


def test_what_has_no_linear_metric_is_refused():
    with pytest.raises(ValueError, match=r"estimator=PairsClassifier\(\) has no get_mahalanobis_matrix; give a linear"):
        MetricImportanceDisplay.from_estimator(PairsClassifier().fit(*tiny_pairs()))
