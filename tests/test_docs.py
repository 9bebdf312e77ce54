import importlib
import re
import textwrap
from pathlib import Path

import pytest
from discovery import ESTIMATORS

import metricnets

ROOT = Path(__file__).parents[1]
MODULES = [
    "metricnets",
    "metricnets.divergences",
    "metricnets.losses",
    "metricnets.metrics",
    "metricnets.networks",
    "metricnets.protocols",
    "metricnets.relations",
    "metricnets.samplers",
]
FUNCTIONS = ["metricnets.calibration.threshold", "metricnets._targets.resolve"]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documented():
    """Full names of the classes and functions that the API page documents."""
    names, module = [], ""
    for kind, name in re.findall(r"^\.\. (currentmodule|autoclass|autofunction):: (\S+)", read("doc/api.rst"), re.M):
        if kind == "currentmodule":
            module = name
        else:
            names.append(f"{module}.{name}")
    return names


def test_the_api_page_names_everything_public_once():
    public = [f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__]
    names = documented()
    assert len(names) == len(set(names))
    assert set(public + FUNCTIONS) - set(names) == set()


@pytest.mark.parametrize("cls", ESTIMATORS.values())
def test_every_parameter_is_documented_in_its_class_or_an_ancestor(cls):
    documentation = "\n".join(ancestor.__doc__ or "" for ancestor in cls.__mro__)
    assert [name for name in cls._get_param_names() if not re.search(rf"^ +{name} : ", documentation, re.M)] == []


def test_the_readme_names_every_estimator():
    rows = "".join(re.findall(r"^\| (`.*?) \|", read("README.md"), re.M))
    assert set(re.findall(r"`(\w+)`", rows)) == {name.removesuffix("_Supervised") for name in ESTIMATORS}


@pytest.mark.parametrize(
    ("path", "block"),
    [("README.md", r"^```python\n(.*?)^```"), ("doc/quickstart.rst", r"^\.\. code-block:: python\n(.*?)^(?=\S)")],
    ids=["README", "quickstart"],
)
def test_the_code_of_the_first_pages_runs(path, block, capsys):
    code = "\n".join(map(textwrap.dedent, re.findall(block, read(path), re.M | re.S)))
    exec(compile(code, path, "exec"), {})
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy > 0.93


def test_the_tree_of_the_developers_page_is_that_of_the_package():
    block = read("doc/developing.rst").partition("metricnets/\n")[2].partition("   tests/")[0]
    folders, tree = [], set()
    for indent, name in re.findall(r"^( +)(\S+)", block, re.M):
        del folders[len(indent) // 2 - 2 :]
        if name.endswith("/"):
            folders.append(name)
        elif name.endswith(".py"):
            tree.add("".join([*folders, name]))
    package = ROOT / "metricnets"
    files = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert tree == {path for path in files if not re.search(r"/__init__.py$|^metric_learn/", path)}


def test_the_changelog_begins_with_this_version():
    version, note = re.search(r"^(\d\S*) \((.*?)\)\n-", read("CHANGELOG"), re.M).groups()
    assert version == metricnets.__version__
    assert note == "unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", note)


def test_the_linked_files_of_the_readme_exist():
    links = re.findall(r"\]\(([^):]+)\)", read("README.md"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
