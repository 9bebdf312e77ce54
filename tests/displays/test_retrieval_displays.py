import numpy as np
import pytest
from discovery import tiny_points
from matplotlib import pyplot as plt
from scipy.spatial.distance import cdist
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA
from metricnets.displays import CMCDisplay, PrecisionAtKDisplay
from metricnets.metrics import cmc, precision_at_k

X, Y = tiny_points()
MODEL = make_pipeline(StandardScaler(), LDA(n_components=2)).fit(X, Y)


def in_order(d, y, y_gallery):
    """Whether the samples of the gallery match a query, from near to far, (n, n_gallery)."""
    return (y_gallery[np.argsort(d, axis=1)] == y[:, None]).astype(float)


def drawn(line):
    return line.get_xdata(), line.get_ydata()


def test_the_curve_of_a_gallery_is_that_of_a_loop():
    display = CMCDisplay.from_estimator(MODEL, X[:30], Y[:30], X[30:], Y[30:], k=8)
    z = MODEL.transform(X)
    match = in_order(cdist(z[:30], z[30:]), Y[:30], Y[30:])
    ranks, rates = drawn(display.line_)
    np.testing.assert_array_equal(ranks, np.arange(1, 9))
    np.testing.assert_allclose(rates, [match[:, :k].max(axis=1).mean() for k in ranks])
    assert display.ax_.get_legend().get_texts()[0].get_text() == f"LDA (rank 1: {match[:, 0].mean():.1%})"


def test_each_sample_is_a_query_in_the_others():
    display = PrecisionAtKDisplay.from_estimator(MODEL, X, Y, k=20)
    d = cdist(MODEL.transform(X), MODEL.transform(X))
    np.fill_diagonal(d, np.inf)  # the query comes last
    match = in_order(d, Y, Y)[:, :-1]
    ranks, precision = drawn(display.precision_)
    _, recall = drawn(display.recall_)
    np.testing.assert_allclose(precision, [match[:, :k].mean() for k in ranks])
    np.testing.assert_allclose(recall, [(match[:, :k].sum(axis=1) / match.sum(axis=1)).mean() for k in ranks])
    assert display.precision_.get_color() == display.recall_.get_color()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["LDA: precision", "LDA: recall"]


@pytest.mark.parametrize("display", [CMCDisplay, PrecisionAtKDisplay])
def test_ranks_end_with_the_gallery(display):
    alone, gallery = display.from_predictions(X, Y, k=1000), display.from_predictions(X, Y, X[:7], Y[:7])
    assert alone.k.tolist() == [*range(1, 45)]
    assert gallery.k.tolist() == [*range(1, 8)]


def test_at_the_end_everything_is_found():
    assert CMCDisplay.from_predictions(X, Y, k=44).rate[-1] == 1
    display = PrecisionAtKDisplay.from_predictions(X, Y, k=44)
    assert display.recall[-1] == 1
    assert display.precision[-1] == pytest.approx(14 / 44)


def test_cosine_sorts_by_angle():
    np.testing.assert_array_equal(
        CMCDisplay.from_predictions(X, Y, metric="cosine", k=5).rate, cmc(X, Y, k=np.arange(1, 6), metric="cosine")
    )
    np.testing.assert_array_equal(
        PrecisionAtKDisplay.from_predictions(X, Y, metric="cosine", k=5).precision,
        precision_at_k(X, Y, k=np.arange(1, 6), metric="cosine"),
    )


def test_curves_share_axes_and_ticks_are_whole():
    ax = plt.subplots()[1]
    for name, color in (("one", "red"), ("two", "blue")):
        assert CMCDisplay.from_predictions(X, Y, k=3, name=name, ax=ax, color=color).line_.get_color() == color
    assert [text.get_text()[:3] for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert all(tick == round(tick) for tick in ax.get_xticks())
    logarithmic = plt.subplots(subplot_kw={"xscale": "log"})[1]
    assert CMCDisplay.from_predictions(X, Y, ax=logarithmic).ax_.get_xscale() == "log"


def test_properties_have_short_names_and_many_ranks_no_markers():
    display = PrecisionAtKDisplay.from_predictions(X, Y, c="red", lw=3, k=31)
    for line, linestyle in ((display.precision_, "-"), (display.recall_, "--")):
        assert (line.get_color(), line.get_linewidth(), line.get_linestyle()) == ("red", 3, linestyle)
        assert line.get_marker() == "None"
    assert CMCDisplay.from_predictions(X, Y, k=30).line_.get_marker() == "o"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CMCDisplay.from_predictions(X, Y, k=0), "k=0 should be an integer from 1"),
        (lambda: CMCDisplay.from_predictions(X, Y[:9]), "each sample should have a class"),
        (lambda: CMCDisplay.from_predictions(X, Y, X), "z_gallery and y_gallery should be given together"),
        (lambda: CMCDisplay.from_estimator(MODEL, X, Y, X), "X_gallery and y_gallery should be given together"),
        (lambda: PrecisionAtKDisplay.from_predictions(X, Y, metric="l1"), "metric='l1' is unknown"),
        (lambda: PrecisionAtKDisplay.from_predictions(X, Y, X, Y + 5), "no query has a sample of its class"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
