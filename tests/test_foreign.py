"""What code of others returns: in any precision and form it gives the right numbers, or is refused by name."""

import pickle
import subprocess
import sys
from types import MethodType

import numpy as np
import pandas as pd
import pytest
import torch
from discovery import ESTIMATORS, METRICS, POINT_LEARNERS, quick, tiny_points, training_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from metricnets import (
    AAKNN,
    ITML,
    MLKNN,
    EmbeddingNet,
    KNNOutlierDetector,
    NearestClassMean,
    NearestSet,
    PairsClassifier,
    SourceOnly,
    networks,
)
from metricnets.active import query_pairs
from metricnets.metrics import get_scorer, mean_average_precision, retrieval_scores
from metricnets.protocols import cross_validate_pairs, gallery_probe, multilabel_split, transfer

RNG = np.random.default_rng(0)
# Whole numbers up to 255 that no form below changes, but uint8 subtraction, or a square in half precision, would.
X = RNG.integers(0, 120, size=(48, 6)) * 2.0
X[X[:, 0] < 60] += 15
Y = (X[:, :3] > 120).astype(int)
CLASSES, DOMAIN = Y[:, 0], np.arange(48) % 2
ROWS = RNG.integers(48, size=(60, 2))
SAME, FOLD = np.where(CLASSES[ROWS[:, 0]] == CLASSES[ROWS[:, 1]], 1, -1), np.arange(60) % 3

FORMS = {
    "uint8": lambda A: A.astype(np.uint8),
    "uint16": lambda A: A.astype(np.uint16),
    "int16": lambda A: A.astype(np.int16),
    "uint64": lambda A: A.astype(np.uint64),
    "float16": lambda A: A.astype(np.float16),
    "float32": lambda A: A.astype(np.float32),
    "longdouble": lambda A: A.astype(np.longdouble),
    "object": lambda A: A.astype(object),
    "sparse matrix": lambda A: csr_matrix(A),
    "sparse array of uint8": lambda A: csr_array(A.astype(np.uint8)),
    "frame": lambda A: pd.DataFrame(A),
    "nullable frame": lambda A: pd.DataFrame(A).astype("Int64"),
    "list": lambda A: A.tolist(),
    "Fortran order": np.asfortranarray,
    "read only": lambda A: np.broadcast_to(A, A.shape),
    "tensor": lambda A: torch.tensor(A),
    "masked": lambda A: np.ma.masked_array(A),
}
REFUSED = {
    "complex": (lambda A: A + 1j, "should be real numbers"),
    "strings": (lambda A: A.astype(str), "should be real numbers"),
    "objects": (lambda A: np.full(A.shape, {}, object), "not an array of numbers"),
    "ragged": (lambda A: [[1.0], *A[1:].tolist()], "not an array of numbers"),
    "NaN": (lambda A: A * np.nan, "NaN or infinity"),
    "NaN, sparse": (lambda A: csr_matrix(A * np.nan), "NaN or infinity"),
    "masked": (lambda A: np.ma.masked_array(A, A > 100), "NaN or infinity"),
    "missing": (
        lambda A: pd.DataFrame(A).astype("Int64").mask(A > 100),
        "NaN or infinity|not an array of numbers",
    ),
    "a row less": (lambda A: A[1:], "a row for each"),
    "nothing": (lambda A: None, "a row for each"),
    "a number": (lambda A: 3.0, "a row for each"),
    "gradient": (lambda A: torch.tensor(A, requires_grad=True), "not an array of numbers"),
}
forms = pytest.mark.parametrize("form", FORMS)
refused = pytest.mark.parametrize("form", REFUSED)


def plain(A):
    """An embedding in which small integers would wrap around."""
    return np.asarray(A, float)


class Foreign(TransformerMixin, BaseEstimator):
    """A transformer of others."""

    def __init__(self, form=None):
        self.form = form

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return self.form(plain(X))


