"""NCA: classes, by whatever name; more in test_soft_neighbors.py."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.preprocessing import StandardScaler

from metricnets import NCA

X, y = tiny_points()


def quiet_fit(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")  # scikit-learn's, of few rows
        return NCA(**params).fit(X, y)


@pytest.mark.parametrize(
    "labels", [np.array(["a", "b", "c"])[y], y - 5, y.astype(float)], ids=["str", "negative", "float"]
)
def test_names_of_classes_do_not_matter(labels):
    np.testing.assert_array_equal(quiet_fit(X, labels).components_, quiet_fit(X, y).components_)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("classes", [np.zeros(45, int), np.arange(45)], ids=["one class", "a class each"])
def test_where_nothing_can_be_learned_it_stays(classes):
    with pytest.warns(UserWarning, match="nothing to learn"):
        nca = NCA(init=np.eye(4)).fit(X, classes)
    np.testing.assert_allclose(nca.components_, np.eye(4))


def test_real_targets_are_refused():
    with pytest.raises(ValueError, match="label type"):
        NCA().fit(X, X[:, 0])


def test_noise_is_ignored_and_what_tells_classes_apart_is_kept():
    rng = np.random.default_rng(0)
    classes = np.arange(120) % 2
    noisy = np.hstack([3 * rng.normal(size=(120, 3)), classes[:, None] + 0.1 * rng.normal(size=(120, 1))])
    M = quiet_fit(noisy, classes).get_mahalanobis_matrix()
    assert M[3, 3] > 10 * M[:3, :3].max()


def objective(L, X, y):
    """The share of samples that soft neighbours classify correctly, by the formula."""
    d = ((X @ L.T)[:, None] - X @ L.T) ** 2
    d = d.sum(axis=2) + np.diag(np.full(len(X), np.inf))
    p = np.exp(d.min(axis=1, keepdims=True) - d)
    return ((p / p.sum(axis=1, keepdims=True)) * (y[:, None] == y)).sum() / len(X)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
def test_its_default_ends_no_lower_than_that_of_scikit_learn(load, scaled):
    """Than which it may find another local optimum, a sample away."""
    points, classes = (part[:200] for part in load(return_X_y=True))
    points = StandardScaler().fit_transform(points) if scaled else points
    peer = NeighborhoodComponentsAnalysis(random_state=0).fit(points, classes)
    ours, theirs = (objective(nca.components_, points, classes) for nca in (quiet_fit(points, classes), peer))
    assert len(points) * (ours - theirs) > -1.01


def test_the_default_tolerance_stops_earlier_at_nearly_the_same_objective():
    points, classes = load_wine(return_X_y=True)
    default, fine = quiet_fit(points, classes), quiet_fit(points, classes, tol=2.2e-9)
    assert default.n_iter_ < fine.n_iter_
    assert objective(default.components_, points, classes) > objective(fine.components_, points, classes) - 1e-3
