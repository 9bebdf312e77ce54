"""Validation data of the user: for early stopping alone, whatever the training data are."""

import numpy as np
import pandas as pd
import pytest
from discovery import quick, tiny_pairs, tiny_points
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TRAIN, VAL = tiny_points(), tiny_points(seed=1)
PARAMS = {"early_stopping": True, "lr_schedule": None, "max_epochs": 6}
LEARNERS = ["DDML", "HRAML", "EmbeddingNet", "Mahalanobis", "TwoDomainNet"]


@pytest.mark.parametrize("name", LEARNERS)
def test_training_does_not_depend_on_them_and_ends_with_the_best_epoch_on_them(name):
    nets = [quick(name, **PARAMS).fit(*TRAIN, X_val=X, y_val=VAL[1]) for X in (VAL[0], VAL[0] * [3, 1, 1, 1] + 5)]
    losses, others = ([record["train_loss"] for record in net.history_] for net in nets)
    assert losses == others
    validated, others = ([record["valid_loss"] for record in net.history_] for net in nets)
    assert validated != others
    net = quick(name, **PARAMS | {"max_epochs": 1 + int(np.argmin(validated))}).fit(*TRAIN, X_val=VAL[0], y_val=VAL[1])
    assert_array_equal(net.transform(VAL[0]), nets[0].transform(VAL[0]))


def test_losses_of_relations_take_classes_that_are_new():
    net = quick("EmbeddingNet", **PARAMS).fit(*TRAIN, X_val=VAL[0], y_val=VAL[1] + 7)
    assert all(np.isfinite(record["valid_loss"]) for record in net.history_)
    with pytest.raises(ValueError, match="y_val has classes that are not in y, for which loss='cosface'"):
        quick("EmbeddingNet", loss="cosface", **PARAMS).fit(*TRAIN, X_val=VAL[0], y_val=VAL[1] + 7)


def test_label_sets_and_unknown_classes():
    Y = np.eye(3, dtype=int)
    quick("HRAML", **PARAMS).fit(TRAIN[0], Y[TRAIN[1]], X_val=VAL[0], y_val=Y[VAL[1]])
    unknown = [None if i % 5 == 0 else "abc"[code] for i, code in enumerate(VAL[1])]
    names = np.array(["abc"[code] for code in TRAIN[1]], dtype=object)
    net = quick("EmbeddingNet", relation="known_class", loss="proxy_anchor", **PARAMS)
    net.fit(TRAIN[0], names, X_val=VAL[0], y_val=np.array(unknown, dtype=object))
    assert_array_equal(net.classes_, ["a", "b", "c"])


def test_pairs():
    pairs, y = tiny_pairs()
    pairs_val, y_val = tiny_pairs(seed=1)
    stopped = quick("DDMLPairs", **PARAMS).fit(pairs, y, pairs_val=pairs_val, y_val=y_val)
    other = quick("DDMLPairs", **PARAMS).fit(pairs, y, pairs_val=pairs_val[::-1] * 2, y_val=y_val)
    losses, others = ([record["train_loss"] for record in net.history_] for net in (stopped, other))
    assert losses == others
    assert stopped.threshold_ == stopped.calibrate_threshold(pairs_val, y_val).threshold_


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": VAL[0]}, "^y_val is not given; give both X_val and y_val"),
        ({"y_val": VAL[1]}, "^X_val is not given"),
        ({"X_val": VAL[0][:, :3], "y_val": VAL[1]}, "X has 3 features"),
        ({"X_val": VAL[0][:9], "y_val": VAL[1]}, "inconsistent numbers of samples"),
        ({"X_val": VAL[0], "y_val": np.eye(3)[VAL[1]]}, r"^y_val has shape \(45, 3\), and the training data \(45,\)"),
        ({"X_val": np.full((45, 4), np.nan), "y_val": VAL[1]}, "NaN"),
    ],
)
def test_wrong_validation_data_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        quick("DDML", **PARAMS).fit(*TRAIN, **given)


@pytest.mark.parametrize(
    ("n_labels", "n_val", "n_labels_val", "message"),
    [
        (29, 10, 11, "inconsistent numbers of samples"),
        (30, 10, 9, "inconsistent numbers of samples"),
        (30, 0, 0, "^y_val has no rows"),
    ],
)
def test_pairs_and_labels_of_each_part_are_of_one_number(n_labels, n_val, n_labels_val, message):
    pairs, y = tiny_pairs()
    data = {"pairs_val": pairs[30:][:n_val], "y_val": y[n_labels:][:n_labels_val]}
    with pytest.raises(ValueError, match=message):
        quick("DDMLPairs", **PARAMS).fit(pairs[:30], y[:n_labels], **data)