class ForeignLearner(Foreign):
    """One that says whether it is fitted."""

    def __sklearn_is_fitted__(self):
        return hasattr(self, "fitted_")


# Each gives numbers from what `form` makes of an embedding.
USES = {
    "PairsClassifier": lambda form: PairsClassifier(Foreign(form)).fit(X[ROWS], SAME).pair_distance(X[ROWS]),
    "pairs": lambda form: cross_validate_pairs(Foreign(form), ROWS, SAME, FOLD, preprocessor=X)["score"],
    "pairs, function": lambda form: cross_validate_pairs(form, ROWS, SAME, FOLD, preprocessor=X)["score"],
    "pairs, cosine": lambda form: cross_validate_pairs(form, ROWS, SAME, FOLD, preprocessor=X, metric="cosine")[
        "score"
    ],
    "pairs, classifier": lambda form: cross_validate_pairs(
        PairsClassifier(Foreign(form)), ROWS, SAME, FOLD, preprocessor=X
    )["score"],
    "gallery": lambda form: gallery_probe(Foreign(form), X, ROWS[:48, 0] % 4, DOMAIN, [([], [0, 1, 2, 3])])["test_cmc"],
    "gallery, cosine": lambda form: gallery_probe(
        form, X, ROWS[:48, 0] % 4, DOMAIN, [([], [0, 1, 2, 3])], metric="cosine"
    )["test_mean_average_precision"],
    "transfer": lambda form: transfer(Foreign(form), X, ROWS[:48, 0] % 2, DOMAIN)["test_accuracy"],
    "transfer, function": lambda form: transfer(form, X, ROWS[:48, 0] % 2, DOMAIN)["test_accuracy"],
    "label sets": lambda form: list(
        multilabel_split(MLKNN(n_neighbors=3, metric=Foreign(form)), X, Y, DOMAIN == 0, DOMAIN == 1).values()
    )[:-1],
    "MLKNN": lambda form: MLKNN(n_neighbors=3, metric=Foreign(form)).fit(X, Y).predict_proba(X[:9] + 3),
    "AAKNN": lambda form: AAKNN(n_neighbors=3, metric=Foreign(form)).fit(X, Y).predict(X[:9] + 3),
    "class means": lambda form: NearestClassMean(metric=Foreign(form)).fit(X, CLASSES).predict_proba(X[:9] + 3),
    "outliers": lambda form: KNNOutlierDetector(metric=Foreign(form)).fit(X).score_samples(X[:9] + 3),
    "sets": lambda form: NearestSet(metric=Foreign(form)).fit(X, CLASSES).kneighbors(X[:9] + 3)[0],
    "held-out classes": lambda form: (
        PairsClassifier(ForeignLearner(form), n_folds=2, random_state=0).fit(X, ROWS[:48, 0] % 4).score(X, CLASSES)
    ),
    "pairs to label": lambda form: query_pairs(Foreign(form), X, 5, strategy="nearest", random_state=0),
    "scorer": lambda form: get_scorer("mean_average_precision")(Foreign(form).fit(X), X, CLASSES),
}
uses = pytest.mark.parametrize("use", USES)


@forms
@uses
def test_every_form_gives_the_same_numbers(use, form):
    assert_allclose(USES[use](FORMS[form]), USES[use](plain), rtol=1e-6)


@refused
@uses
def test_what_is_no_embedding_is_refused_by_name(use, form):
    make, message = REFUSED[form]
    with pytest.raises(ValueError, match=f"(?s)(Foreign|function).*returned.*({message}|what is no)"):
        USES[use](make)


def test_unsigned_bytes_do_not_wrap_around():
    pairs = np.array([[[250.0, 3], [4, 1]], [[10, 3], [9, 3]], [[7, 200], [7, 90]], [[8, 8], [8, 9]]])
    classifier = PairsClassifier(FunctionTransformer(lambda A: A.astype(np.uint8))).fit(pairs, [-1, 1, -1, 1])
    assert_allclose(classifier.pair_distance(pairs), [np.hypot(246, 2), 1, 110, 1])


