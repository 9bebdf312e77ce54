"""negative_transfer: against what one does by hand, with label sets and pipelines, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from discovery import quick, tiny_tasks
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets.protocols import negative_transfer
from metricnets.protocols._negative_transfer import folds

X, Y = tiny_tasks()
KNOWN = ~np.isnan(Y)


def test_on_test_data_it_is_what_one_does_by_hand():
    net, train = quick("MultiTaskNet"), np.arange(45) < 30
    found = negative_transfer(net, X[train], Y[train], X_test=X[~train], y_test=Y[~train])
    multi = net.fit(X[train], Y[train]).predict(X[~train]) == Y[~train]
    for t in range(2):
        rows, judged = train & KNOWN[:, t], KNOWN[~train, t]
        single = quick("MultiTaskNet").fit(X[rows], Y[rows, t]).predict(X[~train]) == Y[~train, t]
        assert found["n_samples"][t] == rows.sum()
        assert found["multi_task"][t] == pytest.approx(multi[judged, t].mean())
        assert found["single_task"][t] == pytest.approx(single[judged].mean())
        difference = multi[judged, t] * 1.0 - single[judged]
        assert found["difference"][t] == pytest.approx(difference.mean())
        assert found["standard_error"][t] == pytest.approx(difference.std() / judged.sum() ** 0.5)


def test_folds_have_samples_of_all_kinds():
    codes = np.repeat([[0, -1], [1, 0], [-1, 1]], 6, axis=0)
    fold = folds(codes, 3, np.random.default_rng(0))
    for kind in range(3):
        assert np.bincount(fold[6 * kind : 6 * kind + 6]).tolist() == [2, 2, 2]


def test_by_cross_validation_of_a_pipeline_with_a_label_set():
    frame = pd.DataFrame({"kind": Y[:, 0], "p": X[:, 0] > 0, "q": X[:, 1] > 0}).astype({"p": int, "q": int})
    pipeline = make_pipeline(StandardScaler(), quick("MultiTaskNet", label_sets=[["p", "q"]]))
    found = negative_transfer(pipeline, X, frame, cv=2)
    assert found["task"].tolist() == ["kind", "p", "q"]
    assert found["n_samples"].tolist() == [KNOWN[:, 0].sum(), 45, 45]
    assert (found["single_task"] > 0.5).all()
    np.testing.assert_allclose(found["difference"], found["multi_task"] - found["single_task"])


def test_what_is_refused():
    net = quick("MultiTaskNet")
    with pytest.raises(ValueError, match="y has 9 rows, and X 45"):
        negative_transfer(net, X, Y[:9])
    with pytest.raises(ValueError, match="cv=1 should be at least 2"):
        negative_transfer(net, X, Y, cv=1)
    with pytest.raises(ValueError, match="give both X_test and y_test"):
        negative_transfer(net, X, Y, X_test=X)
    with pytest.raises(ValueError, match="estimator=MultiTaskNet is a class"):
        negative_transfer(type(net), X, Y)
