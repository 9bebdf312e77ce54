"""The layers of the package: what may import what, read from the source."""

import ast
import functools
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import metricnets

ROOT = Path(metricnets.__file__).parent
FILES = {
    ".".join(["metricnets", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

# Imports point downwards: from a layer to one with a smaller number, or within a package.
LAYERS = {
    "_lazy": -1,
    "_version": -1,
    "exceptions": -2,
    "_checks": -1,
    "_tables": -1,
    "_arrays": 0,
    "_atomic": -1,
    "_documentation": 0,
    "_labels": 0,
    "_linalg": 0,
    "_groups": 0,
    "_sets": 1,
    "_tasks": 1,
    "_views": 1,
    "_expected_views": 1,
    "_fused_views": 2,
    "_relatedness": 2,
    "_callbacks": 0,
    "_codes": 1,
    "_numpy_networks": 0,
    "_pickles": 0,
    "_progress": 1,
    "_reservoir": 1,
    "_cores": 0,
    "_runtime": 0,
    "_blocks": 2,
    "_dask": 3,
    "_batches": 3,
    "_weights": 1,
    "_class_scatter": 2,
    "_scatters": 2,
    "_params": 1,
    "relations": 2,
    "_initialization": 3,
    "losses": 2,
    "miners": 3,
    "samplers": 2,
    "_neighbors": 2,
    "_local_votes": 3,
    "_label_votes": 3,
    "_pseudo_labels": 3,
    "networks": 2,
    "calibration": 2,
    "_pair_probability": 2,
    "_tuples": 2,
    "_draws": 3,
    "_embedded": 3,
    "_faiss": 2,
    "_weighted_draws": 3,
    "metrics": 3,
    "datasets": 3,
    "_targets": 3,
    "base": 3,
    "persistence": 4,
    "tuple_learners": 3,
    "set_classifiers": 3,
    "divergences": 3,
    "constraints": 4,
    "linear": 4,
    "deep": 4,
    "predictors": 4,
    "metric_learn": 5,
    "displays": 5,
    "protocols": 5,
    "inspection": 5,
    "active": 5,
    "tracking": 5,
}
TORCH = {"losses", "miners", "divergences", "networks", "deep"}
TORCH_IN_FILES = "metricnets.persistence._torch"  # imported if a file has a network
SKORCH = "metricnets.deep._training."
PRIVATE_SCIKIT_LEARN = {"metricnets._params"}

# The files of a package that its other files may import, besides those of its folders of machinery.
SHELLS = {
    "_relatedness": {"class_ratios", "counting", "inference"},
    "deep": {
        "_base",
        "_partial",
        "_perceptron",
        "_supervised",
        "_any_loss",
        "_any_loss_network",
        "_tuples",
        "_pairs",
        "_stream",
        "_warm_start",
        "_shrinkage",
        "_comparisons",
        "_manifolds",
    },
    "linear": {
        "_base",
        "_bilinear",
        "_bilinear_views",
        "_cross_view",
        "_low_rank_map",
        "_near_prior",
        "_pair_streams",
        "_streams",
        "_weakly_supervised",
    },
    "predictors": {"_base", "_on_metric"},
    "losses": {"_ops", "_modules", "_catalogue", "_pair", "_sphere"},
    "miners": {"_ops"},
    "relations": {"_classes"},
    "persistence": {
        "_containers",
        "_formats",
        "_graph",
        "_names",
        "_numpy",
        "_objects",
        "_operators",
        "_scikit_learn",
        "_tensors",
        "_tree",
    },
    "protocols": {"_common"},
    "displays": {"_common", "_projection", "_retrieval"},
    "metric_learn": {"_compatible"},
    "tracking": {
        "_alignment",
        "_appearance",
        "_base",
        "_frames",
        "_marginal_fisher",
        "_motion",
        "_patches",
        "_samples",
        "_search",
    },
    "metrics": {
        "_checks",
        "_distribution",
        "_hamming",
        "_hulls",
        "_multilabel",
        "_nearest_points",
        "_ranks",
        "_retrieval",
        "_verification",
    },
}

# The same within the folder of a family.
FAMILY_SHELLS = {
    "hashing": {"_base", "_objective"},
    "multitask": {"_base", "_heads", "_objective"},
    "views": {"_base", "_embedding", "_networks", "_several"},
}


@functools.cache
def nodes(module):
    """The nodes of the syntax tree of a file that import or call."""
    kinds = (ast.Import, ast.ImportFrom, ast.Call)
    return [node for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, kinds)]


def imports(module):
    """Full names that a file imports, and of ``from`` imports the name in its module."""
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(module):
    """The modules of the package that a file imports."""
    for name in imports(module):
        if name.startswith("metricnets."):
            yield name if name in FILES else name.rpartition(".")[0]


def part(module):
    """The file or package directly below metricnets."""
    return module.split(".")[1] if "." in module else None


def test_imports_are_absolute_and_of_modules_that_exist():
    for module in FILES:
        assert set(own(module)) <= set(FILES), module


def test_imports_point_downwards():
    assert list(own("metricnets")) == ["metricnets._lazy", "metricnets._version"]
    for module in FILES.keys() - {"metricnets"}:
        for imported in own(module):
            assert imported != "metricnets", f"{module} should import the file where a name lives"
            same = part(imported) == part(module)
            assert same or LAYERS[part(imported)] < LAYERS[part(module)], f"{module} imports {imported}"


def test_there_are_no_cycles():
    graphlib.TopologicalSorter({module: set(own(module)) - {module} for module in FILES}).prepare()


INDEX = "metricnets.losses._catalogue"  # lists the losses


def within(module):
    """The files and folders of its own package that a file imports."""
    package = module.split(".")[1]
    return {name.split(".")[2] for name in own(module) if name.startswith(f"metricnets.{package}.")}


@functools.cache
def importable(package):
    """The shells and the folders of machinery of a package."""
    machinery = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and path.name.startswith("_")}
    return SHELLS.get(package, set()) | machinery


def test_methods_import_shells_and_machinery_and_never_a_sibling():
    for module in [name for name in FILES if name.count(".") == 2 and name != INDEX]:
        assert within(module) <= importable(part(module)), module


def is_of_a_family(module):
    """Whether a file is in a folder of methods, which has no underscore."""
    return module.count(".") > 2 and not module.split(".")[2].startswith("_")


def test_methods_of_a_family_import_shells_and_machinery_and_never_a_sibling():
    for module in filter(is_of_a_family, FILES):
        _, package, family, _ = module.split(".")
        assert within(module) - {family} <= importable(package), module
        siblings = {name.split(".")[3] for name in own(module) if name.startswith(f"metricnets.{package}.{family}.")}
        assert siblings <= FAMILY_SHELLS[family], module


def test_machinery_imports_machinery_alone():
    for module in [name for name in FILES if name.count(".") > 2 and not is_of_a_family(name)]:
        folder = ROOT / part(module)
        assert all(name.startswith("_") and (folder / name).is_dir() for name in within(module)), module


def test_a_shell_stands_last_among_the_bases_of_a_linear_method():
    of_parts = {"_bilinear", "_near_prior"}  # come first, as they leave the hooks to the shell
    shells = [f"metricnets.linear.{name}" for name in SHELLS["linear"] - of_parts]
    learners = {name: getattr(metricnets.linear, name) for name in metricnets.linear.__all__}
    for name, cls in learners.items():
        assert cls.__module__ not in shells
        assert cls.__bases__[-1].__module__ in shells, f"{name}: the shell declares hooks, and would hide the method's"
        assert {base.__module__ for base in cls.__bases__[:-1]} <= {cls.__module__}


def test_heavy_and_private_imports_are_where_they_belong():
    for module in FILES:
        tops = {name.split(".")[0] for name in imports(module)}
        assert "torch" not in tops or part(module) in TORCH or module == TORCH_IN_FILES, module
        assert "skorch" not in tops or module.startswith(SKORCH), module
        of_scikit_learn = [name for name in imports(module) if name.startswith("sklearn.")]
        private = [name for name in of_scikit_learn if any(part[0] == "_" for part in name.split("."))]
        assert not private or module in PRIVATE_SCIKIT_LEARN, (module, private)


def test_nothing_is_printed():
    for module in FILES:
        calls = [node.func for node in nodes(module) if isinstance(node, ast.Call)]
        assert "print" not in [call.id for call in calls if isinstance(call, ast.Name)], module


def test_public_names_are_found_and_listed():
    assert metricnets.__all__ == sorted(metricnets.__all__)
    assert set(metricnets.__all__) <= set(dir(metricnets))
    for name in metricnets.__all__:
        assert getattr(metricnets, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        metricnets.Nonsense  # noqa: B018


# Statements, and what is not imported when all up to this one have run.
LIGHT = [
    ("import metricnets", ["sklearn", "torch", "numpy"]),
    ("import metricnets.relations, metricnets.samplers", ["sklearn", "torch"]),
    ("import metricnets.calibration, metricnets._targets, metricnets.base", ["torch", "skorch"]),
    ("import metricnets._numpy_networks, metricnets.predictors._mlknn", ["torch", "skorch"]),
    ("from metricnets import LDA, Covariance; LDA(), Covariance()", ["torch", "skorch"]),
    ("from metricnets import metric_learn; metric_learn.ITML(), metric_learn.base_metric", ["torch", "skorch"]),
    ("from metricnets import SourceOnly; SourceOnly()", ["torch", "skorch"]),
    ("import metricnets; metricnets.inspection.hard_negatives", ["torch", "skorch"]),
    ("from metricnets.tracking import MetricTracker; MetricTracker()", ["torch", "skorch"]),
    ("import metricnets; metricnets.datasets.make_pairs", ["torch", "skorch", "PIL"]),
    ("metricnets.save, metricnets.load, metricnets.to_onnx", ["torch", "skorch", "safetensors", "onnx"]),
    ("import metricnets; metricnets.metrics.get_scorer, metricnets.protocols.transfer", ["torch", "skorch"]),
    (
        "import metricnets; [*map(metricnets.displays.__getattr__, metricnets.displays.__all__)]",
        ["matplotlib", "torch", "skorch"],
    ),
]


def test_what_an_import_leaves_out():
    check = """
import json, sys

for code, absent in json.loads(sys.stdin.read()):
    exec(code)
    print([code, [name for name in absent if name in sys.modules]])
"""
    run = subprocess.run(
        [sys.executable, "-c", check],
        input=json.dumps(LIGHT),
        capture_output=True,
        text=True,
        cwd=ROOT.parent,
        check=True,
    )
    assert run.stdout.splitlines() == [str([code, []]) for code, _ in LIGHT]