def test_half_precision_has_a_cosine():
    pairs = np.random.default_rng(0).normal(size=(4, 2, 512)) * 12
    left, right = pairs[:, 0].astype(np.float16).astype(float), pairs[:, 1].astype(np.float16).astype(float)
    expected = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    half = lambda A: A.astype(np.float16)  # noqa: E731
    found = cross_validate_pairs(half, pairs, [1, -1, 1, -1], [0, 0, 1, 1], metric="cosine")["score"]
    assert_allclose(found, expected)
    assert_allclose(found, [0.047, 0.001, 0.068, -0.026], atol=6e-4)


def test_booleans_are_zeros_and_ones():
    flags = lambda A: A > 100  # noqa: E731
    found = PairsClassifier(Foreign(flags)).fit(X[ROWS], SAME).pair_distance(X[ROWS])
    assert_allclose(found, np.sqrt(((X[ROWS[:, 0]] > 100) ^ (X[ROWS[:, 1]] > 100)).sum(axis=1)))


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_squares_neither_overflow_nor_vanish(scale):
    scaled = lambda A: A * scale  # noqa: E731
    for use in ("PairsClassifier", "pairs"):
        assert_allclose(USES[use](scaled) / scale, USES[use](plain))
    single = np.float32(scale) if 1e-38 < scale < 1e38 else np.float32(1e-30)
    itml = ITML().fit(X[ROWS], SAME)
    assert_allclose(
        itml.pair_distance((X[ROWS] * single).astype(np.float32)) / single, itml.pair_distance(X[ROWS]), rtol=1e-3
    )


def test_embeddings_of_images_and_of_single_numbers_are_rows():
    for reshape in (lambda A: plain(A).reshape(len(A), 2, 3), plain):
        found = cross_validate_pairs(reshape, ROWS, SAME, FOLD, preprocessor=X)["score"]
        assert_allclose(found, USES["pairs"](plain))
    found = cross_validate_pairs(lambda A: A[:, 0], ROWS, SAME, FOLD, preprocessor=X)["score"]
    assert_allclose(found, -np.abs(X[ROWS[:, 0], 0] - X[ROWS[:, 1], 0]))


@forms
def test_scores_of_retrieval_take_every_form(form):
    made = FORMS[form](X)
    for metric in ("euclidean", "cosine"):
        expected = retrieval_scores(X, CLASSES, X[::2], CLASSES[::2], metric=metric)
        found = retrieval_scores(made, CLASSES, FORMS[form](X[::2]), CLASSES[::2], metric=metric)
        assert_allclose(np.hstack(list(found.values())), np.hstack(list(expected.values())))
    assert mean_average_precision(made, CLASSES) == mean_average_precision(X, CLASSES)


class Twofold:
    """A metric of others that measures pairs itself."""

    def __init__(self, form):
        self.form = form

    def pair_distance(self, pairs):
        return self.form(np.abs(pairs[:, 0] - pairs[:, 1]).max(axis=1))


@forms
def test_distances_of_others_may_have_every_form(form):
    def make(d):
        return FORMS[form](d[:, None] if form == "nullable frame" or "sparse" in form else d)

    found = PairsClassifier(Twofold(make)).fit(X[ROWS], SAME).pair_distance(X[ROWS])
    assert_allclose(found, np.abs(X[ROWS[:, 0]] - X[ROWS[:, 1]]).max(axis=1))


@pytest.mark.parametrize("value", [np.uint8(3), np.float16(3), True, 3, np.array(3.0), np.array([3.0])])
def test_a_function_of_two_rows_may_return_any_number(value):
    def distance(u, v):
        return type(value)(np.abs(u - v).max() > 100) if np.isscalar(value) else value * (np.abs(u - v).max() > 100)

    expected = AAKNN(metric=lambda u, v: float(np.abs(u - v).max() > 100)).fit(X, Y).predict(X)
    assert_array_equal(AAKNN(metric=distance).fit(X, Y).predict(X), expected)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, None, "far", 1j, [1.0, 2.0]])
