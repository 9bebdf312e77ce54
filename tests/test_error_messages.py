"""Errors of parameters and data that no other test of a learner comes upon: each says what to do."""

import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_pairs, tiny_points
from scipy.sparse import csr_matrix

from metricnets import metric_learn
from metricnets.calibration import threshold
from metricnets.metrics import retrieval_scores

X, Y = tiny_points()
PAIRS, SAME = tiny_pairs()
ONE = np.arange(45) == 0

ERRORS = {
    "shrinkage of svd": (lambda: quick("LDA", solver="svd", shrinkage=0.5).fit(X, Y), "use solver='eigen'"),
    "two priors": (lambda: quick("LDA", priors=[0.5, 0.5]).fit(X, Y), "a non-negative weight for each of 3 classes"),
    "two priors, weighted": (
        lambda: quick("LDA", priors=[0.5, 0.5]).fit(X, Y, sample_weight=1 + ONE),
        "a non-negative weight for each of 3 classes",
    ),
    "negative prior": (lambda: quick("LDA", priors=[1, 1, -1]).fit(X, Y), "a non-negative weight for each"),
    "one weight": (
        lambda: quick("LMNN").fit(X, Y, sample_weight=ONE),
        "positive for one sample only",
    ),
    "small weights": (lambda: quick("LDA").fit(X, Y, sample_weight=0.01), "LDA needs more than one sample for each"),
    "small weights, LFDA": (
        lambda: quick("LFDA").fit(X, Y, sample_weight=0.01),
        "a weight counts samples, so scale",
    ),
    "large components": (
        lambda: quick("NCA", init="pca", n_components=4).fit(X[:3], [0, 0, 1]),
        "init='pca' has at most 3 components here; n_components is 4",
    ),
    "one kind of doublet": (
        lambda: quick("RAML", max_doublets=1).fit(X, np.linspace(0, 1, 45)),
        "have one relation; raise max_doublets=1",
    ),
    "prior": (
        lambda: quick("ITML", prior=np.triu(np.ones((4, 4)))).fit(PAIRS, SAME),
        r"prior is not symmetric; use \(prior \+ prior.T\) / 2",
    ),
    "no features": (lambda: quick("ITML").fit(PAIRS[:, :, :0], SAME), r"\(40, 2, 0\), have points without features"),
    "lists of labels": (lambda: quick("MLKNN").fit(X, [[1]] * 44 + [[1, 2]]), "convert them with MultiLabelBinarizer"),
    "no labelled row": (lambda: quick("SourceOnly").fit(X, [None] * 45), "no row has a label"),
    "kinds of classes": (
        lambda: retrieval_scores(X, Y, X, Y.astype(str)),
        "y holds 0 and y_gallery '0'; both should hold classes of one kind",
    ),
    "beta": (
        lambda: threshold([0.1, 0.2], [1, 0], strategy="f_beta", beta=-1.0),
        "strategy='f_beta' needs a number beta of at least 0; got beta=-1.0",
    ),
}


@pytest.mark.parametrize(("call", "message"), ERRORS.values(), ids=ERRORS)
def test_an_error_says_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@needs_torch
@pytest.mark.parametrize(
    ("params", "factor", "message"),
    [
        ({"loss": "info_nce", "sampler": "shuffled"}, 1.0, "compares matched rows, and sampler='shuffled' draws none"),
        ({}, 1e300, "scale it"),
    ],
)
def test_an_error_of_a_network_says_what_to_do(params, factor, message):
    with pytest.raises(ValueError, match=message):
        quick("EmbeddingNet", **params).fit(X * factor, Y)


def test_tuples_are_dense():
    with pytest.raises(TypeError, match="give an array, or indices and preprocessor=."):
        quick("ITML").fit(csr_matrix(X), Y)


def test_predictions_need_a_threshold():
    learner = quick("ITML").fit(PAIRS, SAME)
    del learner.threshold_
    with pytest.raises(AttributeError, match="call set_threshold or calibrate_threshold"):
        learner.predict(PAIRS)


def test_the_old_library_took_so_many_arguments_by_position():
    with pytest.raises(TypeError, match="NCA takes 7 arguments by position; got 9"):
        metric_learn.NCA(*range(9))
