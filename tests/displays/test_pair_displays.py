"""Displays of pairs, and those of scikit-learn with learners from pairs."""

import numpy as np
import pytest
from discovery import tiny_pairs, tiny_points
from matplotlib import pyplot as plt
from scipy.stats import norm
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import DetCurveDisplay, RocCurveDisplay, det_curve, roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import ITML, LDA, PairsClassifier
from metricnets.displays import PairDistancesDisplay, VerificationDisplay
from metricnets.metrics import equal_error_rate

X, CLASSES = tiny_points()
PAIRS, SAME = tiny_pairs()
PIPELINE = make_pipeline(StandardScaler(), LDA()).fit(X, CLASSES)
LEARNERS = {
    "ITML": lambda: ITML().fit(PAIRS, SAME),
    "PairsClassifier": lambda: PairsClassifier(PIPELINE).fit(PAIRS, SAME),
}
every_learner = pytest.mark.parametrize("name", LEARNERS)


def heights(bars):
    return np.array([bar.get_height() for bar in bars])


@every_learner
def test_bars_are_shares_of_pairs_and_the_threshold_is_that_of_the_learner(name):
    learner = LEARNERS[name]()
    display = PairDistancesDisplay.from_estimator(learner, PAIRS, SAME)
    d = learner.pair_distance(PAIRS)
    for bars, own in ((display.similar_, d[SAME == 1]), (display.dissimilar_, d[SAME == -1])):
        counts = np.histogram(own, np.histogram_bin_edges(d, 30))[0]
        np.testing.assert_allclose(heights(bars), counts / len(own))
        assert heights(bars).sum() == pytest.approx(1)
    assert display.line_.get_xdata()[0] == learner.threshold_
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    n = (SAME == 1).sum()
    assert set(labels) == {
        f"similar ({n} pairs)",
        f"dissimilar ({40 - n} pairs)",
        f"threshold {learner.threshold_:.3g}",
    }


def test_a_pipeline_measures_what_it_transforms_to():
    display = PairDistancesDisplay.from_estimator(PIPELINE, PAIRS, SAME > 0)
    u, v = PIPELINE.transform(PAIRS[:, 0]), PIPELINE.transform(PAIRS[:, 1])
    np.testing.assert_allclose(display.similar, np.linalg.norm(u - v, axis=1)[SAME == 1])
    assert display.line_ is None
    metric = LDA().fit(X, CLASSES).get_metric()
    of_function = PairDistancesDisplay.from_estimator(metric, PAIRS, SAME).similar
    np.testing.assert_allclose(of_function, [metric(u, v) for u, v in PAIRS[SAME == 1]])
    euclidean = PairDistancesDisplay.from_estimator(None, PAIRS, SAME).dissimilar
    np.testing.assert_allclose(euclidean, np.linalg.norm(PAIRS[:, 0] - PAIRS[:, 1], axis=1)[SAME == -1])


def test_bins_and_keywords_of_the_histogram():
    display = PairDistancesDisplay.from_predictions([1, 0, 1], [0.0, 4.0, 1.0], bins=[0, 1, 2, 4], alpha=0.9)
    assert heights(display.similar_).tolist() == [0.5, 0.5, 0]
    assert heights(display.dissimilar_).tolist() == [0, 0, 1]
    assert display.similar_[0].get_alpha() == 0.9


def test_the_roc_curve_with_its_equal_error_rate():
    display = VerificationDisplay.from_estimator(PIPELINE, PAIRS, SAME, color="red")
    scores = -np.linalg.norm(PIPELINE.transform(PAIRS[:, 0]) - PIPELINE.transform(PAIRS[:, 1]), axis=1)
    fpr, tpr, _ = roc_curve(SAME, scores, drop_intermediate=False)
    np.testing.assert_allclose(display.line_.get_xydata(), np.stack([fpr, tpr], axis=1))
    rate = equal_error_rate(SAME, scores)
    np.testing.assert_allclose(display.point_.get_xydata(), [[rate, 1 - rate]])
    label = f"LDA, equal error rate {rate:.3g} (AUC = {roc_auc_score(SAME, scores):0.2f})"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [label]
    assert display.line_.get_color() == display.point_.get_color() == "red"


