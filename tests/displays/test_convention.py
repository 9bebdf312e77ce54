"""What all displays have in common: the convention of scikit-learn's displays."""

import sys

import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_pairs, tiny_points
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import metricnets
from metricnets import LDA, displays

X, Y = tiny_points()
PAIRS, SAME = tiny_pairs()
DATA = {
    "CMCDisplay": (X, Y),
    "EmbeddingDisplay": (X, Y),
    "HistoryDisplay": (),
    "MetricImportanceDisplay": (),
    "PairDistancesDisplay": (PAIRS, SAME),
    "PrecisionAtKDisplay": (X, Y),
    "RelatednessDisplay": (),
    "RelationDisplay": (X, Y),
    "VerificationDisplay": (PAIRS, SAME),
}
OF_NETWORKS = {"HistoryDisplay": "DDML", "RelatednessDisplay": "MultiTaskNet"}
every_display = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_torch) if name in OF_NETWORKS else name for name in DATA]
)


def learner(name, fitted=True):
    """A pipeline that ends with a metric."""
    pipeline = make_pipeline(StandardScaler(), quick(OF_NETWORKS[name]) if name in OF_NETWORKS else LDA())
    y = np.stack([Y, Y > 0], axis=1) if name == "RelatednessDisplay" else Y
    return pipeline.fit(X, y) if fitted else pipeline


def artists(ax):
    """The numbers of everything that is drawn."""
    lines = [line.get_xydata() for line in ax.lines]
    bars = [
        [bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()] for bar in ax.patches if hasattr(bar, "get_x")
    ]
    return [*lines, np.array(bars), *(points.get_offsets() for points in ax.collections)]


def test_these_are_all():
    assert sorted(DATA) == displays.__all__


@every_display
def test_plot_returns_the_display_and_draws_the_same_again_where_it_is_told(name):
    display = getattr(displays, name).from_estimator(learner(name), *DATA[name])
    assert type(display) is getattr(displays, name)
    assert display.figure_ is display.ax_.figure
    first, axes = artists(display.ax_), plt.subplots(1, 2)[1]
    assert sum(map(np.size, first)) > 0
    assert display.plot(ax=axes[1]) is display
    assert display.ax_ is axes[1]
    assert display.figure_ is axes[1].figure
    assert not axes[0].has_data()
    for once, again in zip(first, artists(axes[1]), strict=True):
        np.testing.assert_array_equal(once, again)


@every_display
def test_axes_are_labelled_and_those_given_are_used(name):
    ax = plt.subplots()[1]
    n_figures = len(plt.get_fignums())
    display = getattr(displays, name).from_estimator(learner(name), *DATA[name], ax=ax)
    assert display.ax_ is ax
    assert len(plt.get_fignums()) == n_figures
    assert ax.get_xlabel()
    assert ax.get_ylabel() or name == "MetricImportanceDisplay"  # the names of the features are its ticks


@pytest.mark.filterwarnings("ignore:.*deprecated - use")  # matplotlib 3.7 with pyparsing 3.3
@every_display
def test_a_picture_can_be_drawn(name, tmp_path):
    display = getattr(displays, name).from_estimator(learner(name), *DATA[name])
    display.figure_.savefig(tmp_path / "figure.png", dpi=20)


@every_display
def test_errors_are_clear(name, monkeypatch):
    make, data = getattr(displays, name).from_estimator, DATA[name]
    with pytest.raises(NotFittedError, match="not fitted"):
        make(learner(name, fitted=False)[-1], *data)
    with pytest.raises(ValueError, match=r"estimator=LDA is a class; give an instance, LDA\(\)"):
        make(LDA, *data)
    with pytest.raises(ValueError, match="ax=3 should be an Axes of matplotlib or None"):
        make(learner(name), *data, ax=3)
    for module in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    needs = rf"^{name}.plot needs matplotlib, which is not installed: pip install 'metricnets\[plot\]'"
    with pytest.raises(ImportError, match=needs):
        make(learner(name), *data)


@pytest.mark.parametrize("name", ["CMCDisplay", "EmbeddingDisplay", "PrecisionAtKDisplay", "RelationDisplay"])
def test_the_euclidean_distance_is_a_baseline_and_a_distance_is_enough(name):
    make = getattr(displays, name).from_estimator
    for once, again in zip(artists(make(None, X, Y).ax_), artists(make(metricnets.Covariance().fit(X), X, Y).ax_)):
        assert once.shape[1:] == again.shape[1:]
    model = LDA().fit(X, Y)
    for once, again in zip(artists(make(model, X, Y).ax_), artists(make(model.get_metric(), X, Y).ax_)):
        np.testing.assert_allclose(once, again, atol=1e-8)
