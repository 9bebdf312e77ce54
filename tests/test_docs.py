import doctest
import importlib.util
import inspect
import re
import sys
from email.message import Message
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from discovery import ESTIMATORS, QUICK, fitted, quick, tiny_pairs, tiny_points
from sklearn.base import clone
from sklearn.metrics import silhouette_score
from sklearn.utils.fixes import parse_version
from test_architecture import LAYERS

import metricnets
from metricnets import _documentation, _params, displays, losses, miners, relations
from metricnets._documentation import entries, sections

PARAMETERS_IN_NOTEBOOKS, ATTRIBUTES_IN_NOTEBOOKS = (  # older ones show the parameters that were changed
    parse_version(sklearn.__version__) >= parse_version(version) for version in ("1.8", "1.9")
)
ROOT = Path(__file__).parents[1]
MODULES = [
    "metricnets",
    "metricnets.active",
    "metricnets.datasets",
    "metricnets.displays",
    "metricnets.divergences",
    "metricnets.inspection",
    "metricnets.losses",
    "metricnets.metrics",
    "metricnets.miners",
    "metricnets.networks",
    "metricnets.protocols",
    "metricnets.relations",
    "metricnets.samplers",
    "metricnets.tracking",
]
MORE = {
    "metricnets.base": ["MetricMixin"],
    "metricnets.tuple_learners": ["PairsMixin", "TripletsMixin", "QuadrupletsMixin"],
    "metricnets.set_classifiers": ["SetClassifierMixin"],
    "metricnets.calibration": ["threshold"],
}
FUNCTIONS = ["metricnets.calibration.threshold"]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documented():
    """Full names of what the API page lists in its tables."""
    names, module = [], ""
    block = r"^\.\. (?:currentmodule|module):: (\S+)|^\.\. autosummary::\n(?: +:.*\n)*\n((?: +\w+\n)+)"
    for new, table in re.findall(block, read("doc/api.rst") + "\n", re.M):
        module = new or module
        names += [f"{module}.{name}" for name in table.split()]
    return names


def public_objects():
    """Public classes, functions and methods of classes by full name."""
    found = {}
    for module in [*MODULES, *MORE]:
        package = importlib.import_module(module)
        names = MORE.get(module) or package.__all__
        found |= {f"{module}.{name}": getattr(package, name) for name in names}
    for name, cls in list(found.items()):
        if inspect.isclass(cls):
            methods = {key: m for key, m in inspect.getmembers(cls, inspect.isfunction) if key[0] != "_"}
            found |= {f"{name}.{key}": m for key, m in methods.items() if m.__module__.startswith("metricnets")}
    return found


PUBLIC = public_objects()
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


def test_the_api_page_names_everything_public_once():
    public = [f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__]
    names = documented()
    assert len(names) == len(set(names))
    assert set(public + FUNCTIONS) - set(names) == set()


def test_pages_are_of_public_modules():
    private = r"metricnets(?:\.\w+)*\._\w+"
    assert [name for name in documented() if re.match(private, name)] == []
    for path in sorted((ROOT / "metricnets").rglob("*.py")):
        assert re.findall(rf":\w+:`[^`]*{private}", path.read_text(encoding="utf-8")) == [], path


every_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


@every_class
def test_a_class_lists_exactly_the_parameters_of_its_signature_in_this_order(cls):
    given = [p for p in inspect.signature(cls).parameters.values() if p.name not in ("args", "kwargs")]
    assert [name.lstrip("*") for name in entries(cls.__doc__, "Parameters")] == [p.name for p in given]
    for title in ("Parameters", "Attributes"):
        assert inspect.getdoc(cls).count(f"\n{title}\n---") <= 1
        names = re.findall(r"^(\w+) : ", inspect.getdoc(cls).partition(f"\n{title}\n---")[2].partition("\n\n")[0], re.M)
        assert len(names) == len(set(names))


