import sys
from types import SimpleNamespace

import numpy as np
import pytest
from discovery import tiny_points
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, NCA
from metricnets.displays import EmbeddingDisplay
from metricnets.displays._common import COLORS

X, Y = tiny_points()


def test_each_class_has_its_points_its_colour_and_a_line_in_the_legend():
    model = make_pipeline(StandardScaler(), NCA(n_components=2, max_iter=5, tol=1.0)).fit(X, Y)
    display = EmbeddingDisplay.from_estimator(model, X, np.array(["a", "b", "c"])[Y], projection=None)
    z = model.transform(X)
    for code, points in enumerate(display.scatters_):
        np.testing.assert_array_equal(points.get_offsets(), z[code == Y])
        assert to_hex(points.get_facecolor()[0]).upper() == COLORS[code]
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    assert legend.get_title().get_text() == "class"


def test_markers_that_consist_of_lines_are_seen():
    for options, width in (({}, 0), ({"lw": 2}, 2), ({"linewidths": 3}, 3)):
        assert EmbeddingDisplay.from_predictions(X, Y, **options).scatters_[0].get_linewidths() == width
    assert EmbeddingDisplay.from_predictions(X, Y, marker="x").scatters_[0].get_linewidths() > 0


def test_principal_components_are_the_default_and_their_share_is_told():
    z = X @ np.diag([3.0, 1, 0, 2])
    display, pca = EmbeddingDisplay.from_predictions(z), PCA(2).fit(z)
    np.testing.assert_allclose(display.scatters_[0].get_offsets(), pca.transform(z))
    assert display.ax_.get_xlabel() == f"Principal component 1 ({pca.explained_variance_ratio_[0]:.0%} of variance)"
    assert display.ax_.get_legend() is None
    assert EmbeddingDisplay.from_predictions(np.ones((5, 3))).points.tolist() == [[0, 0]] * 5


def test_real_targets_have_a_scale():
    target = X[:, 0]
    display = EmbeddingDisplay.from_predictions(X, target)
    np.testing.assert_array_equal(display.scatters_[0].get_array(), target)
    assert display.colorbar_.mappable is display.scatters_[0]
    assert display.ax_.get_legend() is None
    assert display.plot(cmap="cividis").scatters_[0].get_cmap().name == "cividis"
    assert EmbeddingDisplay.from_predictions(X, np.arange(45)).colorbar_ is not None  # more than 40 numbers


@pytest.mark.parametrize("y", [Y, Y.astype(float), np.array(["a", "b", "c"])[Y]], ids=["int", "float", "str"])
def test_unknown_labels_are_grey(y):
    unknown = np.arange(45) % 4 == 0
    display = EmbeddingDisplay.from_predictions(X, [None if none else label for none, label in zip(unknown, y)])
    *known, grey = display.scatters_
    assert [len(points.get_offsets()) for points in known] == [((y == c) & ~unknown).sum() for c in np.unique(y)]
    np.testing.assert_array_equal(grey.get_offsets(), display.points[unknown])
    assert to_hex(grey.get_facecolor()[0]) == "#cccccc"


def test_forty_classes_differ_in_colour_or_marker():
    display = EmbeddingDisplay.from_predictions(np.random.default_rng(0).normal(size=(80, 3)), np.arange(80) % 40)
    looks = {(to_hex(s.get_facecolor()[0]), s.get_paths()[0].vertices.tobytes()) for s in display.scatters_}
    assert len(looks) == 40
    assert len(display.ax_.get_legend().get_texts()) == 40


def test_other_projections():
    svd = TruncatedSVD(2, algorithm="arpack", random_state=0)
    display = EmbeddingDisplay.from_predictions(X, Y, projection=svd)
    np.testing.assert_allclose(display.points, TruncatedSVD(2, algorithm="arpack", random_state=0).fit_transform(X))
    assert display.ax_.get_ylabel() == "TruncatedSVD 2"
    assert not hasattr(svd, "components_")  # a clone is fitted


def test_umap_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="projection='umap' needs umap-learn, which is not installed: pip install"):
        EmbeddingDisplay.from_predictions(X, projection="umap")

    class UMAP(PCA):  # the constructor takes what UMAP's takes
        def __init__(self, n_components=2, random_state=None, n_jobs=-1):
            super().__init__(n_components, random_state=random_state)
            self.n_jobs = n_jobs

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    assert EmbeddingDisplay.from_predictions(X, projection="umap").ax_.get_xlabel() == "UMAP 1"


def test_lengths_are_distances():
    ax = EmbeddingDisplay.from_predictions(X, Y).ax_
    assert ax.get_aspect() == 1
    figure = ax.figure
    shared = figure.subplots(1, 2, sharex=True, sharey=True)
    EmbeddingDisplay.from_predictions(X, Y, ax=shared[0])
    shared[0].apply_aspect()  # 'datalim' would raise here


def test_the_keywords_of_scatter_are_honoured():
    points = EmbeddingDisplay.from_predictions(X, Y, s=7, alpha=0.5).scatters_[0]
    assert points.get_sizes().tolist() == [7]
    assert points.get_alpha() == 0.5


@pytest.mark.parametrize("y", [None, Y])
@pytest.mark.parametrize("name", ["c", "color"])
def test_one_colour_is_that_of_all_points(y, name):
    for points in EmbeddingDisplay.from_predictions(X, y, **{name: "red"}).scatters_:
        assert to_hex(points.get_facecolor()[0]) == "#ff0000"


def test_a_display_of_numbers_checks_them():
    with pytest.raises(ValueError, match=r"points should have shape \(n_samples, 2\); got \(45, 4\)"):
        EmbeddingDisplay(points=X).plot()
    with pytest.raises(ValueError, match="there are 45 samples and 9 values"):
        EmbeddingDisplay(points=X[:, :2], y=Y[:9]).plot()


@pytest.mark.parametrize(
    ("z", "options", "message"),
    [
        (X[:, :1], {}, "have 1 columns; a scatter plot needs two.*n_components=2"),
        (X, {"projection": None}, "have 4 columns.*Use projection='pca'"),
        (X, {"projection": "tsne"}, "projection='tsne' is unknown; it should be one of 'pca', 'umap', 'none'"),
        (X, {"projection": PCA}, "projection=PCA is a class"),
        (X, {"projection": PCA(3)}, r"projection=PCA\(\) returned 3 columns; it should return two"),
        (X, {"projection": 2}, "projection=2 should be 'pca', 'umap', 'none' or have fit_transform"),
        (X, {"y": Y[:9]}, "there are 45 samples and 9 values"),
        (X * np.nan, {}, "z contains NaN"),
        (X, {"y": np.where(Y, X[:, 0], np.inf)}, "y has infinite values"),
        (X, {"c": X[:, 0]}, "^c=array.* should be one colour; give values or classes of the points as y"),
        (X, {"y": Y, "c": list("rgb") * 15}, "should be one colour"),
        (X, {"y": X[:, 0], "color": "red"}, "color='red' is of all points, and y has real targets"),
    ],
)
def test_bad_arguments(z, options, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_predictions(z, **options)


def test_what_does_not_embed_is_refused():
    with pytest.raises(ValueError, match=r"estimator=3 should have transform, or be what get_metric\(\) returned"):
        EmbeddingDisplay.from_estimator(3, X)
    with pytest.raises(ValueError, match="X has 3 features, but LDA is expecting 4"):
        EmbeddingDisplay.from_estimator(LDA().fit(X, Y), X[:, :3])
