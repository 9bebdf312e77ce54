"""Networks of two views: modules of the user, ensembles, the lift to unit norm, features of a kernel."""

import pickle

import numpy as np
import pytest
import torch
from discovery import TWO_VIEWS, quick, tiny_views
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from torch import nn

from metricnets.deep._training.numpy_networks import as_numpy
from metricnets.deep._training.starting_features import after, clearly_better, kernel_layers
from metricnets.networks import GaussianKernel, Lift

X, Y, CLASSES = tiny_views()
IMAGES = np.tile(X[:, None, None], (1, 1, 4, 1)).astype(np.float32)  # (45, 1, 4, 4)
every = pytest.mark.parametrize("name", TWO_VIEWS)


def convolutional():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5))


def linear(shape):
    return nn.Linear(*shape, 5)


# --- modules


@every
def test_images_beside_text(name):
    net = quick(name, module=convolutional, n_components=5, max_epochs=1).fit(IMAGES, Y, CLASSES)
    z, z_y = net.transform(IMAGES, Y)
    assert z.shape == z_y.shape == (45, 5)
    expected = np.linalg.norm(z - z_y, axis=1)
    metric = pickle.loads(pickle.dumps(net.get_metric("xy")))
    np.testing.assert_allclose([metric(x, y) for x, y in zip(IMAGES[:4], Y)], expected[:4], rtol=1e-5)
    np.testing.assert_allclose(net.pair_distance(IMAGES, Y), expected, rtol=1e-5)


@every
def test_the_second_view_may_have_images(name):
    net = quick(name, module_y=convolutional, n_components=5, max_epochs=1).fit(X, IMAGES, CLASSES)
    assert net.transform_y(IMAGES[:7]).shape == (7, 5)
    with pytest.raises(ValueError, match=r"Y has \(1, 4, 3\) features"):
        net.transform_y(IMAGES[..., :3])


def test_a_module_is_given_its_view_unchanged_and_ids_as_integers():
    ids = np.clip(Y * 3 + 8, 0, 19).astype(int)
    text = nn.Sequential(nn.Embedding(20, 5), nn.Flatten(), nn.Linear(15, 5))
    net = quick("TwoViewNet", module=linear, module_y=text, hidden=(128,), normalize=False, lr=1e-9, max_epochs=1)
    z, z_y = net.fit(X, ids).transform(X.astype(np.float32), ids)
    np.testing.assert_allclose(z, net.module_(torch.tensor(X, dtype=torch.float32)).detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(z_y, text(torch.tensor(ids)).detach(), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"module": lambda: nn.Linear(4, 3)}, (X, Y), "3 and 64 columns"),
        ({"module_y": lambda: nn.Linear(4, 3)}, (X, Y), "module_y cannot embed points of shape"),
        ({"module_y": lambda: 3}, (X, Y), "module_y=.* should return a torch.nn.Module"),
        ({"module": linear, "module_y": linear, "dropout": 0.1}, (X, Y), "dropout=0.1 is for the built-in"),
        ({"module_y": nn.Linear(3, 64), "n_networks": 2}, (X, Y), "a class or a function as module_y="),
        ({}, (X, IMAGES), "Y has points of shape.*module_y="),
        ({}, (IMAGES, Y), "X has points of shape.*a module="),
        ({"init": "glorot", "n_networks": 65}, (X, Y), "n_components=64 leaves no column"),
    ],
)
def test_networks_that_do_not_suit_are_named(params, data, message):
    with pytest.raises(ValueError, match=message):
        quick("TwoViewNet", **{"hidden": (128,)} | params).fit(*data)


# --- ensembles


