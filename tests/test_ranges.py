"""Laws of the numbers that losses and miners take: what their pages say is checked, and an error names it."""

import inspect
import math
import re

import pytest
import torch
from test_losses import sample

from metricnets import losses, miners

FUNCTIONS = {f"losses.{name}": entry.loss for name, entry in losses.CATALOGUE.items()}
FUNCTIONS |= {f"miners.{name}": getattr(miners, name) for name in miners.__all__}
NO_NUMBERS = [None, "0.3", [0.1], math.nan]
OUTSIDE = {  # of a range as it is documented
    "": [math.inf],
    "> 0": [0, -1.0, math.inf],
    ">= 0": [-1e-6, math.inf],
    ">= 1": [0, -3, 1.5],
    "in (0, 1]": [0, 1.01],
    "in (0, 2]": [0, 2.01],
    "in (0, 90)": [0, 90],
    "in [0, 1)": [-0.1, 1],
    "in [0, 1]": [-0.1, 1.1],
    "in [0, 90)": [-0.1, 90],
    "in [0, π]": [-0.1, 3.2],
    "in [−1, 1]": [-1.1, 5],
}


def numbers(function):
    """The parameters that are numbers, each with its documented range."""
    listed = re.findall(r"^ {4}(\w+) : (?:float|int|tuple of int)\b ?(.*?), default=", function.__doc__, re.M)
    return {name: bounds for name, bounds in listed if name in inspect.signature(function).parameters}


def call(function, **options):
    return function(3, 5, **options) if isinstance(function, type) else function(*sample(), **options)


every_number = pytest.mark.parametrize(
    ("name", "parameter", "bounds"),
    [(name, *each) for name, function in FUNCTIONS.items() for each in numbers(function).items()],
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_number_has_a_documented_type(name):
    typed = {
        parameter.name
        for parameter in inspect.signature(FUNCTIONS[name]).parameters.values()
        if isinstance(parameter.default, int | float | tuple) and not isinstance(parameter.default, bool)
    }
    assert typed == {*numbers(FUNCTIONS[name])}


@every_number
def test_what_is_no_number_of_the_documented_range_is_named(name, parameter, bounds):
    for value in [*NO_NUMBERS, *OUTSIDE[bounds]]:
        for given in (value, (value,), ()) if parameter == "ks" else (value,):
            with pytest.raises(ValueError, match=re.escape(f"{parameter}={given!r}") + ".* should be"):
                call(FUNCTIONS[name], **{parameter: given})


@every_number
def test_numbers_of_numpy_are_numbers(name, parameter, bounds):
    default = inspect.signature(FUNCTIONS[name]).parameters[parameter].default
    call(FUNCTIONS[name], **{parameter: torch.tensor(default).numpy()[()]})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "losses.contrastive",
            {"positive_margin": 1.5},
            "positive_margin=1.5 should be at least 0 and below margin=1.0",
        ),
        ("miners.distance_weighted", {"cutoff": 1.5}, "cutoff=1.5 should be above 0 and below nonzero_loss_cutoff=1.4"),
        ("miners.distance_weighted", {"cutoff": 0}, "cutoff=0 should be above 0"),
    ],
)
def test_numbers_that_should_be_in_order_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        call(FUNCTIONS[name], **options)