def test_the_training_data_alone_have_targets_that_differ():
    pairs, y = tiny_pairs()
    with pytest.raises(ValueError, match="^y holds pairs of one kind"):
        quick("DDMLPairs", **PARAMS).fit(pairs[y > 0], y[y > 0], pairs_val=pairs, y_val=y)
    X, codes = TRAIN
    for name in ("DDML", "HRAML"):
        with pytest.raises(ValueError, match="^y has one class only, 0"):
            quick(name, **PARAMS).fit(X[codes == 0], codes[codes == 0], X_val=X, y_val=codes)
    Y = np.eye(3, dtype=int)[codes]
    with pytest.raises(ValueError, match="^y is the same in all rows"):
        quick("HRAML", **PARAMS).fit(X[codes == 0], Y[codes == 0], X_val=X, y_val=Y)


@pytest.mark.parametrize(("weights", "name"), [({0: 0}, "y"), ({1: 0, 2: 0}, "y_val")])
def test_a_class_weight_leaves_samples_in_both_parts(weights, name):
    X, codes = TRAIN
    first, net = codes == 0, quick("DDML", class_weight=weights, **PARAMS)
    with pytest.raises(ValueError, match=f"^class_weight=.* leaves out all samples of {name};"):
        net.fit(X[first], codes[first], X_val=X[~first], y_val=codes[~first])


def test_sparse_label_sets():
    Y, Y_val = (np.eye(3, dtype=int)[codes] for _, codes in (TRAIN, VAL))
    dense = quick("HRAML", **PARAMS).fit(TRAIN[0], Y, X_val=VAL[0], y_val=Y_val)
    for y, y_val in ((csr_array(Y), csr_array(Y_val)), (csr_array(Y), Y_val)):
        sparse = quick("HRAML", **PARAMS).fit(TRAIN[0], y, X_val=VAL[0], y_val=y_val)
        assert_array_equal(sparse.transform(VAL[0]), dense.transform(VAL[0]))


def test_without_early_stopping_they_have_no_use():
    with pytest.raises(ValueError, match="X_val is for early stopping, and early_stopping=False"):
        quick("DDML").fit(*TRAIN, X_val=VAL[0], y_val=VAL[1])
    with pytest.raises(ValueError, match="pairs_val is for early stopping"):
        quick("DDMLPairs", early_stopping=False).fit(*tiny_pairs(), pairs_val=tiny_pairs()[0], y_val=tiny_pairs()[1])


def test_in_a_pipeline_that_transforms_them_and_from_data_frames():
    with config_context(enable_metadata_routing=True):
        net = quick("DDML", **PARAMS).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), net, transform_input=["X_val"])
        pipeline.fit(*TRAIN, X_val=VAL[0], y_val=VAL[1])
    scaler = StandardScaler().fit(TRAIN[0])
    frames = [pd.DataFrame(scaler.transform(X), columns=list("abcd")) for X in (TRAIN[0], VAL[0])]
    alone = quick("DDML", **PARAMS).fit(frames[0], TRAIN[1], X_val=frames[1], y_val=VAL[1])
    assert_array_equal(pipeline.transform(VAL[0]), alone.transform(frames[1]))


def test_indicators_and_points_are_not_mixed():
    pairs, y = tiny_pairs()
    indicators = np.arange(2 * len(pairs)).reshape(-1, 2)
    for train, val in ((pairs, indicators), (indicators, pairs)):
        net = quick("DDMLPairs", preprocessor=pairs.reshape(-1, 4), **PARAMS)
        with pytest.raises(ValueError, match=r"pairs_val has shape .*: one has indicators, the other points"):
            net.fit(train, y, pairs_val=val, y_val=y)


def test_single_precision_is_that_of_the_training_pairs():
    (pairs, y), (pairs_val, y_val) = tiny_pairs(), tiny_pairs(seed=1)
    pairs, pairs_val = pairs.astype(np.float32), pairs_val.astype(np.float32)
    alone, mixed = (
        quick("DDMLPairs", **PARAMS).fit(pairs, y, pairs_val=val, y_val=y_val)
        for val in (pairs_val, pairs_val.astype(float))
    )
    assert alone.threshold_ == mixed.threshold_
    np.testing.assert_array_equal(alone.pair_distance(pairs), mixed.pair_distance(pairs))
