"""Examples of the gallery: short pages of public names; ``make doc`` runs them."""

import ast
import importlib
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
GALLERY = sorted(EXAMPLES.rglob("plot_*.py"))
every_example = pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def test_there_are_examples_and_their_names_differ():
    assert len(GALLERY) > 10
    assert len({path.name for path in GALLERY}) == len(GALLERY)


@every_example
def test_an_example_is_short_and_begins_with_a_heading(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    heading, line, blank, *text = ast.get_docstring(parsed(path)).split("\n")
    assert re.fullmatch("=+", line)
    assert len(line) == len(heading)
    assert not blank
    assert text


@every_example
def test_an_example_explains_its_steps_and_draws(path):
    blocks = re.split(r"^# %%$", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    assert blocks
    assert all(block.startswith("\n# ") for block in blocks)
    assert "plt." in "".join(blocks)


def imported(path):
    """Modules of ours that an example imports, and the names that it takes from them."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith("metricnets"))
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("metricnets"):
            yield from ((node.module, alias.name) for alias in node.names)


@every_example
def test_an_example_imports_public_names_alone(path):
    found = list(imported(path))
    assert found
    for module, name in found:
        assert "._" not in module
        assert name is None or (name[0] != "_" and name in dir(importlib.import_module(module)))


@every_example
def test_an_example_loads_no_data_that_a_network_would_have_to_bring(path):
    assert "fetch_" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted({path.parent for path in GALLERY}), ids=lambda folder: folder.name)
def test_a_topic_has_a_header(folder):
    heading, line, *_ = (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch("[=-]+", line)
    assert len(line) == len(heading)
