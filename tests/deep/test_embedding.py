"""EmbeddingNet and Mahalanobis: any loss, any sampler, any miner; a linear map."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet, Mahalanobis, losses

QUICK = {"max_epochs": 5, "random_state": 0}
STILL = {"lr": 1e-12, "max_epochs": 1, "random_state": 0}  # what is learned is the start


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def noisy():
    """Three classes in three coordinates, and nine coordinates of noise."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 60)
    return np.hstack([rng.normal(size=(180, 3)) / 2 + 2 * np.eye(3)[y], rng.normal(size=(180, 9)) * 2]), y


def accuracy(learner, X, y):
    learner.fit(X[:120], y[:120])
    return KNeighborsClassifier(3).fit(learner.transform(X[:120]), y[:120]).score(learner.transform(X[120:]), y[120:])


@pytest.mark.parametrize("learner", [EmbeddingNet, Mahalanobis])
@pytest.mark.parametrize("loss", losses.CATALOGUE)
def test_every_loss_beats_euclid_where_there_is_noise(noisy, learner, loss):
    X, y = noisy
    raw = KNeighborsClassifier(3).fit(X[:120], y[:120]).score(X[120:], y[120:])
    assert accuracy(learner(loss=loss, max_epochs=10, random_state=0), X, y) > raw + 0.05


@pytest.mark.parametrize("sampler", ["shuffled", "balanced", "pairs", "matched"])
def test_every_sampler(noisy, sampler):
    assert accuracy(EmbeddingNet(loss="contrastive", sampler=sampler, max_epochs=100, random_state=0), *noisy) > 0.7


TWO_VIEWS = ["info_nce", "siglip", "vicreg"]


@pytest.mark.parametrize("loss", TWO_VIEWS)
def test_losses_of_two_views_draw_matched_pairs(iris, loss):
    by_default = EmbeddingNet(loss=loss, **QUICK).fit(*iris)
    matched = EmbeddingNet(loss=loss, sampler="matched", **QUICK).fit(*iris)
    assert_allclose(by_default.transform(iris[0]), matched.transform(iris[0]), rtol=0)
    assert by_default.get_params()["sampler"] == "balanced"


@pytest.mark.parametrize("loss", TWO_VIEWS)
@pytest.mark.parametrize("sampler", ["shuffled", "pairs"])
def test_losses_of_two_views_need_matched_rows(iris, loss, sampler):
    with pytest.raises(ValueError, match=f"loss='{loss}' compares matched rows.*sampler='{sampler}'.*set 'matched'"):
        EmbeddingNet(loss=loss, sampler=sampler, **QUICK).fit(*iris)


def test_matched_samples_are_similar_even_to_themselves_and_repeated_ones_form_no_other_pair(iris):
    X, y = iris[0][48:54], np.array([0, 1, 1, 1, 2, 2])
    seen = []

    def look(z, r):
        seen.append(r)
        return z.square().mean()

    EmbeddingNet(loss=look, sampler="matched", batch_size=8, max_epochs=20, random_state=0).fit(X, y)
    left = torch.arange(4)
    for r in seen:
        assert r.shape == (8, 8)  # one pair of the first class, two of the second and one of the third
        assert r.diagonal().isnan().all()
        assert (r[left, left + 4] == 1).all()
        assert (r[left + 4, left] == 1).all()
    unknown = torch.stack([r.isnan() for r in seen]).sum((1, 2)) - 8
    assert (unknown == 2).all()  # the sample of the second class that is in two pairs


@pytest.mark.parametrize("loss", TWO_VIEWS)
def test_views_by_dropout_need_no_two_samples_of_a_class(noisy, loss):
    X, _ = noisy
    net = EmbeddingNet(loss=loss, relation="same_class", init="identity", dropout=0.5, **QUICK)
    net.fit(X[:60], np.arange(60))
    assert net.history_[-1]["train_loss"] != net.history_[0]["train_loss"]
    grades = np.random.default_rng(0).random(60)
    EmbeddingNet(loss=loss, relation="absolute", **QUICK).fit(X[:60], grades)


def test_loss_by_name_and_as_a_function_are_the_same(iris):
    named = EmbeddingNet(loss="triplet", loss_params={"margin": 0.5}, **QUICK).fit(*iris)
    own = EmbeddingNet(loss=lambda z, r: losses.triplet(z, r, margin=0.5), **QUICK).fit(*iris)
    assert_allclose(named.transform(iris[0]), own.transform(iris[0]))