@every_estimator
def test_the_parameters_of_a_method_come_before_those_of_the_shells(name):
    cls = ESTIMATORS[name]
    own = [c for c in cls.__mro__ if c.__module__ == cls.__module__]
    names = {field for c in own for field in inspect.get_annotations(c)}
    order = [p.name for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert set(order[: len(names & set(order))]) == names & set(order)


@every_estimator
def test_the_page_of_a_notebook_shows_and_links_every_parameter(name, monkeypatch):
    estimator = ESTIMATORS[name]()
    monkeypatch.setattr(_params, "documentation_url", lambda: "")
    assert estimator._get_doc_link() == ""
    page = estimator._repr_mimebundle_()["text/html"]
    monkeypatch.setattr(_params, "documentation_url", lambda: "https://example.org")
    link = f"https://example.org/api/metricnets.{name}.html"
    linked = estimator._repr_mimebundle_()["text/html"]
    assert "href" not in page
    assert link in linked
    for parameter in estimator.get_params(deep=False) if PARAMETERS_IN_NOTEBOOKS else ():
        assert parameter in page
        assert f"{link}#:~:text={parameter}," in linked


@pytest.mark.skipif(not ATTRIBUTES_IN_NOTEBOOKS, reason="older versions of scikit-learn show parameters only")
@pytest.mark.parametrize("name", ["EmbeddingNet", "LDA", "ITML", "NCA"])
def test_the_page_of_a_notebook_sums_up_the_fit_with_texts_from_the_documentation(name):
    estimator = fitted(name)
    page = estimator._repr_mimebundle_()["text/html"]
    before, _, attributes = page.partition("Fitted attributes")
    learned = {key for key in vars(estimator) if key.endswith("_") and not key.startswith("_")}
    assert not [key for key in learned if f"{key}:" not in attributes]  # the entry of its docstring
    assert not [key for key in estimator.get_params(deep=False) if f"{key}:" not in before]
    n_components = estimator.transform(np.zeros((1, estimator.n_features_in_))).shape[1]
    assert f"{n_components} features" in attributes


def test_the_link_to_the_documentation_is_that_of_the_metadata(monkeypatch):
    urls = ["Source, https://example.org/code", "Documentation, https://example.org/doc/"]
    message = Message()
    for url in urls:
        message["Project-URL"] = url
    monkeypatch.setattr(_documentation.metadata, "metadata", lambda name: message)
    assert _documentation.documentation_url.__wrapped__() == "https://example.org/doc"


@every_estimator
def test_what_a_fit_leaves_is_documented(name):
    estimator, cls = fitted(name), ESTIMATORS[name]
    properties = [key for key in dir(cls) if isinstance(getattr(cls, key), property) and hasattr(estimator, key)]
    learned = {key for key in [*vars(estimator), *properties] if key.endswith("_") and not key.startswith("_")}
    assert learned - set(entries(cls.__doc__, "Attributes")) == set()


def test_a_docstring_begins_with_one_short_sentence():
    for name, thing in PUBLIC.items():
        first, _, rest = inspect.getdoc(thing).partition("\n")
        assert first.endswith("."), name
        assert len(first) <= 100, name
        assert not first[0].islower(), name
        assert not rest or rest.startswith("\n"), name


def test_the_readme_names_every_estimator():
    rows = "".join(re.findall(r"^\| (`.*?) \|", read("README.md"), re.M))
    assert set(re.findall(r"`(\w+)`", rows)) == {name.removesuffix("_Supervised") for name in ESTIMATORS}


def test_the_tables_of_the_guide_to_data_sets_name_them_all():
    page = read("doc/user_guide/datasets.rst")
    assert set(re.findall(r"^``(\w+)`` ", page, re.M)) == {*metricnets.datasets.__all__} - {"Batches"}


def test_the_guide_to_displays_shows_them_all():
    page = read("doc/user_guide/displays.rst")
    assert all(f"\n   {name}.from_estimator(" in page for name in displays.__all__)


def test_the_page_for_users_of_pytorch_metric_learning_names_all_its_losses_and_miners():
    page = read("doc/user_guide/coming_from_pytorch_metric_learning.rst")
    for module, ours in (("losses", losses.CATALOGUE), ("miners", miners.__all__)):
        theirs = pytest.importorskip(f"pytorch_metric_learning.{module}")
        names = {name for name in dir(theirs) if name.endswith(("Loss", "Miner")) and not name.startswith("Base")}
        assert not {name for name in names - {"GenericPairLoss"} if f"``{name}" not in page}
        table = page.partition(f"{module.capitalize()}\n-----")[2].partition("\n-----")[0]
        assert {*re.findall(r'^     - ``"(\w+)"``', table, re.M)} <= {*ours}


def test_the_table_of_the_guide_to_relations_names_them_all():
    page = read("doc/user_guide/relations.rst")
    table = page.partition("what y looks like")[2].partition("Labels in a hierarchy\n---")[0]
    missing = {name for name in relations.__all__ if f'``"{name}"``' not in table and f"``{name}(" not in table}
    assert not missing


def test_the_tree_of_the_developers_page_is_that_of_the_package():
    block = read("doc/developing.rst").partition("metricnets/\n")[2].partition("   tests/")[0]
    folders, tree = [], set()
    for indent, name in re.findall(r"^( +)(\S+)", block, re.M):
        del folders[len(indent) // 2 - 2 :]
        if name.endswith("/"):
            folders.append(name)
        elif name.endswith(".py"):
            tree.add("".join([*folders, name]))
    package = Path(metricnets.__file__).parent
    files = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert tree == {path for path in files if not re.search(r"/__init__.py$|^metric_learn/", path)}


def test_the_layers_of_the_developers_page_are_those_of_the_package():
    block = read("doc/developing.rst").partition("Imports point downwards::\n\n")[2].partition("      NumPy")[0]
    layers, layer = {}, None
    for number, names in re.findall(r"^ {2,3}(−?\d)? +(.*)", block.replace(" never import one another", ""), re.M):
        layer = int(number.replace("−", "-")) if number else layer
        layers |= dict.fromkeys(names.split(), layer)
    assert layers == LAYERS


def test_the_changelog_begins_with_this_version():
    version, note = re.search(r"^(\d\S*) \((.*?)\)\n-", read("CHANGELOG"), re.M).groups()
    assert version == metricnets.__version__
    assert note == "unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", note)


def test_the_linked_files_of_the_readme_exist():
    links = re.findall(r"\]\(([^):]+)\)", read("README.md"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


# ------------------------------------------------------------------------------------------------
# The templates of the page Contributing.

TEMPLATES = {path.stem: path for path in sorted((ROOT / "doc/templates").glob("*.py"))}


def template(name):
    spec = importlib.util.spec_from_file_location(f"template_{name}", TEMPLATES[name])
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_page_contributing_shows_every_template_and_its_examples_run(name):
    assert f":download:`{name}.py <templates/{name}.py>`" in read("doc/contributing.rst")
    flags = doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(template(name), optionflags=flags)
    assert results.attempted > 0
    assert results.failed == 0


SHOWN = re.findall(r"templates/(\w+).py\n +:pyobject: (\w+)", read("doc/contributing.rst"))


@pytest.mark.parametrize(("name", "shown"), SHOWN)
def test_what_the_page_contributing_shows_exists(name, shown):
    assert hasattr(template(name), shown)


def batch():
    X, y = tiny_points()
    z, y = torch.tensor(X[:12], requires_grad=True), torch.tensor(y[:12])
    return z, (y[:, None] == y).double().fill_diagonal_(torch.nan)


def test_the_loss_to_copy_keeps_the_laws_of_losses():
    loss = template("loss").soft_contrastive
    z, r = batch()
    assert torch.autograd.gradcheck(lambda z: loss(z, r), z)
    unknown = torch.full_like(r, torch.nan)
    assert loss(z, unknown) == 0
    unknown[0, 1] = 1.0
    assert loss(z, unknown).item() == pytest.approx(np.log1p(np.exp(((z[0] - z[1]) ** 2).sum().item() - 1)))
    X, y = tiny_points()
    net = quick("EmbeddingNet", loss=loss, loss_params={"margin": 2.0}, max_epochs=30).fit(X, y)
    assert silhouette_score(net.transform(X), y) > silhouette_score(X, y) + 0.1


def test_the_miner_to_copy_only_forgets():
    miner = template("miner").nearest_dissimilar
    z, r = batch()
    mined = miner(z, r, n_pairs=3)
    kept = ~mined.isnan()
    assert torch.equal(mined[kept], r[kept])
    assert torch.equal((mined == 1), (r == 1))
    assert ((mined == 0).sum(1) == (r == 0).sum(1).clamp(max=3)).all()
    quick("EmbeddingNet", loss="contrastive", miner=miner).fit(*tiny_points())


@pytest.mark.parametrize(
    ("file", "name", "data"),
    [
        ("linear_method", "PairWhitening", tiny_pairs),
        ("linear_method", "PairWhitening_Supervised", tiny_points),
        ("deep_method", "ContrastiveNet", tiny_points),
    ],
)
def test_the_method_to_copy_is_an_estimator(file, name, data):
    cls = getattr(template(file), name)
    own = "ridge" if file == "linear_method" else "margin"
    assert list(entries(cls.__doc__, "Parameters")) == list(inspect.signature(cls).parameters)
    assert next(iter(inspect.signature(cls).parameters)) == own
    with pytest.raises(TypeError, match=f"Did you mean '{own}'"):
        cls(**{own[:-1]: 1.0})
    X, y = data()
    estimator = clone(cls(**{key: value for key, value in QUICK.items() if key in cls._get_param_names()})).fit(X, y)
    pairs = tiny_pairs()[0]
    z = estimator.transform(pairs.reshape(-1, 4)).reshape(len(pairs), 2, -1)
    np.testing.assert_allclose(estimator.pair_distance(pairs), np.linalg.norm(z[:, 0] - z[:, 1], axis=1), rtol=1e-4)
    if file == "linear_method":  # any data give n_features rows
        assert clone(estimator).fit(X * 0, y).components_.shape == (4, 4)


@every_estimator
def test_an_estimator_names_related_ones(name):
    related = [line.partition(" : ") for line in sections(ESTIMATORS[name].__doc__)["See Also"].splitlines()]
    assert related
    for other, _, description in related:
        assert other in ESTIMATORS
        assert other != name
        assert description.endswith(".")
    if f"{name}_Supervised" in ESTIMATORS:
        assert f"{name}_Supervised" in [other for other, _, _ in related]
    if name.endswith("_Supervised"):
        assert name.removesuffix("_Supervised") in [other for other, _, _ in related]
