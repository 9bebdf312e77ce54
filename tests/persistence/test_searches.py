"""Searches of scikit-learn in files: the same results, and the same scorer, which is made of its name."""

import numpy as np
import pytest
from discovery import tiny_points
from saved_files import read, write
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from metricnets import LDA, load, save
from metricnets.exceptions import SavedFileError

X, CLASSES = tiny_points(seed=1)
KNN = make_pipeline(LDA(), KNeighborsClassifier(3))
GRID = {"lda__n_components": [1, 2], "kneighborsclassifier": [KNeighborsClassifier(k) for k in (1, 3)]}
SEARCHES = {
    "the score of the estimator": GridSearchCV(KNN, GRID, cv=2),
    "a scorer": RandomizedSearchCV(KNN, GRID, n_iter=2, scoring="neg_log_loss", random_state=0, cv=KFold(2)),
    "two scorers": GridSearchCV(KNN, GRID, scoring=["accuracy", "f1_macro"], refit="f1_macro", cv=2),
    "halving": HalvingGridSearchCV(KNN, GRID, factor=2, min_resources=30, random_state=0, cv=StratifiedKFold(2)),
    "without a fit in the end": GridSearchCV(KNN, GRID, refit=False, cv=2),
}


@pytest.fixture
def again(tmp_path):
    def again(search):
        save(search, tmp_path / "file")
        return load(tmp_path / "file")

    return again


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_search_is_the_same_after_a_file(kind, again):
    search = clone(again(SEARCHES[kind])).fit(X, CLASSES)
    loaded = again(search)
    assert repr(loaded.cv_results_) == repr(search.cv_results_)
    assert repr(loaded.scorer_) == repr(search.scorer_)
    assert vars(loaded).keys() == vars(search).keys()
    if search.refit:
        np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
        assert loaded.score(X, CLASSES) == search.score(X, CLASSES)
    assert repr(loaded.fit(X, CLASSES).best_params_) == repr(search.best_params_)


@pytest.mark.parametrize(
    ("scoring", "why"),
    [
        ({"name": "numpy.log"}, "the scorer of a search has no name"),
        ({"dict": {"a": "accuracy"}}, "the scorer of a search has no name"),
        ({"list": [1]}, "the scorer of a search has no name"),
        ("nothing", "'nothing' is not a valid scoring value|'scoring' parameter"),
    ],
)
def test_another_scorer_is_refused(scoring, why, tmp_path):
    save(GridSearchCV(LDA(), {}), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"] |= {"scorer_": None, "scoring": scoring}
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match=why):
        load(tmp_path / "file")


def test_a_mask_that_does_not_belong_to_its_array_is_refused(tmp_path):
    save(LDA(preprocessor=np.ma.array([1.0, 2.0], mask=[True, False])), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    mask = next(name for name, array in arrays.items() if array.dtype == bool)
    for wrong in (np.ones(1, bool), np.ones(2), np.ones((2, 1), bool)):
        write(tmp_path / "file", content, arrays | {mask: wrong})
        with pytest.raises(SavedFileError, match="whose mask does not belong to it"):
            load(tmp_path / "file")
