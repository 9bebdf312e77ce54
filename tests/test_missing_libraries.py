"""Where a library is missing, what does not need it works, and what needs it says what to install."""

import importlib
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
from discovery import METRICS, fitted, needs_torch, quick, tiny_points, training_data
from threadpoolctl import threadpool_info

import metricnets
from metricnets._lazy import needed

DEEP = sorted(metricnets.deep.__all__)
NEED_TORCH = [*DEEP, "losses", "networks", "divergences"]


@pytest.fixture
def without(monkeypatch):
    """A function that makes libraries missing, and forgets what was imported with their help."""

    def hide(*libraries):
        for name in [name for name in sys.modules if name.split(".")[0] == "metricnets"]:
            monkeypatch.delitem(sys.modules, name)
        for name in libraries:
            monkeypatch.setitem(sys.modules, name, None)
        return importlib.import_module("metricnets")

    return hide


@pytest.mark.parametrize("name", NEED_TORCH)
def test_what_needs_pytorch_says_so(name, without):
    package = without("torch")
    with pytest.raises(ImportError, match=rf"^{name} needs PyTorch, which is not installed: pip install torch"):
        getattr(package, name)


@pytest.mark.parametrize("name", DEEP)
def test_subpackages_say_so_too(name, without):
    deep = without("torch").deep
    with pytest.raises(ImportError, match=rf"^{name} needs PyTorch"):
        getattr(deep, name)


@needs_torch  # which is missed first
@pytest.mark.parametrize("name", DEEP)
def test_what_needs_skorch_says_so(name, without):
    package = without("skorch")
    with pytest.raises(ImportError, match=rf"^{name} needs skorch, which is not installed: pip install skorch"):
        getattr(package, name)


def test_a_bar_needs_tqdm_and_says_so(monkeypatch):
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="^verbose=True needs tqdm, which is not installed: pip install tqdm"):
        quick("NCA", verbose=True).fit(*training_data("NCA"))


def test_an_index_needs_faiss_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        ImportError, match=r"^FaissKNeighborsTransformer needs FAISS, .* pip install 'metricnets\[faiss\]'"
    ):
        metricnets.FaissKNeighborsTransformer().fit(np.eye(8))


@pytest.mark.parametrize("name", ["from_arrow", "from_parquet"])
def test_stored_columns_need_pyarrow_and_say_so(name, monkeypatch):
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"^Batches.{name} needs pyarrow, .* pip install 'metricnets\[arrow\]'"):
        getattr(metricnets.datasets.Batches, name)("points.parquet")


def test_callbacks_need_a_newer_scikit_learn_and_say_so(without):
    package = without("sklearn.callback")
    learner = package.NCA(max_iter=2, tol=1.0).fit(*training_data("NCA"))
    with pytest.raises(AttributeError, match=r"^set_callbacks needs scikit-learn 1\.9 or newer, and this is"):
        learner.set_callbacks()


def test_another_missing_module_is_no_missing_library():
    with pytest.raises(ModuleNotFoundError, match="^No module named 'metricnets.nonsense'"):
        needed("metricnets.nonsense", "LDA")


ONLY_LINEAR = """
import importlib.util, pickle, sys, warnings

MISSING = ("torch", "skorch", "tqdm", "pandas", "matplotlib", "pytorch_metric_learning")
found = importlib.util.find_spec


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
importlib.util.find_spec = lambda name: None if name in MISSING else found(name)
sys.path[:0] = sys.argv[1:3]

import numpy as np
from discovery import METRICS, quick, tiny_points, training_data
from metricnets import AAKNN, MLKNN, PairsClassifier, SourceOnly, calibration, constraints, metric_learn, metrics
from metricnets import load, protocols, relations, samplers, save, show_versions

X, y = tiny_points()
for name in METRICS:
    learner = quick(name).fit(*training_data(name))
    pickle.loads(pickle.dumps(learner)).get_metric()(X[0], X[1])
print("distances:", *[load(file)(X[0], X[1]) for file in sys.argv[3:]])
for predictor in (MLKNN(metric=quick("RAML")), AAKNN()):
    predictor.fit(X, np.eye(3)[y]).predict(X)
protocols.multilabel_split, metrics.retrieval_scores(X, y)
show_versions()
print(*METRICS)
"""


def test_everything_linear_works_with_scikit_learn_alone(tmp_path):
    places = [Path(metricnets.__file__).parents[1], Path(__file__).parent]
    metrics = {tmp_path / name: fitted(name).get_metric() for name in ("EmbeddingNet", "LDA") if name in METRICS}
    for file, metric in metrics.items():
        metricnets.save(metric, file)
    command = [sys.executable, "-W", "ignore", "-c", ONLY_LINEAR, *map(str, places), *map(str, metrics)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    *_, names = run.stdout.splitlines()
    assert names.split() == [name for name in METRICS if name not in DEEP]
    (distances,) = re.findall("^distances: (.*)", run.stdout, re.M)
    assert distances.split() == [str(metric(*tiny_points()[0][:2])) for metric in metrics.values()]


@needs_torch
def test_a_file_of_a_network_needs_pytorch_and_says_so(without, tmp_path):
    metricnets.save(fitted("EmbeddingNet"), tmp_path / "file")
    package = without("torch")
    with pytest.raises(ImportError, match="^a file with a network needs PyTorch"):
        package.load(tmp_path / "file")


def test_loading_a_file_needs_safetensors_and_says_so(without, tmp_path):
    package = without("safetensors", "safetensors.numpy")
    package.save(package.LDA(), tmp_path / "file")
    with pytest.raises(ImportError, match=r"^load needs safetensors, .*: pip install 'metricnets\[files\]'"):
        package.load(tmp_path / "file")


def test_a_file_of_a_data_frame_needs_pandas_and_says_so(without, tmp_path):
    frame = pytest.importorskip("pandas").DataFrame(np.eye(2))
    metricnets.save(metricnets.LDA(preprocessor=frame), tmp_path / "file")
    package = without("pandas")
    with pytest.raises(ImportError, match=r"^a file with a data frame needs pandas, .*'metricnets\[pandas\]'"):
        package.load(tmp_path / "file")


def test_show_versions_names_what_matters(capsys):
    metricnets.show_versions()
    shown = dict(re.findall(r"^ *(\S+): (.+)", capsys.readouterr().out, re.M))
    assert shown["metricnets"] == metricnets.__version__
    assert shown["python"].startswith(".".join(map(str, sys.version_info[:3])))
    for name in ("numpy", "scipy", "scikit-learn", "torch", "skorch"):
        try:
            assert shown[name] == version(name)
        except PackageNotFoundError:
            assert shown[name] == "not installed"
    for pool in threadpool_info():
        assert pool["internal_api"] == "openmp" or pool["architecture"] in shown[Path(pool["filepath"]).name]
