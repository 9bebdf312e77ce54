"""Figures that no window shows, closed after each test."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # matplotlib 3.7 calls functions that pyparsing 3.3 deprecates
    plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")