def test_a_function_that_returns_no_distance_is_named_whenever_it_does(wrong):
    def distance(u, v):
        return wrong if u[0] == X[7, 0] and v[0] == X[20, 0] else np.abs(u - v).sum()

    with pytest.raises(ValueError, match="distance.* returned"):
        AAKNN(metric=distance).fit(X, Y).predict(X)


@pytest.mark.parametrize("wrong", [lambda d: d[1:], lambda d: d * np.nan, lambda d: d + 1j, lambda d: np.c_[d, d]])
def test_wrong_scores_of_others_are_named(wrong):
    with pytest.raises(ValueError, match=r"Twofold\(\).pair_distance returned"):
        PairsClassifier(Twofold(wrong)).fit(X[ROWS], SAME)

    class Learner(BaseEstimator):
        def fit(self, pairs, y):
            return self

        def decision_function(self, pairs):
            return wrong(-np.abs(pairs[:, 0] - pairs[:, 1]).max(axis=1))

    with pytest.raises(ValueError, match=r"Learner\(\).decision_function returned"):
        cross_validate_pairs(Learner(), ROWS, SAME, FOLD, preprocessor=X)
    with pytest.raises(ValueError, match=r"Learner\(\).decision_function returned"):
        get_scorer("neg_equal_error_rate")(Learner(), X[ROWS], SAME)


# ------------------------------------------------------------------------------------------------
# Preprocessors are code of others too.

NAMES = np.array([f"img{i}" for i in range(48)])


def test_a_frame_with_names_is_looked_up_by_name_and_by_place():
    frame = pd.DataFrame(X, index=NAMES)
    expected = ITML().fit(X[ROWS], SAME)
    for indicators in (NAMES[ROWS], NAMES[ROWS].astype(object), ROWS, NAMES[ROWS].tolist()):
        for source in (frame, frame.astype("Int64"), frame.astype(np.uint8)):
            itml = ITML(preprocessor=source).fit(indicators, SAME)
            assert_allclose(itml.pair_distance(indicators), expected.pair_distance(X[ROWS]), rtol=1e-6)
    assert_allclose(ITML(preprocessor=frame).fit(NAMES[ROWS], SAME).transform(NAMES[:3]), expected.transform(X[:3]))
    found = cross_validate_pairs(None, NAMES[ROWS], SAME, FOLD, preprocessor=frame)["score"]
    assert_allclose(found, USES["pairs"](plain))


@pytest.mark.parametrize("form", ["uint8", "float16", "sparse matrix", "frame", "list", "object"])
def test_points_may_be_looked_up_in_every_form(form):
    expected = ITML().fit(X[ROWS], SAME).pair_distance(X[ROWS])
    itml = ITML(preprocessor=lambda rows: FORMS[form](X[rows])).fit(ROWS, SAME)
    assert_allclose(itml.pair_distance(ROWS), expected, rtol=1e-6)
    found = cross_validate_pairs(ITML(), ROWS, SAME, FOLD, preprocessor=FORMS[form](X))["score"]
    assert_allclose(found, cross_validate_pairs(ITML(), ROWS, SAME, FOLD, preprocessor=X)["score"], rtol=1e-6)


