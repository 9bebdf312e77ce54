"""What metric-learn's documentation shows, with another name in the import and nothing else changed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import metric_learn
from metricnets.metric_learn import (
    ITML,
    LFDA,
    LMNN,
    LSML,
    MLKR,
    MMC,
    NCA,
    RCA,
    SCML,
    SDML,
    Constraints,
    Covariance,
    ITML_Supervised,
    LSML_Supervised,
    MMC_Supervised,
    RCA_Supervised,
    SCML_Supervised,
    SDML_Supervised,
)

IRIS, SPECIES = load_iris(return_X_y=True)

# ------------------------------------------------------------------------------------------------
# First pages.


def test_getting_started():
    model = make_pipeline(LMNN(n_neighbors=5, learn_rate=1e-6), KNeighborsClassifier())
    assert cross_val_score(model, IRIS, SPECIES).mean() > 0.93


def test_a_metric_in_a_pipeline_with_a_grid():
    model = make_pipeline(StandardScaler(), NCA(random_state=0), KNeighborsClassifier())
    search = GridSearchCV(model, {"nca__n_components": [1, 2], "kneighborsclassifier__n_neighbors": [1, 5]}, cv=3)
    assert search.fit(IRIS, SPECIES).best_score_ > 0.93


# ------------------------------------------------------------------------------------------------
# Supervised learners: the general API.

ANIMALS = np.array([[2.0, 3.5], [0.4, 0.3], [6.5, 2.2]])
KINDS = np.array(["dog", "cat", "dog"])
NEW_PAIRS = [[[3.4, 3.5], [5.5, 2.5]], [[1.1, 4.1], [2.2, 6.3]], [[3.2, 7.7], [10.8, 0.2]]]


def test_supervised_fit_and_transform():
    nca = NCA(random_state=42)
    assert nca.fit(ANIMALS, KINDS) is nca
    embedded = nca.transform(np.array([[9.3, 4.0], [2.2, 4.3]]))
    assert_allclose(embedded, [[9.3, 4.0], [2.2, 4.3]] @ nca.components_.T)
    dog, cat, other_dog = nca.transform(ANIMALS)
    assert np.linalg.norm(dog - other_dog) < np.linalg.norm(dog - cat)


def test_supervised_distances_scores_and_metric():
    nca = NCA(random_state=42).fit(ANIMALS, KINDS)
    distances, scores = nca.pair_distance(NEW_PAIRS), nca.pair_score(NEW_PAIRS)
    assert distances.shape == (3,)
    assert_array_equal(scores, -distances)
    metric_fun = nca.get_metric()
    assert_allclose([metric_fun(u, v) for u, v in NEW_PAIRS], distances)
    u, v = np.array(NEW_PAIRS[0])
    assert_allclose(distances[0] ** 2, (u - v) @ nca.get_mahalanobis_matrix() @ (u - v))


def test_supervised_metric_for_neighbours():
    nca = NCA(random_state=42).fit(IRIS, SPECIES)
    slow = KNeighborsClassifier(metric=nca.get_metric()).fit(IRIS, SPECIES)
    fast = KNeighborsClassifier().fit(nca.transform(IRIS), SPECIES)
    assert_array_equal(slow.predict(IRIS[::10]), fast.predict(nca.transform(IRIS[::10])))


# ------------------------------------------------------------------------------------------------
# Supervised learners: one example each.

SUPERVISED = {
    "LMNN": lambda: LMNN(n_neighbors=5, learn_rate=1e-6),
    "NCA": lambda: NCA(max_iter=1000),
    "LFDA": lambda: LFDA(k=2, n_components=2),
    "MMC": lambda: MMC_Supervised(n_constraints=200),
    "ITML": lambda: ITML_Supervised(n_constraints=200),
    "SDML": lambda: SDML_Supervised(n_constraints=200),
    "LSML": lambda: LSML_Supervised(n_constraints=200),
    "SCML": lambda: SCML_Supervised(random_state=0),
    "RCA": lambda: RCA_Supervised(n_chunks=30, chunk_size=2),
}


@pytest.mark.parametrize("example", SUPERVISED.values(), ids=SUPERVISED)
def test_supervised_algorithms_on_iris(example):
    learner = example().fit(IRIS, SPECIES)
    embedded = learner.transform(IRIS)
    assert KNeighborsClassifier(3).fit(embedded[::2], SPECIES[::2]).score(embedded[1::2], SPECIES[1::2]) > 0.9


def test_mlkr_learns_from_real_targets():
    learner = MLKR().fit(IRIS, SPECIES)
    embedded = learner.transform(IRIS)
    assert KNeighborsRegressor(3).fit(embedded[::2], SPECIES[::2]).score(embedded[1::2], SPECIES[1::2]) > 0.9


# ------------------------------------------------------------------------------------------------
# Weakly supervised learners: the general API.

POINTS = np.array(
    [[-1.2, 1.0], [-0.8, 2.1], [-1.1, 3.2], [1.0, 0.9], [1.2, 2.2], [0.8, 3.0]]
)  # alike: the first number
ROWS_OF_PAIRS = np.array([[0, 1], [1, 2], [3, 5], [4, 5], [0, 3], [1, 4], [2, 5], [2, 3]])
ALIKE = np.array([1, 1, 1, 1, -1, -1, -1, -1])


def test_pairs_are_an_array_of_three_dimensions():
    pairs = POINTS[ROWS_OF_PAIRS]
    assert pairs.shape == (8, 2, 2)
    mmc = MMC(random_state=42).fit(pairs, ALIKE)
    assert_array_equal(mmc.predict(pairs), ALIKE)


def test_pairs_are_indices_with_a_preprocessor():
    by_index = MMC(preprocessor=POINTS, random_state=42).fit(ROWS_OF_PAIRS, ALIKE)
    formed = MMC(random_state=42).fit(POINTS[ROWS_OF_PAIRS], ALIKE)
    assert_array_equal(by_index.components_, formed.components_)
    assert_array_equal(by_index.predict(ROWS_OF_PAIRS), formed.predict(POINTS[ROWS_OF_PAIRS]))


def test_weakly_supervised_transform_and_distances():
    mmc = MMC(random_state=42).fit(POINTS[ROWS_OF_PAIRS], ALIKE)
    assert mmc.transform(POINTS).shape == (6, 2)
    near, far = mmc.pair_distance([[[1.0, 9.0], [1.0, 2.0]], [[1.0, 9.0], [4.0, 9.0]]])
    assert near < far
    assert_array_equal(mmc.pair_score(NEW_PAIRS), -mmc.pair_distance(NEW_PAIRS))
    assert mmc.get_metric()([1.0, 9.0], [4.0, 9.0]) == pytest.approx(far)
    assert mmc.get_mahalanobis_matrix().shape == (2, 2)


def many_pairs():
    rows = np.random.default_rng(0).integers(150, size=(200, 2))
    return rows, np.where(SPECIES[rows[:, 0]] == SPECIES[rows[:, 1]], 1, -1)


def test_pairs_are_split_and_cross_validated_like_points():
    rows, labels = many_pairs()
    train, test, y_train, y_test = train_test_split(IRIS[rows], labels, random_state=42)
    mmc = MMC(random_state=42).fit(train, y_train)
    assert mmc.score(test, y_test) > 0.9  # area under the ROC curve
    assert np.mean(mmc.predict(test) == y_test) > 0.85
    assert cross_val_score(MMC(random_state=42), train, y_train, scoring="f1").mean() > 0.8


def test_pairs_as_indices_are_split_so_too():
    train, test, y_train, y_test = train_test_split(*many_pairs(), random_state=42)
    assert cross_val_score(ITML(preprocessor=IRIS), train, y_train).mean() > 0.9
    assert ITML(preprocessor=IRIS).fit(train, y_train).score(test, y_test) > 0.9


# ------------------------------------------------------------------------------------------------
# Pairs: predictions and the threshold.


def test_a_threshold_is_calibrated_by_fit():
    rows, labels = many_pairs()
    itml = ITML().fit(IRIS[rows], labels)
    assert_array_equal(itml.predict(IRIS[rows]), np.where(itml.pair_distance(IRIS[rows]) <= itml.threshold_, 1, -1))
    strict = ITML().fit(IRIS[rows], labels, calibration_params={"strategy": "f_beta", "beta": 0.1})
    assert strict.threshold_ <= itml.threshold_


def test_a_threshold_is_calibrated_on_other_pairs():
    rows, labels = many_pairs()
    itml = ITML().fit(IRIS[rows[:100]], labels[:100])
    itml.calibrate_threshold(IRIS[rows[100:]], labels[100:], strategy="max_tpr", min_rate=0.95)
    rejected = itml.predict(IRIS[rows[100:]]) == -1
    assert rejected[labels[100:] == -1].mean() >= 0.95


def test_a_threshold_is_set_by_hand():
    rows, labels = many_pairs()
    itml = ITML().fit(IRIS[rows], labels)
    assert (itml.set_threshold(1e9).predict(IRIS[rows]) == 1).all()
    assert_array_equal(itml.decision_function(IRIS[rows]), itml.pair_score(IRIS[rows]))


PAIRS = [
    [[1.1, 7.4], [1.2, 1.6]],
    [[6.3, 2.5], [6.1, 9.6]],
    [[1.2, 4.4], [3.3, 4.5]],
    [[6.1, 5.6], [5.2, 5.5]],
]
FROM_PAIRS = {"MMC": MMC, "ITML": ITML, "SDML": lambda: SDML(balance_param=0.1)}


@pytest.mark.parametrize("learner", FROM_PAIRS.values(), ids=FROM_PAIRS)
def test_pairs_that_agree_in_the_first_number_are_near(learner):
    learner = learner().fit(PAIRS, [1, 1, -1, -1])
    same_first, same_second = learner.pair_distance([[[2.0, 3.0], [2.0, 4.0]], [[2.0, 3.0], [3.0, 3.0]]])
    assert same_first < same_second


def test_rca_learns_from_chunks():
    points = [
        [-0.06, 3.1],
        [0.04, -2.9],
        [0.11, -3.5],
        [-0.09, 3.6],
        [-0.96, -0.1],
        [1.04, 0.1],
        [0.4, 5.1],
        [-0.4, -5.1],
    ]

    def within(z):
        return np.cov(np.vstack([z[i : i + 2] - z[i : i + 2].mean(axis=0) for i in (0, 2, 4)]).T, ddof=0)

    chunks = np.array([0, 0, 1, 1, 2, 2, -1, -1])
    with pytest.warns(UserWarning, match="3 degrees of freedom"):  # too few to invert their covariance as it is
        rca = RCA().fit(points, chunks)
    assert np.linalg.cond(within(rca.transform(points))) < np.linalg.cond(within(np.array(points))) / 2
    rca = RCA().fit(points * 2, [*chunks, *np.where(chunks < 0, -1, chunks + 3)])
    assert_allclose(within(rca.transform(points)), np.eye(2), atol=1e-9)  # the chunks are white


# ------------------------------------------------------------------------------------------------
# Triplets and quadruplets.

TRIPLETS = [
    [[1.1, 7.4], [1.2, 1.6], [6.1, 9.6]],
    [[1.2, 4.4], [3.3, 4.5], [5.2, 5.5]],
    [[3.1, 7.4], [3.2, 1.6], [8.3, 9.6]],
    [[3.2, 4.4], [5.3, 4.5], [7.3, 5.5]],
]


def test_scml_learns_from_triplets():
    scml = SCML(random_state=42).fit(np.array(TRIPLETS))
    assert_array_equal(scml.predict(TRIPLETS), 1)
    assert scml.score(TRIPLETS) == 1.0
    assert_array_equal(scml.predict(np.array(TRIPLETS)[:, [0, 2, 1]]), -1)
    by_index = SCML(random_state=42, preprocessor=np.reshape(TRIPLETS, (12, 2))).fit(np.arange(12).reshape(4, 3))
    assert_array_equal(by_index.components_, scml.components_)


QUADRUPLETS = [
    [[1.1, 7.4], [1.2, 1.6], [6.3, 2.5], [6.1, 9.6]],
    [[1.2, 4.4], [3.3, 4.5], [6.1, 5.6], [5.2, 5.5]],
    [[3.1, 7.4], [3.2, 1.6], [8.2, 2.5], [8.3, 9.6]],
    [[3.2, 4.4], [5.3, 4.5], [8.1, 5.6], [7.3, 5.5]],
]


def test_lsml_learns_from_quadruplets():
    lsml = LSML(random_state=42).fit(QUADRUPLETS)
    assert set(lsml.predict(QUADRUPLETS)) <= {-1.0, 0.0, 1.0}
    assert lsml.score(QUADRUPLETS) == np.mean(lsml.predict(QUADRUPLETS)) / 2 + 0.5
    assert_array_equal(lsml.decision_function(QUADRUPLETS) > 0, lsml.predict(QUADRUPLETS) > 0)


# ------------------------------------------------------------------------------------------------
# Preprocessors.


def test_an_array_as_preprocessor():
    nca = NCA(preprocessor=IRIS).fit(np.arange(150), SPECIES)
    assert_array_equal(nca.transform([3, 7]), nca.transform(IRIS[[3, 7]]))
    assert_array_equal(nca.pair_distance([[3, 7]]), nca.pair_distance(IRIS[[[3, 7]]]))


def test_a_function_that_reads_files_as_preprocessor(tmp_path):
    for row, point in enumerate(POINTS):
        np.savetxt(tmp_path / f"{row}.txt", point)

    def find_points(paths):
        return np.array([np.loadtxt(path) for path in paths])

    names = np.array([str(tmp_path / f"{row}.txt") for row in range(6)])
    itml = ITML(preprocessor=find_points).fit(names[ROWS_OF_PAIRS], ALIKE)
    assert_array_equal(itml.components_, ITML().fit(POINTS[ROWS_OF_PAIRS], ALIKE).components_)
    assert_array_equal(itml.transform(names), itml.transform(POINTS))


# ------------------------------------------------------------------------------------------------
# Unsupervised.


def test_covariance_makes_points_white():
    embedded = Covariance().fit(IRIS).transform(IRIS)
    assert_allclose(np.cov(embedded, rowvar=False), np.eye(4), atol=1e-9)


# ------------------------------------------------------------------------------------------------
# The gallery, without its pictures.

GALLERY = {
    "LMNN": lambda: LMNN(n_neighbors=5, learn_rate=1e-6),
    "ITML": lambda: ITML_Supervised(random_state=42),
    "MMC": lambda: MMC_Supervised(random_state=42),
    "SDML": lambda: SDML_Supervised(sparsity_param=0.1, balance_param=0.0015, prior="covariance", random_state=42),
    "LSML": lambda: LSML_Supervised(tol=0.0001, max_iter=10000, prior="covariance", random_state=42),
    "NCA": lambda: NCA(max_iter=1000),
    "LFDA": lambda: LFDA(k=2, n_components=2),
    "RCA": lambda: RCA_Supervised(n_chunks=30, chunk_size=2, random_state=42),
}


@pytest.fixture(scope="module")
def classes_of_unequal_scale():
    return make_classification(
        n_samples=100,
        n_classes=3,
        n_clusters_per_class=2,
        n_informative=3,
        class_sep=4.0,
        n_features=5,
        n_redundant=0,
        scale=[1, 1, 20, 20, 20],
        random_state=42,
    )


@pytest.mark.parametrize("example", GALLERY.values(), ids=GALLERY)
def test_the_gallery_keeps_classes_together(example, classes_of_unequal_scale):
    X, y = classes_of_unequal_scale
    embedded = example().fit_transform(X, y)
    assert np.isfinite(embedded).all()
    before, after = (cross_val_score(KNeighborsClassifier(3), points, y, cv=5).mean() for points in (X, embedded))
    assert after > before - 0.03


def test_the_gallery_of_regression():
    X, y = make_regression(n_samples=100, n_features=5, n_informative=2, random_state=42)
    X[:, np.argsort(np.abs(np.corrcoef(X.T, y)[-1, :-1]))[:3]] *= 10  # what says nothing is loud
    embedded = MLKR(random_state=42).fit_transform(X, y)
    raw, learned = (cross_val_score(KNeighborsRegressor(5), points, y, cv=5).mean() for points in (X, embedded))
    assert learned > raw + 0.2


def test_constraints_drawn_by_hand_are_those_of_the_supervised_learner():
    a, b, c, d = Constraints(SPECIES).positive_negative_pairs(n_constraints=100, random_state=42)
    pairs = np.vstack([np.column_stack([a, b]), np.column_stack([c, d])])
    labels = np.repeat([1, -1], [len(a), len(c)])
    by_hand = ITML(preprocessor=IRIS).fit(pairs, labels)
    supervised = ITML_Supervised(n_constraints=100, random_state=42).fit(IRIS, SPECIES)
    assert_array_equal(by_hand.components_, supervised.components_)


@pytest.fixture(scope="module")
def sandwich():
    """Layers of two classes in turns, wide and near one another: the Euclidean metric mixes them."""
    rng = np.random.default_rng(0)
    layer = np.repeat(np.arange(6), 30)
    return np.column_stack([rng.uniform(-6, 6, 180), rng.normal(0.7 * layer, 0.05)]), layer % 2


def same_class_neighbours(points, y):
    return np.mean(y[KNeighborsClassifier(3).fit(points, y).kneighbors(return_distance=False)] == y[:, None])


SANDWICH = {
    "LMNN": lambda: LMNN(),
    "ITML": lambda: ITML_Supervised(n_constraints=200, random_state=0),
    "SDML": lambda: SDML_Supervised(n_constraints=200, balance_param=0.001, random_state=0),
    "LSML": lambda: LSML_Supervised(n_constraints=200, random_state=0),
    "NCA": lambda: NCA(random_state=0),
}


@pytest.mark.parametrize("example", SANDWICH.values(), ids=SANDWICH)
def test_the_layers_of_the_sandwich_come_apart(example, sandwich):
    X, y = sandwich
    embedded = example().fit(X, y).transform(X)
    assert embedded.shape == X.shape
    if example is not SANDWICH["SDML"]:  # which moves them apart in metric-learn as little as here
        assert same_class_neighbours(embedded, y) > same_class_neighbours(X, y) + 0.02


def test_clusters_of_embedded_points():
    embedded = LFDA(n_components=2).fit_transform(IRIS, SPECIES)
    found = KMeans(3, n_init=5, random_state=0).fit_predict(embedded)
    assert adjusted_rand_score(SPECIES, found) > 0.7


def test_the_version_is_there():
    assert isinstance(metric_learn.__version__, str)