def test_the_det_curve_with_its_equal_error_rate():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    scores = y + rng.normal(size=120)
    display = VerificationDisplay.from_predictions(y, scores, kind="det", name="made")
    fpr, fnr, _ = det_curve(y, scores)
    inner = (fpr > 0) & (fpr < 1) & (fnr > 0) & (fnr < 1)
    points = norm.ppf(np.stack([fpr, fnr], axis=1)[inner])
    assert inner.sum() > 10
    assert all(np.isclose(display.line_.get_xydata(), point).all(axis=1).any() for point in points)
    np.testing.assert_allclose(display.point_.get_xydata(), [[norm.ppf(equal_error_rate(y, scores))] * 2])
    assert display.line_.get_label() == f"made, equal error rate {equal_error_rate(y, scores):.3g}"


def test_two_curves_in_one_picture():
    ax = plt.subplots()[1]
    for estimator in (PIPELINE, None):
        VerificationDisplay.from_estimator(estimator, PAIRS, SAME, ax=ax)
    names = [text.get_text().partition(",")[0] for text in ax.get_legend().get_texts()]
    assert names == ["LDA", "Euclidean"]


def test_without_any_error_the_point_is_in_the_corner():
    y, scores = [0, 0, 1, 1], [0.0, 1.0, 2.0, 3.0]
    assert VerificationDisplay.from_predictions(y, scores).point_.get_xydata().tolist() == [[0, 1]]
    assert np.isfinite(VerificationDisplay.from_predictions(y, scores, kind="det").point_.get_xydata()).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PairDistancesDisplay.from_predictions([1, -1], [0.1, np.nan]), "distances contains NaN"),
        (lambda: PairDistancesDisplay.from_predictions([1, -1, 1], [0.1, 0.2]), "2 pairs and 3 labels in y"),
        (lambda: PairDistancesDisplay.from_predictions([1, 1], [0.1, 0.2]), r"y should hold \+1 and -1"),
        (
            lambda: PairDistancesDisplay.from_predictions([1, -1], [0.1, 0.2], "low"),
            "threshold='low' should be a finite number or None",
        ),
        (lambda: PairDistancesDisplay.from_estimator(PIPELINE, X, CLASSES), "tuples of 2 points are needed"),
        (lambda: PairDistancesDisplay.from_estimator(3, PAIRS, SAME), "estimator=3 should have transform"),
        (lambda: VerificationDisplay.from_predictions([1, -1], [0.1]), "one score for each pair"),
        (lambda: VerificationDisplay.from_predictions([1, -1], [0.1, 0.2], kind="pr"), "kind='pr' is unknown"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------------------------------------
# The displays of scikit-learn take learners from pairs.


@every_learner
def test_roc_and_det_displays_of_scikit_learn(name):
    learner = LEARNERS[name]()
    scores = learner.decision_function(PAIRS)
    roc, det = (display.from_estimator(learner, PAIRS, SAME) for display in (RocCurveDisplay, DetCurveDisplay))
    expected = np.stack(roc_curve(SAME, scores)[:2], axis=1)
    np.testing.assert_allclose(roc.line_.get_xydata(), expected)
    assert len(det.line_.get_xydata()) > 2


@every_learner
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_learners_have_probabilities_and_a_calibration_display(name, method):
    learner = LEARNERS[name]().calibrate_threshold(PAIRS, SAME)
    calibrated = CalibratedClassifierCV(FrozenEstimator(learner), method=method).fit(PAIRS, SAME)
    probability = calibrated.predict_proba(PAIRS)[:, 1]
    order = np.argsort(learner.pair_distance(PAIRS))
    assert (np.diff(probability[order]) <= 1e-12).all()
    display = CalibrationDisplay.from_estimator(calibrated, PAIRS, SAME, n_bins=4)
    expected = np.stack(calibration_curve(SAME, probability, n_bins=4)[::-1], axis=1)
    np.testing.assert_allclose(display.line_.get_xydata(), expected)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, "low"])
def test_a_display_of_numbers_checks_the_threshold(threshold):
    with pytest.raises(ValueError, match=f"threshold={threshold!r} should be a finite number or None"):
        PairDistancesDisplay(similar=np.ones(3), dissimilar=np.ones(2), threshold=threshold).plot()


@pytest.mark.parametrize("name", ["similar", "dissimilar"])
def test_a_display_of_numbers_checks_the_distances(name):
    with pytest.raises(ValueError, match=f"{name} contains NaN"):
        PairDistancesDisplay(**{"similar": np.ones(3), "dissimilar": np.ones(2), name: np.full(3, np.nan)}).plot()


def test_an_equal_error_rate_is_a_rate():
    with pytest.raises(ValueError, match="equal_error_rate=nan should be a finite number, at least 0 and at most 1"):
        VerificationDisplay(fpr=np.array([0.0, 1.0]), tpr=np.array([0.0, 1.0]), equal_error_rate=np.nan).plot()
