"""Agreement with independent implementations: scikit-learn, and pytorch-metric-learning if installed."""

import numpy as np
import pytest
import torch
from discovery import tiny_points
from scipy.spatial.distance import pdist
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from metricnets import LDA, Covariance, losses

DATA = {"iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True), "tiny": tiny_points()}


@pytest.fixture(params=DATA)
def labelled(request):
    return DATA[request.param]


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "svd"},
        {"solver": "svd", "n_components": 1},
        {"solver": "svd", "priors": [0.2, 0.3, 0.5]},
        {"solver": "eigen"},
        {"solver": "eigen", "n_components": 1},
    ],
    ids=str,
)
def test_lda_has_the_distances_of_scikit_learn(labelled, params):
    X, y = labelled
    expected = LinearDiscriminantAnalysis(**params).fit(X, y).transform(X)
    np.testing.assert_allclose(pdist(LDA(**params).fit(X, y).transform(X)), pdist(expected), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shrinkage", [None, 0.0, 0.3, "auto"])
@pytest.mark.parametrize("priors", [None, [0.2, 0.3, 0.5]])
def test_lda_tells_the_class_means_apart_as_scikit_learn(labelled, shrinkage, priors):
    X, y = labelled
    params = {"solver": "lsqr", "shrinkage": shrinkage, "priors": priors}
    reference = LinearDiscriminantAnalysis(**params).fit(X, y)  # rows of coef_ are S_w⁻¹ m
    means = np.array([[reference.means_[a], reference.means_[b]] for a, b in [(0, 1), (0, 2), (1, 2)]])
    normals = np.array([reference.coef_[a] - reference.coef_[b] for a, b in [(0, 1), (0, 2), (1, 2)]])
    expected = np.sum(normals * (means[:, 0] - means[:, 1]), axis=1)
    np.testing.assert_allclose(LDA(**params).fit(X, y).pair_distance(means) ** 2, expected, rtol=1e-6)


def test_covariance_has_the_distances_of_scikit_learn(labelled):
    X, _ = labelled
    n = len(X)
    expected = EmpiricalCovariance().fit(X).mahalanobis(X) * (n - 1) / n  # it divides by n, we by n - 1
    to_mean = np.stack([X, np.broadcast_to(X.mean(axis=0), X.shape)], axis=1)
    np.testing.assert_allclose(Covariance().fit(X).pair_distance(to_mean) ** 2, expected)


# ------------------------------------------------------------------------------------------------
# pytorch-metric-learning: Euclidean distances of the embeddings as they are, its reducers and miners.


def embeddings():
    X, y = tiny_points()
    z = torch.tensor(X / 3)
    labels = torch.tensor(y)
    r = (labels[:, None] == labels).double().fill_diagonal_(torch.nan)
    return z, labels, r


@pytest.mark.parametrize("margins", [(0.0, 1.0), (0.3, 1.7)])
def test_contrastive_agrees_with_pytorch_metric_learning(margins):
    pml_distances = pytest.importorskip("pytorch_metric_learning.distances")
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
    pml_reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    z, labels, r = embeddings()
    reference = pml_losses.ContrastiveLoss(
        pos_margin=margins[0],
        neg_margin=margins[1],
        distance=pml_distances.LpDistance(normalize_embeddings=False),
        reducer=pml_reducers.MeanReducer(),
    )
    ours = losses.contrastive(z, r, positive_margin=margins[0], margin=margins[1])
    torch.testing.assert_close(ours, reference(z, labels), rtol=1e-6, atol=0)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("reduction", ["active", "all"])
@pytest.mark.parametrize("select", ["all", "hard", "semihard"])
def test_triplet_agrees_with_pytorch_metric_learning(select, reduction, squared):
    pml_distances = pytest.importorskip("pytorch_metric_learning.distances")
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
    pml_miners = pytest.importorskip("pytorch_metric_learning.miners")
    pml_reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    z, labels, r = embeddings()
    distance = pml_distances.LpDistance(normalize_embeddings=False, power=2 if squared else 1)
    reducer = pml_reducers.AvgNonZeroReducer() if reduction == "active" else pml_reducers.MeanReducer()
    reference = pml_losses.TripletMarginLoss(margin=0.4, distance=distance, reducer=reducer)
    miners = {
        "hard": pml_miners.BatchHardMiner(distance=distance),
        "semihard": pml_miners.TripletMarginMiner(margin=0.4, type_of_triplets="semihard", distance=distance),
    }
    mined = miners[select](z, labels) if select in miners else None
    ours = losses.triplet(z, r, margin=0.4, select=select, reduction=reduction, squared=squared)
    torch.testing.assert_close(ours, reference(z, labels, mined), rtol=1e-6, atol=0)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_npair_at_unit_norm_agrees_with_ntxent_of_pytorch_metric_learning(temperature):
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
    z, labels, r = embeddings()
    ours = losses.npair(torch.nn.functional.normalize(z), r, temperature=temperature)
    reference = pml_losses.NTXentLoss(temperature=temperature)  # which takes cosines
    torch.testing.assert_close(ours, reference(z, labels), rtol=1e-6, atol=0)