@pytest.mark.parametrize("init", ["semantic", "cca", "glorot"])
def test_an_ensemble_before_training_is_its_start(init):
    params = {"init": init, "max_epochs": 1, "lr": 1e-12, "n_components": 6}
    one, three = (quick("TwoViewNet", **params, n_networks=n).fit(X, Y, CLASSES) for n in (1, 3))
    z, z_y = three.transform(X, Y)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)
    if init == "glorot":
        assert not np.allclose(z, one.transform(X))
    else:
        np.testing.assert_allclose(z, one.transform(X), atol=1e-5)
        np.testing.assert_allclose(z_y, one.transform_y(Y), atol=1e-5)
    assert [record["epoch"] for record in three.history_] == [1, 1, 1]


def test_members_of_an_ensemble_differ_and_their_modules_have_all_columns():
    two = quick("TwoViewNet", module=linear, module_y=linear, hidden=(128,), n_networks=2, max_epochs=1).fit(X, Y)
    z = two.transform(X)
    assert z.shape == (45, 10)
    assert not np.allclose(z[:, :5], z[:, 5:])


# --- the lift and the kernel


def test_the_cosine_is_the_probability_of_one_class_less_that_by_chance():
    net = quick("TwoViewNet", init="semantic", max_epochs=1).fit(X, Y, CLASSES)
    views = (net.module_, X), (net.module_y_, Y)
    p, q = (after([*module[:-1], *module[-1][:2]], points) for module, points in views)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    z, z_y = net.transform(X, Y)
    np.testing.assert_allclose(z @ z_y.T, p @ q.T - 1 / 3, atol=1e-6)


def test_products_are_the_cosines_of_lifted_views():
    z, z_y = (torch.rand(6, 3, dtype=torch.double) / 2 for _ in range(2))
    a, b = Lift(0)(z), Lift(1)(z_y)
    np.testing.assert_allclose(a.norm(dim=1), 1)
    np.testing.assert_allclose(b.norm(dim=1), 1)
    np.testing.assert_allclose(a @ b.T, z @ z_y.T)
    np.testing.assert_allclose(as_numpy(nn.Sequential(Lift(1)))(z_y.numpy()), b)


def test_the_gaussian_kernel_by_a_naive_loop():
    kernel = GaussianKernel(X[:5], 2.5).double()
    expected = [[np.exp(-np.sum((x - c) ** 2) / 2.5) for c in X[:5].astype(np.float32)] for x in X]
    np.testing.assert_allclose(kernel(torch.tensor(X)), expected, rtol=1e-6)
    np.testing.assert_allclose(as_numpy(nn.Sequential(kernel))(X), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_too_far_for_a_square_are_far_from_all_landmarks(dtype):
    assert (
        GaussianKernel(X[:5], 2.5).to(dtype)(torch.tensor(X, dtype=dtype) * torch.finfo(dtype).max / 100) == 0
    ).all()


def test_with_all_points_as_landmarks_products_of_features_are_the_kernel_up_to_the_centre():
    Z = after(kernel_layers(X, None, np.random.default_rng(0)), X)
    K = np.exp(-cdist(X, X, "sqeuclidean") / (2 * X.var(axis=0).sum()))
    centred = K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()
    np.testing.assert_allclose(Z @ Z.T / np.trace(Z @ Z.T), centred / np.trace(centred), atol=1e-3)


def test_a_kernel_is_taken_only_if_it_is_clearly_better():
    gains = np.tile([0.5, -0.3], 8)  # the mean is a quarter of their deviation
    assert not clearly_better(gains, np.zeros(16), n_distinct=3)
    assert clearly_better(gains, np.zeros(16), n_distinct=5)
    assert not clearly_better(gains[:0], gains[:0], n_distinct=0)


def test_classes_that_no_linear_map_finds_are_found_by_the_kernel():
    images, y = load_digits(return_X_y=True)
    one = images[:300]
    parity = (y[:300] % 2).astype(int)
    net = quick("TwoViewNet", init="semantic", max_epochs=1, lr=1e-12).fit(one[:, ::2], one[:, 1::2], parity)
    assert any(isinstance(part, GaussianKernel) for part in net.module_.modules())