def test_indicators_that_name_no_point_are_named():
    frame = pd.DataFrame(X, index=NAMES)
    fitted = ITML(preprocessor=frame).fit(NAMES[ROWS], SAME)
    with pytest.raises(ValueError, match="'img99' is not in the index of preprocessor"):
        fitted.pair_distance([["img1", "img99"]])
    with pytest.raises(ValueError, match="has duplicate entries"):
        ITML(preprocessor=pd.DataFrame(X, index=["a"] * 48)).fit(NAMES[ROWS], SAME)
    for wrong in ([[0, -1]], [[0, 48]]):
        with pytest.raises(ValueError, match="preprocessor has 48 points, counted from 0"):
            fitted.pair_distance(wrong)
    with pytest.raises(ValueError, match="must be integers, .* got 'img.* give a function or a data frame"):
        ITML(preprocessor=X).fit(NAMES[ROWS], SAME)
    for wrong in (np.array([[0, "a"], [1, None]], object), [[{}, {}]]):
        with pytest.raises(ValueError, match="indicators"):
            fitted.pair_distance(wrong)


# ------------------------------------------------------------------------------------------------
# Modules: `get_metric` is `pair_distance` whatever they are.


class Loud(nn.Dropout):
    def forward(self, x):
        return 3 * x


class Shifted(nn.Linear):
    def forward(self, x):
        return super().forward(x).abs()


class Tripled(nn.Sequential):
    def forward(self, x):
        return 3 * super().forward(x)


class Buffered(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.0, 10.0]))
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x) * self.scale


class Ours(networks.MLP):
    def forward(self, x):
        return super().forward(x) ** 2


def chain():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def hooked(module, part=None):
    (module if part is None else module[part]).register_forward_hook(lambda m, args, z: 10 * z)
    return module


def hooked_before(module):
    module.register_forward_pre_hook(lambda m, args: (args[0] * 5,))
    return module


def patched(module):
    module.forward = MethodType(lambda self, x: 7 * nn.Sequential.forward(self, x), module)
    return module


MODULES = {
    "plain": chain,
    "perceptron": lambda: networks.mlp(4, 2, hidden=(8,), normalize=True),
    "hook": lambda: hooked(chain()),
    "hook within": lambda: hooked(chain(), 0),
    "hook on a function": lambda: hooked(chain(), 1),
    "hook on a perceptron": lambda: hooked(networks.mlp(4, 2)),
    "hook before": lambda: hooked_before(chain()),
    "forward of its own": lambda: patched(chain()),
    "subclass of Sequential": lambda: Tripled(nn.Linear(4, 2)),
    "subclass of Linear": lambda: nn.Sequential(Shifted(4, 2)),
    "subclass of Dropout": lambda: nn.Sequential(nn.Linear(4, 2), Loud()),
    "subclass of ours": lambda: Ours(nn.Linear(4, 2)),
    "within a subclass": lambda: nn.Sequential(Tripled(nn.Linear(4, 4)), nn.Linear(4, 2)),
    "buffers": Buffered,
    "parametrised": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))),
    "in place": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2)),
    "another GELU": lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU("tanh"), nn.Linear(8, 2)),
    "normalised": lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)),
    "no bias": lambda: nn.Sequential(nn.Linear(4, 2, bias=False), nn.Sigmoid(), nn.Dropout(0.5)),
    "ensemble": lambda: networks.Ensemble([chain(), hooked(chain())]),
    "skip": lambda: networks.Skip(chain(), torch.zeros(4), torch.tensor(0.5)),
}


