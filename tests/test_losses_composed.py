"""Losses made of losses, and the catalogue."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from discovery import quick, tiny_points
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ParameterGrid, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from test_loss_modules import made
from test_loss_modules import sample as of_classes
from test_losses import sample
from torch.nn.functional import normalize

from metricnets import EmbeddingNet, losses

HALF = partial(losses.triplet, margin=0.5)


def test_a_weighted_sum_is_the_sum():
    z, r = sample()
    loss = losses.WeightedSum([(2.0, "contrastive"), (0.5, HALF)])
    torch.testing.assert_close(loss(z, r), 2 * losses.contrastive(z, r) + 0.5 * losses.triplet(z, r, margin=0.5))


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("weights", [None, (1.0, 0.5)])
def test_matryoshka_is_the_loss_of_the_first_columns(unit, weights):
    z, r = sample()
    first = normalize(z[:, :2]) if unit else z[:, :2]
    whole = normalize(z) if unit else z
    one, two = weights or (1.0, 1.0)
    expected = one * losses.npair(first, r) + two * losses.npair(whole, r)
    torch.testing.assert_close(losses.Matryoshka("npair", (2, 64), weights, normalize=unit)(z, r), expected)


def test_the_first_columns_of_a_matryoshka_embedding_are_better():
    X, y = load_digits(return_X_y=True)
    A, B, a, b = train_test_split(X, y, train_size=600, random_state=0)
    scores = []
    for loss in ("npair", losses.Matryoshka("npair", (4, 64))):
        net = EmbeddingNet(loss=loss, random_state=0).fit(A, a)
        first, queries = (normalize(torch.as_tensor(net.transform(points))[:, :4]).numpy() for points in (A, B))
        scores.append(KNeighborsClassifier(3).fit(first, a).score(queries, b))
    assert scores[1] > scores[0] + 0.02


@pytest.mark.parametrize("loss", [losses.WeightedSum([(1.0, "triplet"), (0.1, HALF)]), losses.Matryoshka(HALF, (1, 2))])
def test_they_are_parameters_like_others(loss):
    X, y = tiny_points()
    learner = quick("EmbeddingNet", loss=loss)
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)
    assert repr(clone(learner).get_params()["loss"]) == repr(loss)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(learner)).fit(X, y).transform(X), learner.fit(X, y).transform(X)
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (losses.WeightedSum([(1.0, "npairs")]), "loss='npairs' is unknown.*'npair'"),
        (losses.Matryoshka("tripet", (2,)), "loss='tripet' is unknown.*'triplet'"),
        (losses.Matryoshka("triplet", (1, 2), (1.0,)), "weights=.* should have one weight for each of sizes="),
        (losses.Matryoshka("triplet", (1, 2), ("a", 1.0)), "weight='a' should be a finite number"),
        (losses.Matryoshka("triplet", ()), r"sizes=\(\) should be one or more integers from 1"),
        (losses.Matryoshka("triplet", (0,)), r"sizes=\(0,\) should be one or more integers from 1"),
        (losses.Matryoshka("triplet", (2, -1)), r"sizes=\(2, -1\) should be one or more integers from 1"),
        (losses.Matryoshka("triplet", 2), "sizes=2 should be one or more integers from 1"),
        (losses.Matryoshka("cosface", (2,)), r"loss=CosFace owns parameters; .* EmbeddingNet\(loss=CosFace\)"),
        (losses.WeightedSum([]), r"terms=\[\] should have a weight and a loss for each term"),
        (losses.WeightedSum([(None, "npair")]), "weight=None should be a finite number"),
        (losses.WeightedSum([(1.0, 3)]), "loss=3 is unknown"),
        (losses.WeightedSum([(1.0, losses.CosFace)]), "loss=CosFace owns parameters"),
        (losses.WeightedSum([(1.0, partial(losses.CosFace, margin=0.2))]), "loss=CosFace owns parameters"),
        (losses.WeightedSum([(1.0, losses.CosFace(3, 5))]), "loss=CosFace owns parameters"),
    ],
)
def test_messages(loss, message):
    with pytest.raises(ValueError, match=message):
        loss(*sample())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_first_columns_of_0_have_no_gradient(dtype):
    z, r = sample(dtype=dtype)
    z[:3, :2] = 0
    z.requires_grad_()
    losses.Matryoshka("npair", (2,))(z, r).backward()
    assert z.grad.abs().max() < 100
    assert not z.grad[:3].any()


@pytest.mark.parametrize("name", losses.CATALOGUE)
def test_a_loss_that_scales_embeddings_says_so(name):
    is_module = isinstance(losses.CATALOGUE[name].loss, type)
    loss, (z, targets) = (made(name, {}), of_classes()) if is_module else (getattr(losses, name), sample())
    norms = torch.tensor(10 ** np.random.default_rng(0).uniform(-1, 1, size=(len(z), 1)))
    if torch.isclose(loss(z * norms, targets), loss(z, targets)):
        assert losses.CATALOGUE[name].unit_norm


@pytest.mark.parametrize("name", losses.CATALOGUE)
def test_every_grid_is_taken(name):
    X, y = tiny_points()
    grid = losses.grid(name, prefix="embeddingnet__")
    assert len(ParameterGrid(grid)) == 4
    model = make_pipeline(quick("EmbeddingNet", max_epochs=1), KNeighborsClassifier(3))
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_grid_names_a_loss_that_is_none():
    with pytest.raises(ValueError, match="loss='npairs' is unknown.*Did you mean 'npair'"):
        losses.grid("npairs")