def test_miner_masks_pairs(iris):
    def nothing(z, r):
        return torch.full_like(r, torch.nan)

    with pytest.warns(UserWarning, match="nothing was learned"):
        untrained = EmbeddingNet(miner=nothing, weight_decay=0.0, **QUICK).fit(*iris)
    assert all(record["train_loss"] == 0 for record in untrained.history_)


class Centers(torch.nn.Module):
    """Squared distance to a learnt centre of the class."""

    def __init__(self, n_classes=3, n_components=2):
        super().__init__()
        self.centers = torch.nn.Parameter(torch.eye(n_classes, n_components))

    def forward(self, z, codes):
        return ((z - self.centers[codes]) ** 2).mean() + ((1 - torch.pdist(self.centers)).clamp_min(0) ** 2).mean()


def test_parameters_of_a_loss_are_trained_and_the_instance_is_not(iris):
    loss = Centers()
    by_instance = EmbeddingNet(loss=loss, n_components=2, **QUICK).fit(*iris)
    assert torch.equal(loss.centers, torch.eye(3, 2))
    by_class = EmbeddingNet(loss=Centers, loss_params={"n_classes": 3}, n_components=2, **QUICK).fit(*iris)
    assert_allclose(by_instance.transform(iris[0]), by_class.transform(iris[0]))
    assert by_instance.history_[-1]["train_loss"] < by_instance.history_[0]["train_loss"]


def test_losses_and_miners_of_pytorch_metric_learning(noisy):
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses", reason="an optional peer")
    pml_miners = pytest.importorskip("pytorch_metric_learning.miners", reason="an optional peer")
    X, y = noisy
    names = np.array(["a", "b", "c"])[y]
    settings = [
        {"loss": pml_losses.TripletMarginLoss(margin=0.2)},
        {"loss": pml_losses.TripletMarginLoss(margin=0.2), "miner": pml_miners.BatchHardMiner()},
        {"loss": pml_losses.ContrastiveLoss},
        {"loss": pml_losses.ProxyAnchorLoss(num_classes=3, embedding_size=64)},
        {"loss": pml_losses.MultiSimilarityLoss(), "miner": pml_miners.MultiSimilarityMiner()},
    ]
    raw = KNeighborsClassifier(3).fit(X[:120], y[:120]).score(X[120:], y[120:])
    for setting in settings:
        assert accuracy(EmbeddingNet(random_state=0, **setting), X, names) > raw, setting


def test_a_miner_of_pytorch_metric_learning_needs_a_loss_of_class_codes(iris):
    miner = pytest.importorskip("pytorch_metric_learning.miners", reason="an optional peer").BatchHardMiner()
    with pytest.raises(
        ValueError, match=r"miner=BatchHardMiner .* takes class codes, and loss='triplet' takes \(z, r\)"
    ):
        EmbeddingNet(loss="triplet", miner=miner, **QUICK).fit(*iris)


# --- Mahalanobis


def test_transform_is_the_linear_map(iris):
    X, y = iris
    mahalanobis = Mahalanobis(n_components=2, **QUICK).fit(X, y)
    assert mahalanobis.components_.shape == (2, 4)
    assert_allclose(mahalanobis.transform(X), X @ mahalanobis.components_.T)
    difference = X[0] - X[70]
    assert_allclose(
        difference @ mahalanobis.get_mahalanobis_matrix() @ difference,
        mahalanobis.get_metric()(X[0], X[70], squared=True),
    )


@pytest.mark.parametrize("n_components", [1, 2, 4])
def test_start_has_the_scale_of_its_points_whatever_theirs(iris, n_components):
    X, y = iris
    Z = Mahalanobis(n_components=n_components, **STILL).fit(X, y).transform(X)
    assert_allclose(((Z[:, None] - Z[None]) ** 2).sum(2).mean(), 2, rtol=1e-4)


def test_start_of_hostile_data():
    for X, n_components in ((np.ones((5, 3)), 2), (np.eye(3)[[0, 1, 0]], 3), (np.arange(6.0).reshape(3, 2), 2)):
        learner = Mahalanobis(n_components=n_components, loss="alignment", **STILL).fit(X, np.arange(len(X)) % 2)
        assert learner.components_.shape == (n_components, X.shape[1])
        assert np.isfinite(learner.components_).all()


def test_more_components_than_features_are_as_many(iris):
    assert Mahalanobis(n_components=5, **QUICK).fit(*iris).components_.shape == (4, 4)
