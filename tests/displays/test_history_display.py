import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_points
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA
from metricnets.displays import HistoryDisplay

X, Y = tiny_points()


def losses(records, name="train_loss"):
    return [record[name] for record in records]


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@needs_torch
def test_one_network_has_one_curve():
    model = make_pipeline(StandardScaler(), quick("DDML", max_epochs=4)).fit(X, Y)
    display = HistoryDisplay.from_estimator(model, linewidth=3)
    (line,) = display.train_
    np.testing.assert_array_equal(line.get_xydata(), np.stack([[1, 2, 3, 4], losses(model[-1].history_)], axis=1))
    assert line.get_linewidth() == 3
    assert display.valid_ == display.best_ == []
    assert labels(display) == ["training"]


@needs_torch
def test_several_networks_have_several_with_the_epochs_that_are_kept():
    model = quick("EmbeddingNet", max_epochs=5, n_networks=2, early_stopping=True, n_components=8).fit(X, Y)
    display = HistoryDisplay.from_estimator(model)
    n = len(model.history_) // 2
    assert n == 5
    for i, (train, valid, best) in enumerate(zip(display.train_, display.valid_, display.best_, strict=True)):
        records = model.history_[n * i : n * (i + 1)]
        np.testing.assert_array_equal(train.get_ydata(), losses(records))
        np.testing.assert_array_equal(valid.get_ydata(), losses(records, "valid_loss"))
        smallest = min(losses(records, "valid_loss"))
        assert best.get_xydata().tolist() == [[1 + losses(records, "valid_loss").index(smallest), smallest]]
        assert train.get_color() == valid.get_color() == best.get_color()
    expected = [f"{what}, network {i}" for what in ("training", "validation") for i in (1, 2)]
    assert labels(display) == [*expected, "best epoch"]


@needs_torch
def test_rounds_are_named():
    source = np.where(np.arange(45) % 2, 1, -1)
    model = quick("DTML", max_epochs=2, n_rounds=2, batch_size=8).fit(X, Y, sample_domain=source)
    display = HistoryDisplay.from_estimator(model)
    assert labels(display) == [f"training, round {r}" for r in (0, 1, 2)]
    assert [len(line.get_xdata()) for line in display.train_] == [2, 2, 2]


def test_curves_can_be_drawn_from_numbers():
    display = HistoryDisplay(train_loss=[np.array([2.0, 1.0])], valid_loss=[np.array([1.0, 3.0])]).plot()
    assert display.best_[0].get_xydata().tolist() == [[1, 1]]
    assert labels(display) == ["training", "validation", "best epoch"]


def test_a_single_epoch_is_a_point_and_properties_have_short_names():
    display = HistoryDisplay(train_loss=[np.array([2.0])]).plot(c="red", lw=3)
    (line,) = display.train_
    assert line.get_marker() == "."
    assert (line.get_color(), line.get_linewidth(), line.get_linestyle()) == ("red", 3, "-")


def test_two_on_the_same_axes_differ_in_colour():
    one = HistoryDisplay(train_loss=[np.array([2.0, 1.0])], valid_loss=[np.array([1.0, 3.0])]).plot()
    two = HistoryDisplay(train_loss=one.train_loss, valid_loss=one.valid_loss).plot(ax=one.ax_)
    colors = [{line.get_color() for line in (*each.train_, *each.valid_, *each.best_)} for each in (one, two)]
    assert [len(color) for color in colors] == [1, 1]
    assert colors[0] != colors[1]


def test_without_a_history_the_error_says_what_has_one():
    with pytest.raises(
        ValueError, match=r"estimator=LDA\(\) has no history_; give a deep metric learner, such as DDML"
    ):
        HistoryDisplay.from_estimator(LDA().fit(X, Y))


@needs_torch
def test_a_name_tells_learners_apart():
    model = quick("DDML", max_epochs=2).fit(X, Y)
    display = HistoryDisplay.from_estimator(model, name="first")
    assert labels(HistoryDisplay.from_estimator(model, name="second", ax=display.ax_)) == [
        "first, training",
        "second, training",
    ]


@pytest.mark.parametrize("losses", [[[1.0, np.nan]], [[[1.0]]], [["low"]]])
def test_losses_are_finite_numbers(losses):
    for name in ("train_loss", "valid_loss"):
        with pytest.raises(ValueError, match=f"{name}.*(NaN|each epoch)|could not convert"):
            HistoryDisplay(**{"train_loss": [[1.0, 2.0]], name: losses}).plot()
