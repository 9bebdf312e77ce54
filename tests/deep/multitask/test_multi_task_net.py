"""MultiTaskNet: its objective by a naive loop, its limiting cases, its forms of targets, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from discovery import quick, tiny_tasks
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import MultiTaskNet
from metricnets._relatedness.combination import combined
from metricnets.deep._training.data import Targets
from metricnets.deep.multitask._heads import CoupledLoss, Heads
from metricnets.deep.multitask._objective import distribution_matching, information, speaking
from metricnets.losses import CosFace

X, Y = tiny_tasks()
R = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])


def fit(y=Y, **params):
    return quick("MultiTaskNet", **params).fit(X, y)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def naive_loss(logits, codes, related, matching, co_annotation):
    """The objective of a batch sample by sample; ``related`` has (a, b, R, prior of b)."""
    n, n_tasks = codes.shape
    total = 0.0
    for t in range(n_tasks):
        own = [-np.log(softmax(logits[t][i])[codes[i, t]]) for i in range(n) if codes[i, t] >= 0]
        total += sum(own) / max(1, len(own)) / n_tasks
    for a, b, R, prior in related:
        n_from = sum(other[1] == b for other in related)
        matched, soft, n_soft = 0.0, 0.0, 0
        for i in range(n):
            p_a, p_b = softmax(logits[a][i]), softmax(logits[b][i])
            wanted = np.eye(len(p_b))[codes[i, b]] if codes[i, b] >= 0 else p_b
            known = [c for c in range(len(p_a)) if not np.allclose(R[c], prior)]
            share = sum(p_a[c] for c in known)
            for k in range(len(p_b)):
                matched -= share * wanted[k] * np.log(sum(p_a[c] / share * R[c, k] for c in known))
            if codes[i, a] >= 0 and codes[i, b] < 0:
                n_soft += 1
                row = R[codes[i, a]]
                told = 1 - sum(-r * np.log(r) for r in row if r) / sum(-p * np.log(p) for p in prior)
                soft -= max(told, 0) ** 6 * sum(row[k] * np.log(p_b[k]) for k in range(len(p_b)))
        total += (matching * matched / n + co_annotation * soft / max(1, n_soft)) / n_tasks / n_from
    return total


@pytest.mark.parametrize(("matching", "co_annotation"), [(1.0, 0.0), (0.0, 0.5), (1.0, 2.0)])
def test_the_objective_is_that_of_a_naive_loop(matching, co_annotation):
    rng = np.random.default_rng(0)
    z, sizes = torch.from_numpy(rng.normal(size=(12, 5))), (3, 2, 4)
    codes = np.stack([rng.integers(-1, n, size=12) for n in sizes], axis=1)
    heads = Heads([CosFace(5, n, margin=0.0, scale=3.0).double() for n in sizes])
    priors = [softmax(rng.normal(size=n)) for n in sizes]
    related = [(a, b, rng.dirichlet(np.ones(sizes[b]), sizes[a])) for a, b in ((0, 1), (1, 0), (2, 1))]
    related[0][2][1] = priors[1]  # a class of which nothing is known
    tensors = {(a, b): torch.from_numpy(R) for a, b, R in related}
    loss = CoupledLoss(
        heads, np.full(3, 1 / 3), tensors, [torch.from_numpy(p) for p in priors], matching, co_annotation
    )
    found = loss(z, Targets(torch.from_numpy(codes)))
    logits = [head.logits(z).detach().numpy() for head in heads]
    expected = naive_loss(logits, codes, [(*each, priors[each[1]]) for each in related], matching, co_annotation)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_tasks_without_a_relation_are_left_alone():
    prior = torch.tensor([0.3, 0.7])
    assert information(prior.repeat(3, 1), prior).abs().max() < 1e-6
    assert information(torch.eye(2), prior).tolist() == [1.0, 1.0]
    independent = np.tile(np.bincount(Y[:, 1][~np.isnan(Y[:, 1])].astype(int)) + 1.0, (3, 1))
    independent /= independent.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit(relatedness=independent).transform(X), fit(coupling=None).transform(X), atol=1e-3)


def test_a_class_that_was_not_counted_neither_gains_nor_loses():
    logits, R = torch.zeros(1, 3, requires_grad=True), torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]])
    distribution_matching(logits, torch.tensor([[1.0, 0.0]]), R, speaking(R, R[2])).sum().backward()
    assert logits.grad[0, 2].abs() < 1e-6
    assert logits.grad[0, 0] < -0.1
    assert logits.grad[0, 1] > 0.1


def test_limiting_cases():
    uncoupled = fit(coupling=None).transform(X)
    for params in ({"coupling_weight": 0.0}, {"relatedness": None}):
        np.testing.assert_array_equal(fit(**params).transform(X), uncoupled)
    one = Y[:, 0]
    some = ~np.isnan(one)
    alone = quick("MultiTaskNet").fit(X[some], one[some].astype(int))
    np.testing.assert_array_equal(alone.transform(X), fit(one).transform(X))  # others are left out
    np.testing.assert_array_equal(fit(one).predict(X), fit(one[:, None]).predict(X)[:, 0])
    assert alone.relatedness_ == {}
    assert alone.score(X[some], one[some]) > 0.8


def test_couplings_have_an_effect_of_their_own():
    embeddings = [
        fit(coupling=kind, relatedness=R).transform(X)
        for kind in (None, "both", "distribution_matching", "soft_co_annotation")
    ]
    for i, z in enumerate(embeddings):
        assert not any(np.array_equal(z, other) for other in embeddings[:i])
    assert not np.array_equal(fit(coupling_weight=3.0, relatedness=R).transform(X), embeddings[1])


def test_equal_tasks_with_the_identity_as_relatedness_help_each_other():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    points = rng.normal(size=(300, 10)) + 1.2 * np.eye(3, 10)[y]
    half = np.where(np.arange(60)[:, None] % 2 == [0, 1], y[:60, None], np.nan)  # none in both
    scores = {}
    for name, params in {"coupled": {"relatedness": np.eye(3)}, "uncoupled": {"coupling": None}}.items():
        net = quick("MultiTaskNet", max_epochs=15, **params).fit(points[:60], half)
        scores[name] = net.score(points[60:], np.c_[y, y][60:])
        p, q = net.predict_proba(points[60:])
        scores[f"{name} agree"] = np.mean(p.argmax(1) == q.argmax(1))
    assert scores["coupled agree"] > scores["uncoupled agree"]
    assert scores["coupled"] > scores["uncoupled"] - 0.01


def test_a_warning_if_there_is_nothing_to_count():
    apart = np.where(np.arange(45)[:, None] % 2 == [0, 1], Y, np.nan)
    with pytest.warns(UserWarning, match="no sample of y is annotated in two tasks"):
        net = fit(apart, relatedness="counted")
    assert len(net.relatedness_) == 0
    np.testing.assert_array_equal(net.transform(X), fit(apart, coupling=None).transform(X))
    assert len(fit(apart, relatedness=R).relatedness_) == 2


def test_other_forms_of_targets_give_the_same():
    expected = fit()
    words = np.array(["a", "b", "c"])
    known = ~np.isnan(Y)
    strings = Y.astype(object)
    strings[known[:, 0], 0] = words[Y[known[:, 0], 0].astype(int)]
    strings[~known] = None
    frame = pd.DataFrame({"letter": strings[:, 0], "side": pd.array(np.where(known[:, 1], Y[:, 1], None), "Int64")})
    minus = np.where(known, Y, -1).astype(int)
    for y in (strings, strings.tolist(), frame, minus, Y.tolist()):
        found = fit(y)
        np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    named = fit(frame)
    assert named.target_names_ == ["letter", "side"]
    assert set(named.relatedness_) == {("letter", "side"), ("side", "letter")}
    assert "P(side given letter): rows ['a' 'b' 'c'], columns [0 1]" in repr(named.relatedness_)
    predicted = named.predict(X)
    np.testing.assert_array_equal(predicted[:, 0], words[expected.predict(X)[:, 0].astype(int)])
    assert named.score(X, frame) == expected.score(X, Y)


def test_columns_of_a_data_frame_are_found_by_their_names():
    y = pd.DataFrame(Y, columns=["kind", "side"])
    net = quick("MultiTaskNet").fit(X, y)
    np.testing.assert_array_equal(net.task_scores(X, y[["side", "kind"]]), net.task_scores(X, y))
    np.testing.assert_array_equal(net.task_scores(X, Y), net.task_scores(X, y))
    with pytest.raises(ValueError, match="y has no column 'side'; its columns are"):
        net.score(X, y.rename(columns={"side": "size"}))
    with pytest.raises(ValueError, match="the 2 columns of the y of fit, one for each task; it has 1"):
        net.score(X, y[["kind"]])


def test_predictions_fit_each_other():
    net = fit(n_networks=2, init="glorot", n_components=8)
    probabilities = net.predict_proba(X)
    for classes, p, column in zip(net.classes_, probabilities, net.predict(X).T):
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(classes[p.argmax(axis=1)], column)
    scores = net.task_scores(X, Y)
    right = [np.mean((net.predict(X) == Y)[known, t]) for t, known in enumerate((~np.isnan(Y)).T)]
    np.testing.assert_allclose(scores, right)
    assert net.score(X, Y) == pytest.approx(np.mean(right))
    only = np.c_[Y[:, 0], np.full(45, np.nan)]
    assert np.isnan(net.task_scores(X, only)[1])
    assert net.score(X, only) == pytest.approx(right[0])
    doubled = net.score(np.r_[X, X[:9]], np.r_[Y, Y[:9]])
    assert net.score(X, Y, np.where(np.arange(45) < 9, 2, 1)) == pytest.approx(doubled)


def test_a_label_set_is_a_task():
    labels = pd.DataFrame((X[:, :3] > 0).astype(int), columns=["p", "q", "r"])
    frame = pd.concat([pd.DataFrame({"kind": Y[:, 0]}), labels], axis=1)
    net = fit(frame, label_sets=[["p", "q", "r"]])
    assert ("p", "q") not in net.relatedness_
    assert set(net.relatedness_) == {(a, b) for a in ("kind", *"pqr") for b in ("kind", *"pqr") if "kind" in (a, b)} - {
        ("kind", "kind")
    }
    scores = net.task_scores(X, frame)
    assert net.score(X, frame) == pytest.approx(scores[0] / 2 + scores[1:].mean() / 2)
    assert fit(csr_matrix(labels.to_numpy()), label_sets=[[0, 1, 2]]).predict(X).shape == (45, 3)


def test_relatedness_is_given():
    given = fit(relatedness={(0, 1): R})
    np.testing.assert_allclose(given.relatedness_[0, 1], R)
    with pytest.raises(KeyError, match=r"the pairs are \[\(0, 1\), \(1, 0\)\]"):
        given.relatedness_[0, 2]
    kind = Y[~np.isnan(Y[:, 0]), 0].astype(int)
    joint = (R * ((np.bincount(kind) + 1) / (len(kind) + 3))[:, None]).T
    np.testing.assert_allclose(given.relatedness_[1, 0], joint / joint.sum(axis=1, keepdims=True))
    frame = pd.DataFrame(np.c_[R, np.zeros(3)], index=[0, 1, 2], columns=[0, 1, 9]).iloc[::-1, ::-1]
    np.testing.assert_array_equal(fit(relatedness=frame).transform(X), given.transform(X))
    with pytest.raises(ValueError, match="has not all classes of y"):
        fit(relatedness=pd.DataFrame(np.eye(2), index=[0, 1], columns=[0, 1]))


WRONG = {
    "y has no known classes in column 1": {"y": np.c_[Y[:, 0], np.full(45, np.nan)]},
    "y has one class only, 1.0 in column 1": {"y": np.c_[Y[:, 0], np.ones(45)]},
    r"y should have a column for each task, shape \(n_samples, n_tasks\); got \(45, 2, 1\)": {"y": Y[..., None]},
    "inconsistent numbers of samples": {"y": Y[:9]},
    "45 in X and 2 in y, a list of columns; give numpy.column_stack": {"y": list(Y.T)},
    "y in column 1: Unknown label type.* Bin real targets": {"y": np.c_[Y[:, 0], np.linspace(0.1, 1, 45)]},
    "y has several columns of the name 'a'": {"y": pd.DataFrame(Y, columns=["a", "a"])},
    r"relatedness of \(0, 1\) should have shape \(3, 2\)": {"relatedness": np.eye(3)},
    "row 0 has the smallest value 0.2 and the sum 2": {"relatedness": 2 * R},
    "relatedness has the column 5": {"relatedness": {(0, 5): R}},
    "columns \\(0, 0\\), which are of one task": {"relatedness": {(0, 0): R}},
    "keys of relatedness should be pairs of columns": {"relatedness": {"a": R}},
    "label_sets should hold lists of columns": {"label_sets": [0, 1]},
    "has a column twice": {"label_sets": [[0], [0]]},
    "Did you mean 'counted'": {"relatedness": "count"},
    "label_sets has the column 'x'": {"label_sets": [["x"]]},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_refused(message):
    params = {"y": Y} | WRONG[message]
    net = quick("MultiTaskNet")
    with pytest.raises(ValueError, match=message):
        net.set_params(**{k: v for k, v in params.items() if k != "y"}).fit(X, params["y"])
    assert not hasattr(net, "module_")


def test_validation_data_and_early_stopping():
    net = quick("MultiTaskNet", early_stopping=True)
    assert "valid_loss" in clone(net).fit(X, Y).history_[0]
    assert "valid_loss" in net.fit(X[:30], Y[:30], X_val=X[30:], y_val=Y[30:]).history_[0]
    with pytest.raises(ValueError, match="y_val has the class 7.0 in column 0, which y does not have"):
        net.fit(X[:30], Y[:30], X_val=X[30:], y_val=np.full((15, 2), 7.0))
    with pytest.raises(ValueError, match="y_val has no annotated sample"):
        net.fit(X[:30], Y[:30], X_val=X[30:], y_val=np.full((15, 2), np.nan))
    with pytest.raises(
        ValueError, match="y_val should have the 2 columns of the y of fit, one for each task; it has 1"
    ):
        net.fit(X[:30], Y[:30], X_val=X[30:], y_val=Y[30:, :1])


def test_in_a_search_of_a_pipeline_with_routing_on_and_off():
    pipeline = make_pipeline(StandardScaler(), quick("MultiTaskNet"))
    grid = {"multitasknet__coupling": [None, "both"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.predict(X).shape == (45, 2)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            quick("MultiTaskNet").set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
        )
        assert 0 <= routed.fit(X, Y, sample_weight=np.ones(45)).score(X, Y, sample_weight=np.ones(45)) <= 1


def test_predictions_are_combined_by_relatedness():
    net = fit(relatedness=R, combine=False)
    separate = net.predict_proba(X)
    net.set_params(combine=True)
    for found, expected in zip(net.predict_proba(X), combined(separate, {(0, 1): R, (1, 0): net.relatedness_[1, 0]})):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_is_named_where_it_is_looked_for():
    assert MultiTaskNet().get_params()["relatedness"] == "inferred"