def assert_metric_is_distance(learner):
    points, _ = tiny_points()
    metric = learner.get_metric()
    pairs = points[:12].reshape(6, 2, 4)
    assert_allclose([metric(u, v) for u, v in pairs], learner.pair_distance(pairs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", MODULES)
def test_get_metric_is_the_distance_of_any_module(kind):
    net = EmbeddingNet(module=MODULES[kind](), max_epochs=1, random_state=0, device="cpu").fit(*tiny_points())
    assert_metric_is_distance(net)


def test_get_metric_sees_a_hook_for_all_modules():
    net = EmbeddingNet(module=chain(), max_epochs=1, random_state=0, device="cpu").fit(*tiny_points())
    handle = nn.modules.module.register_module_forward_hook(lambda m, args, z: z * 2)
    try:
        assert_metric_is_distance(net)
    finally:
        handle.remove()


WITHOUT_TORCH = """
import pickle, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "skorch"):
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Missing())
"""
LOAD = (
    WITHOUT_TORCH
    + """
import numpy as np
for name, metric, pairs, expected in pickle.load(open(sys.argv[1], "rb")):
    np.testing.assert_allclose([metric(u, v) for u, v in pairs], expected, rtol=1e-4, atol=1e-6, err_msg=name)
"""
)
USE = (
    WITHOUT_TORCH
    + """
import numpy as np
from metricnets import AAKNN, ITML, MLKNN, LDA, PairsClassifier, SourceOnly, metrics, protocols
X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
pairs, same = X[np.arange(40).reshape(20, 2)], np.arange(20) % 2
for model in (MLKNN(n_neighbors=3), AAKNN(n_neighbors=3), SourceOnly(), MLKNN(n_neighbors=3, metric=LDA())):
    model.fit(X, y).predict(X)
PairsClassifier(LDA().fit(X, y)).fit(pairs, same).predict(pairs)
protocols.cross_validate_pairs(ITML(), pairs, same, np.arange(20) // 10)
protocols.gallery_probe(LDA(), X, np.arange(40) % 5, np.arange(40) < 20, [([0, 1], [2, 3, 4])])
protocols.transfer(LDA(), X, y, np.arange(40) < 20)
protocols.multilabel_split(MLKNN(n_neighbors=3), X, np.c_[y, 1 - y], np.arange(20), np.arange(20, 40))
for name in metrics.__all__:
    getattr(metrics, name)
"""
)


def test_distances_of_every_learner_load_where_pytorch_is_missing(tmp_path):
    points, _ = tiny_points()
    pairs, found = points[:8].reshape(4, 2, 4), []
    for name in METRICS:
        learner = quick(name).fit(*training_data(name))
        found.append((name, learner.get_metric(), pairs, learner.pair_distance(pairs)))
    networks_of_parts = ("DDML", {"n_networks": 2}), ("HRAML", {"n_networks": 2, "skip": 1.0, "init": "glorot"})
    for name, params in networks_of_parts:
        if set(params) <= set(ESTIMATORS[name]._get_param_names()):
            learner = quick(name, **params).fit(*training_data(name))
            found.append((name, learner.get_metric(), pairs, learner.pair_distance(pairs)))
    (tmp_path / "metrics").write_bytes(pickle.dumps(found))
    subprocess.run([sys.executable, "-W", "ignore", "-c", LOAD, str(tmp_path / "metrics")], check=True)


def test_predictors_scores_and_protocols_need_no_pytorch():
    subprocess.run([sys.executable, "-W", "ignore", "-c", USE], check=True)


def test_foreign_predictors_get_numbers_that_do_not_wrap_around():
    bytes_ = lambda A: A.astype(np.uint8)  # noqa: E731
    predictor = KNeighborsClassifier(1, algorithm="brute")
    for estimator in (bytes_, Foreign(bytes_)):
        assert_array_equal(
            transfer(estimator, X, ROWS[:48, 0] % 2, DOMAIN, predictor=predictor)["test_accuracy"],
            transfer(None, X, ROWS[:48, 0] % 2, DOMAIN, predictor=predictor)["test_accuracy"],
        )


@pytest.mark.parametrize("name", [name for name in POINT_LEARNERS if getattr(ESTIMATORS[name], "_by_blocks", False)])
def test_linear_learners_take_tensors(name):
    X, y = tiny_points()
    expected, found = quick(name).fit(X, y), quick(name).fit(torch.from_numpy(X), torch.from_numpy(y))
    assert_array_equal(found.transform(torch.from_numpy(X)), expected.transform(X))


def test_predictors_within_others_keep_the_names_of_features():
    X, y = tiny_points()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = SourceOnly().fit(frame, np.where(y == 2, -1, y))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("badc")])
    assert not hasattr(SourceOnly().fit(X, y), "feature_names_in_")
