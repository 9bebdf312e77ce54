"""EmbeddingNet and Mahalanobis with losses that own parameters, by name and by class; they predict classes."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback
from torch import nn

from metricnets import EmbeddingNet, Mahalanobis, losses
from metricnets.exceptions import FitInterrupted

QUICK = {"max_epochs": 4, "hidden": (8,), "n_components": 5, "random_state": 0, "device": "cpu"}
MODULES = {name: entry.loss for name, entry in losses.CATALOGUE.items() if isinstance(entry.loss, type)}
CLASSIFIERS = [name for name, cls in MODULES.items() if hasattr(cls, "logits")]
every_loss = pytest.mark.parametrize("loss", MODULES)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


def fitted(iris, loss="cosface", **params):
    return EmbeddingNet(loss=loss, **QUICK | params).fit(*iris)


def weights(loss):
    return {key: value.clone() for key, value in loss.state_dict().items()}


@every_loss
def test_by_name_and_by_class_are_the_same(iris, loss):
    before = torch.get_rng_state()
    named = fitted(iris, loss)
    assert torch.equal(torch.get_rng_state(), before)
    by_class = fitted(iris, MODULES[loss])
    assert_array_equal(named.transform(iris[0]), by_class.transform(iris[0]))
    torch.testing.assert_close(weights(named.loss_), weights(by_class.loss_), rtol=0, atol=0)
    assert type(named.loss_) is MODULES[loss]
    assert_array_equal(named.classes_, np.unique(iris[1]))
    assert not named.loss_.training
    assert all(p.grad is None for p in named.loss_.parameters())
    assert hasattr(named, "predict") == (loss in CLASSIFIERS)


@every_loss
def test_pickle_clone_and_refit(iris, loss):
    model = fitted(iris, loss)
    assert clone(model).get_params() == model.get_params()
    copied = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(weights(copied.loss_), weights(model.loss_), rtol=0, atol=0)
    if loss in CLASSIFIERS:
        assert_array_equal(copied.predict(iris[0]), model.predict(iris[0]))
    expected = model.transform(iris[0])
    assert_array_equal(model.fit(*iris).transform(iris[0]), expected)
    model.set_params(loss="triplet").fit(*iris)
    assert not hasattr(model, "loss_")
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "predict")


def test_a_network_of_your_own_says_how_many_columns_there_are(iris):
    model = EmbeddingNet(loss="arcface", loss_params={"n_centers": 2}, module=lambda: nn.Linear(4, 7), max_epochs=2)
    assert model.fit(*iris).loss_.weight.shape == (3, 2, 7)
    assert model.predict(iris[0]).shape == (150,)


def test_an_instance_is_copied_and_keeps_its_weights(iris):
    loss = losses.CosFace(5, 3, generator=torch.Generator().manual_seed(1))
    before = weights(loss)
    model = fitted(iris, loss, loss_lr=1e-12)
    torch.testing.assert_close(weights(loss), before, rtol=0, atol=0)
    torch.testing.assert_close(weights(model.loss_), before)


class OfTwo(nn.Module):
    def __init__(self, n_classes, weight=1.0):
        super().__init__()
        self.n_classes, self.factor = n_classes, nn.Parameter(torch.ones(()) * weight)

    def forward(self, z, codes):
        return (self.factor * z).square().mean()


def test_a_class_of_your_own_is_given_what_it_takes(iris):
    model = fitted(iris, OfTwo, loss_params={"weight": 2.0}, loss_lr=1e-12)
    assert model.loss_.n_classes == 3
    assert model.loss_.factor.item() == pytest.approx(2.0)


# --- learning rate


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", torch.optim.Adagrad, torch.optim.Rprop])
def test_the_parameters_of_the_loss_have_their_own_rate_and_no_decay(iris, optimizer):
    params = {"optimizer": optimizer, "weight_decay": 0.5, "lr": 0.01}
    still = fitted(iris, lr_schedule=None, loss_lr=1e-12, **params)
    moved = fitted(iris, lr_schedule=None, loss_lr=0.1, **params)
    shorter = fitted(iris, lr_schedule=None, loss_lr=1e-12, **params | {"max_epochs": 1})
    torch.testing.assert_close(still.loss_.weight, shorter.loss_.weight)
    assert (moved.loss_.weight - still.loss_.weight).abs().max() > 0.01
    assert np.abs(still.transform(iris[0]) - shorter.transform(iris[0])).max() > 1e-4


def test_the_default_rate_is_ten_times_that_of_the_network(iris):
    assert_array_equal(fitted(iris).transform(iris[0]), fitted(iris, loss_lr=0.03).transform(iris[0]))


def test_an_optimizer_without_groups_trains_both(iris):
    model = fitted(iris, optimizer=torch.optim.LBFGS, lr_schedule=None, lr=0.01)
    assert model.history_[1]["train_loss"] < model.history_[0]["train_loss"]


# --- which epoch is kept


def best_epoch(history):
    return 1 + int(np.argmin([record["valid_loss"] for record in history]))


def test_early_stopping_keeps_network_and_loss_of_the_best_epoch(iris):
    params = {"early_stopping": True, "lr_schedule": None, "lr": 0.1, "max_epochs": 25, "n_iter_no_change": 3}
    model = fitted(iris, "proxy_anchor", **params)
    best = best_epoch(model.history_)
    assert best < len(model.history_)
    expected = fitted(iris, "proxy_anchor", **params | {"max_epochs": best})
    assert best_epoch(expected.history_) == best
    assert_array_equal(model.transform(iris[0]), expected.transform(iris[0]))
    torch.testing.assert_close(weights(model.loss_), weights(expected.loss_), rtol=0, atol=0)


@pytest.mark.parametrize("loss", ["proxy_anchor", "hierarchical_triplet"])
def test_an_interrupt_keeps_network_and_loss_of_the_last_epoch(iris, loss):
    class Interrupt(Callback):
        def on_batch_end(self, net, training=True, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    model = EmbeddingNet(loss=loss, callbacks=[Interrupt()], lr_schedule=None, **QUICK)
    with pytest.raises(FitInterrupted, match="2 of 4 epochs"):
        model.fit(*iris)
    expected = fitted(iris, loss, lr_schedule=None, max_epochs=2)
    torch.testing.assert_close(weights(model.loss_), weights(expected.loss_), rtol=0, atol=0)
    assert_array_equal(model.transform(iris[0]), expected.transform(iris[0]))


# --- predictions


@pytest.mark.parametrize("loss", CLASSIFIERS)
def test_predictions_are_the_classes_of_the_largest_logits(iris, loss):
    X, y = iris
    model = fitted(iris, loss, max_epochs=40)
    P = model.predict_proba(X)
    logits = model.loss_.logits(torch.from_numpy(model.transform(X))).detach()
    assert_allclose(P, logits.softmax(1).numpy())
    assert_array_equal(model.predict(X), model.classes_[logits.argmax(1)])
    assert accuracy_score(y, model.predict(X)) > 0.85


def test_predictions_do_not_depend_on_the_output_of_transform(iris):
    pytest.importorskip("pandas")
    model = fitted(iris)
    expected = model.predict_proba(iris[0])
    assert_array_equal(model.set_output(transform="pandas").predict_proba(iris[0]), expected)


def test_several_networks_keep_their_losses_and_do_not_predict(iris):
    model = fitted(iris, n_networks=3)
    assert len(model.loss_) == 3
    assert not hasattr(model, "predict")


def test_rows_of_unknown_class_are_predicted(iris):
    X, y = iris
    partly = np.where(np.arange(150) % 3 == 0, y, None)
    model = EmbeddingNet(loss="cosface", relation="known_class", **QUICK | {"max_epochs": 40}).fit(X, partly)
    assert_array_equal(model.classes_, np.unique(y))
    assert accuracy_score(y, model.predict(X)) > 0.9


def test_classes_of_one_row_can_be_learned(iris):
    X, y = iris
    model = EmbeddingNet(loss="normalized_softmax", **QUICK).fit(X[::50], y[::50])
    assert model.predict(X).shape == (150,)
    with pytest.raises(ValueError, match="no similar pair in y"):
        EmbeddingNet(loss="margin", **QUICK).fit(X[::50], y[::50])


def test_mahalanobis_keeps_the_loss_and_predicts_nothing_as_its_embeddings_have_no_origin(iris):
    model = Mahalanobis(loss="cosface", random_state=0).fit(*iris)
    assert model.loss_.weight.shape == (3, 1, 4)
    assert not hasattr(model, "predict")


def test_a_grid_over_losses_and_their_parameters(iris):
    grid = [
        {"embeddingnet__loss": ["cosface"], "embeddingnet__loss_params": [{"scale": 16}, {"margin": 0.1}]},
        {"embeddingnet__loss": ["triplet", "proxy_anchor"], "embeddingnet__loss_params": [None, {"margin": 0.3}]},
    ]
    pipeline = make_pipeline(EmbeddingNet(**QUICK), KNeighborsClassifier(3))
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(*iris)
    assert len(search.cv_results_["params"]) == 6
    assert search.best_score_ > 0.9
    net = GridSearchCV(EmbeddingNet(loss="cosface", **QUICK), {"loss": CLASSIFIERS[:2]}, cv=2, error_score="raise",
                       scoring=make_scorer(accuracy_score))  # fmt: skip
    assert net.fit(*iris).predict(iris[0]).shape == (150,)


# --- what is refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss_params": {"margn": 0.1}}, "loss_params has 'margn', which loss='cosface' does not take; it takes "
         "margin, scale. Did you mean 'margin'"),
        ({"loss_params": {"scale": -1}}, "scale=-1 should be a finite number, above 0"),
        ({"relation": "jaccard"}, "relation='jaccard' is for losses of .z, r."),
        ({"sampler": "pairs"}, "sampler='pairs' is for losses of .z, r."),
        ({"miner": lambda z, r: r}, "miner=.* selects pairs, and loss='cosface' takes all samples"),
        ({"loss_lr": 0}, "loss_lr"),
        ({"loss": "CosFace"}, "Did you mean 'cosface'"),
        ({"loss": "cos_face"}, "Did you mean 'cosface'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(iris, params, message):
    with pytest.raises(ValueError, match=message):
        fitted(iris, **params)


def test_targets_that_are_no_classes_are_refused(iris):
    with pytest.raises(ValueError, match="is a module, which needs classes in y"):
        EmbeddingNet(loss="cosface", **QUICK).fit(iris[0], np.eye(3)[np.unique(iris[1], return_inverse=True)[1]])


def test_a_fixed_module_trains_the_loss_alone(iris):
    fixed = {"module": nn.Identity(), "normalize": False, "random_state": 0}
    model = EmbeddingNet(loss="l1_verification", **fixed).fit(*iris)
    assert_array_equal(model.transform(iris[0]), iris[0])
    assert model.loss_.weights.std() > 0.01  # they start equal
    with pytest.raises(ValueError, match="module has no parameter to train, nor has the loss"):
        EmbeddingNet(loss="contrastive", **fixed).fit(*iris)


DRAWN = dict.fromkeys(
    [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")],
    "weights say how often samples are drawn: equal on average",
)
NO_BIAS = DRAWN | {
    "check_class_weight_classifiers": "a class without weight keeps its direction, the mean of its samples, and no bias"
}


@parametrize_with_checks(
    [EmbeddingNet(loss=loss, device="cpu", max_epochs=20, random_state=0) for loss in ("cosface", "center")],
    expected_failed_checks=lambda net: NO_BIAS if net.loss == "cosface" else DRAWN,
)
def test_a_loss_that_classifies_makes_a_classifier(estimator, check):
    check(estimator)


def test_folds_are_stratified_and_scores_are_accuracies(iris):
    X, y = iris
    model = EmbeddingNet(loss="cosface", **QUICK | {"max_epochs": 40})
    scores = cross_val_score(model, X, y, cv=3)
    assert scores.min() > 0.9
    assert_array_equal(scores, cross_val_score(model, X, y, cv=3, scoring="accuracy"))


def test_a_classifier_is_one_by_what_was_fitted(iris):
    model = EmbeddingNet(loss="triplet", **QUICK).fit(*iris).set_params(loss="cosface")
    assert not hasattr(model, "predict")
    model.fit(*iris).set_params(loss="triplet")
    assert model.predict(iris[0]).shape == (150,)


def test_points_of_two_dimensions_beside_the_embedding():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4, 5)), np.repeat([0, 1, 2], 20)
    model = EmbeddingNet(
        loss="cosface", module=lambda: nn.Sequential(nn.Flatten(), nn.Linear(20, 6)), skip=1.0, max_epochs=2
    ).fit(X, y)
    assert model.transform(X).shape == (60, 26)
    assert model.predict(X).shape == (60,)
