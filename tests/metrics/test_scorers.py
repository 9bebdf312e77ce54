"""Scorers in searches and cross-validation."""

import pickle

import numpy as np
import pytest
from discovery import needs_torch
from joblib import parallel_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import ITML, LDA
from metricnets import metrics as scores
from metricnets.metrics import get_scorer, get_scorer_names

RETRIEVAL = ["map_at_r", "mean_average_precision", "precision_at_1", "r_precision"]
MULTILABEL = ["neg_coverage", "neg_hamming_loss", "neg_one_error", "neg_ranking_loss"]
DISTRIBUTION = ["cosine", "intersection", "neg_canberra", "neg_chebyshev", "neg_clark", "neg_kullback_leibler"]


def label_sets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X @ rng.normal(size=(4, 3)) > 0).astype(int)


class Softmax(RegressorMixin, BaseEstimator):
    """A prediction that is a distribution."""

    def fit(self, X, Y):
        self.model_ = LinearRegression().fit(X, np.log(Y))
        return self

    def predict(self, X):
        p = np.exp(self.model_.predict(X))
        return p / p.sum(axis=1, keepdims=True)


def test_names_are_listed_and_the_scorers_picklable():
    names = get_scorer_names()
    known = {*RETRIEVAL, *MULTILABEL, *DISTRIBUTION, "neg_equal_error_rate", "label_ranking_average_precision"}
    assert names == sorted(known)
    for name in names:
        assert repr(pickle.loads(pickle.dumps(get_scorer(name)))) == repr(get_scorer(name))
    assert get_scorer("accuracy") is not None
    with pytest.raises(ValueError, match="name='map_at_q' is unknown; use one of .*map_at_r"):
        get_scorer("map_at_q")


@pytest.mark.parametrize("name", RETRIEVAL)
def test_an_embedding_is_scored_among_the_held_out_rows(name, points):
    X, y = points
    lda = LDA().fit(X, y)
    expected = getattr(scores, {"precision_at_1": "precision_at_k"}.get(name, name))(lda.transform(X), y)
    assert get_scorer(name)(lda, X, y) == expected
    pipeline = make_pipeline(StandardScaler(), LDA())
    assert (cross_val_score(pipeline, X, y, scoring=get_scorer(name), cv=3) > 0.3).all()


@pytest.mark.parametrize("name", RETRIEVAL)
def test_held_out_rows_of_one_class_score_nothing(name, points):
    X, y = points
    lda = LDA().fit(X, y)
    with pytest.raises(ValueError, match="held-out rows are of one class.*StratifiedKFold"):
        float(get_scorer(name)(lda, X[y == y[0]], y[y == y[0]]))
    with pytest.raises(ValueError, match="held-out rows are of a class each.*StratifiedKFold"):
        float(get_scorer(name)(lda, X, np.arange(45)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12 and newer
@pytest.mark.parametrize(("name", "n_jobs"), [*((name, None) for name in RETRIEVAL), ("map_at_r", 2)])
def test_a_search_of_sorted_classes_ends_with_one_error(name, n_jobs, points):
    X, y = points[0][np.argsort(points[1])], np.sort(points[1])
    scorer, message = get_scorer(name), "held-out rows are of one class.*give cv=StratifiedKFold"
    with parallel_config(backend="multiprocessing"):  # forks, which start much faster than loky's processes
        for scoring, refit in ((scorer, True), ({"a": scorer, "b": scorer}, "a")):
            search = GridSearchCV(LDA(), {"n_components": [1, 2]}, scoring=scoring, refit=refit, cv=3, n_jobs=n_jobs)
            with pytest.raises(ValueError, match=message):
                search.fit(X, y)
        for cross in (cross_val_score, cross_validate):
            with pytest.raises(ValueError, match=message):
                cross(LDA(), X, y, scoring=scorer, cv=3, n_jobs=n_jobs)
    assert (cross_val_score(LDA(), X, y, scoring=scorer, cv=StratifiedKFold(3)) > 0.3).all()


def test_a_search_in_two_processes(points):
    grid = {"n_components": [1, 2]}
    search = GridSearchCV(LDA(), grid, scoring=get_scorer("map_at_r"), cv=3, n_jobs=2).fit(*points)
    alone = GridSearchCV(LDA(), grid, scoring=get_scorer("map_at_r"), cv=3).fit(*points)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@needs_torch
def test_a_search_over_a_deep_metric(points):
    from metricnets import DDML

    ddml = DDML(max_epochs=1, hidden=(8,), early_stopping=False, random_state=0)
    scoring = {name: get_scorer(name) for name in RETRIEVAL}
    search = GridSearchCV(ddml, {"n_components": [2, 4]}, scoring=scoring, refit="map_at_r", cv=2).fit(*points)
    assert search.best_score_ == search.cv_results_["mean_test_map_at_r"].max() > 0.3


@pytest.mark.parametrize("model", [KNeighborsClassifier(5), RandomForestClassifier(10, random_state=0)])
def test_probabilities_may_be_a_table_for_each_label(model):
    X, Y = label_sets()
    model.fit(X, Y)
    p = np.column_stack([table[:, 1] for table in model.predict_proba(X)])
    assert get_scorer("neg_one_error")(model, X, Y) == -scores.one_error(Y, p)
    assert get_scorer("label_ranking_average_precision")(model, X, Y) == scores.average_precision(Y, p)
    assert get_scorer("neg_hamming_loss")(model, X, Y) == -np.mean(model.predict(X) != Y)


def test_a_label_that_no_training_row_has_is_not_predicted():
    X, Y = label_sets()
    Y[:, 0] = 0
    model = KNeighborsClassifier(5).fit(X, Y)
    Y[:, 0] = Y.any(axis=1)
    p = np.column_stack([np.zeros(60), *(table[:, 1] for table in model.predict_proba(X)[1:])])
    assert get_scorer("neg_ranking_loss")(model, X, Y) == -scores.ranking_loss(Y, p)


def test_several_scores_of_label_sets_in_a_search():
    scoring = {name: get_scorer(name) for name in (*MULTILABEL, "label_ranking_average_precision")}
    model = GridSearchCV(
        KNeighborsClassifier(), {"n_neighbors": [1, 7]}, scoring=scoring, refit="neg_ranking_loss", cv=3
    )
    results = model.fit(*label_sets()).cv_results_
    assert model.best_params_ == {"n_neighbors": 7}
    for name in MULTILABEL:
        assert (results[f"mean_test_{name}"] <= 0).all()


def test_predicted_distributions_are_scored():
    X, _ = label_sets()
    Y = np.exp(X[:, :3]) / np.exp(X[:, :3]).sum(axis=1, keepdims=True)
    found = cross_validate(Softmax(), X, Y, scoring={name: get_scorer(name) for name in DISTRIBUTION}, cv=3)
    for name in DISTRIBUTION:
        np.testing.assert_allclose(found[f"test_{name}"], not name.startswith("neg"), atol=1e-6)


def test_pairs_are_scored_by_their_similarity(pairs):
    X, y = pairs
    itml = ITML().fit(X, y)
    s = itml.decision_function(X)
    assert get_scorer("neg_equal_error_rate")(itml, X, y) == -scores.equal_error_rate(y, s)
    assert get_scorer("roc_auc")(itml, X, y) == roc_auc_score(y, s)
    scoring = {name: get_scorer(name) for name in ("neg_equal_error_rate", "roc_auc")}
    search = GridSearchCV(ITML(), {"gamma": [0.1, 10.0]}, scoring=scoring, refit="neg_equal_error_rate", cv=3)
    assert -1 <= search.fit(X, y).best_score_ <= 0
