"""TwoDomainNet: one network for two domains."""

import numpy as np
import pytest
import torch
from discovery import quick, tiny_points

from metricnets import TwoDomainNet
from metricnets.datasets import make_domains
from metricnets.metrics import mean_average_precision

X, CLASSES = tiny_points()
DOMAIN = np.tile([1, -1, 1], 15)


def fit(y=CLASSES, domain=DOMAIN, **params):
    return quick("TwoDomainNet", **params).fit(X, y, sample_domain=domain)


def test_only_pairs_of_two_domains_count_across():
    net, seen = TwoDomainNet(pairs="across", loss=lambda z, r: seen.append(r) or z.sum() * 0 + z.pow(2).sum()), []
    net.set_params(max_epochs=1, batch_size=1000, random_state=0, identification=0.0)
    net.fit(X, CLASSES, sample_domain=np.where(CLASSES == 0, 1, DOMAIN))
    assert {float(value) for r in seen for value in r[~r.isnan()]} == {0.0, 1.0}
    everything, few = [], seen.copy()
    seen.clear()
    net.set_params(pairs="all").fit(X, CLASSES, sample_domain=np.where(CLASSES == 0, 1, DOMAIN))
    everything = seen
    assert sum(int((~r.isnan()).sum()) for r in few) < sum(int((~r.isnan()).sum()) for r in everything)


def test_parameters_have_an_effect():
    z = fit().transform(X)
    for params in ({"pairs": "across"}, {"identification": 0.0}, {"loss": "contrastive"}):
        assert not np.array_equal(fit(**params).transform(X), z)
    np.testing.assert_array_equal(fit(domain=DOMAIN * 3.5).transform(X), z)


def test_samples_of_unknown_class_are_left_out():
    partial = np.where(np.arange(45) < 30, CLASSES, -1)
    expected = quick("TwoDomainNet").fit(X[:30], CLASSES[:30], sample_domain=DOMAIN[:30]).transform(X)
    found = fit(partial).transform(X)
    assert found.shape == expected.shape
    for unknown in (np.nan, None):
        other = np.array([c if i < 30 else unknown for i, c in enumerate(CLASSES)], object)
        np.testing.assert_array_equal(fit(other).transform(X), found)


def test_both_domains_are_better_than_one():
    A, y, domain = make_domains(120, random_state=0)
    z_raw = A
    net = quick("TwoDomainNet", max_epochs=10).fit(A, y, sample_domain=domain)
    source, target = domain >= 0, domain < 0

    def score(z):
        return mean_average_precision(z[source], y[source], z[target], y[target], metric="cosine")

    assert score(net.transform(A)) > score(z_raw) + 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(45)}, "one class only"),
        ({"domain": np.ones(45)}, "one domain only"),
        ({"domain": np.where(CLASSES == 0, 1, -1)}, "no class of y is in both"),
        ({"domain": np.array(["a"] * 45)}, "should hold numbers"),
        ({"y": np.full(45, -1)}, "no known classes"),
        ({"loss_params": {"temperature": -1.0}}, "temperature"),
        ({"loss": torch.nn.Linear}, "loss"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**change)


# --- validation data

VAL = {"X_val": X[30:], "y_val": CLASSES[30:], "sample_domain_val": DOMAIN[30:]}


def fit_with(given, **params):
    net = quick("TwoDomainNet", **{"early_stopping": True, "init": "glorot"} | params)
    return net.fit(X[:30], CLASSES[:30], DOMAIN[:30], **given)


def test_validation_data_are_not_trained_on():
    net, other = fit_with(VAL), fit_with(VAL | {"X_val": X[30:] + 1})
    assert other.history_[0]["train_loss"] == net.history_[0]["train_loss"]
    assert other.history_[0]["valid_loss"] != net.history_[0]["valid_loss"]


def test_validation_samples_of_unknown_class_do_not_count():
    unknown = VAL | {"y_val": np.where(np.arange(15) < 12, CLASSES[30:], -1)}
    known = {name: values[:12] for name, values in VAL.items()}
    assert fit_with(unknown).history_[0]["valid_loss"] == fit_with(known).history_[0]["valid_loss"]


@pytest.mark.parametrize(
    ("change", "params", "message"),
    [
        ({"sample_domain_val": None}, {}, "sample_domain_val is not given"),
        ({"X_val": None}, {}, "X_val is not given"),
        ({"y_val": CLASSES[30:] + 7}, {}, "y_val has classes that are not in y"),
        ({"sample_domain_val": np.ones(15)}, {}, "sample_domain_val is of one domain only"),
        ({"y_val": np.zeros(15)}, {}, "y_val has one class only"),
        ({}, {"early_stopping": False}, "early_stopping=False"),
    ],
)
def test_validation_data_that_do_not_suit_are_named(change, params, message):
    with pytest.raises(ValueError, match=message):
        fit_with(VAL | change, **params)


def test_domains_of_validation_data_alone_are_refused():
    with pytest.raises(ValueError, match="sample_domain_val is given alone"):
        quick("TwoDomainNet", early_stopping=True).fit(X[:30], CLASSES[:30], **VAL)
