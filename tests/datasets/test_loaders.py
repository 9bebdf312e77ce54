"""Loaders on files in the original formats, with made contents."""

import inspect
import sys

import dataset_files
import numpy as np
import pytest
from dataset_files import archive, matlab, serving

from metricnets import datasets
from metricnets._documentation import entries
from metricnets.datasets import _banking77, _mulan
from metricnets.datasets._loading import arff

FETCH = {name.removeprefix("fetch_"): getattr(datasets, name) for name in datasets.__all__ if name[0] == "f"}
KEYWORDS = {"mulan": {"name": "flags"}, "ldl": {"name": "Yeast_spoem"}}
FRAMES = [name for name, fetch in FETCH.items() if "as_frame" in inspect.signature(fetch).parameters]
SHAPES = {
    "banking77": 13083,
    "binary_alphadigits": (1404, 320),
    "caltech_silhouettes": (8671, 784),
    "kinfacew": (1066, 4096),
    "ldl": (2465, 24),
    "mnist_usps": (3800, 256),
    "mulan": (194, 19),
    "office_caltech": (2533, 800),
    "viper": (1264, 76),
    "wikipedia": (2866, 138),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The home of files of all data sets, and for each what is in them."""
    home, truths = tmp_path_factory.mktemp("home"), {}
    for name in FETCH:
        files, truths[name] = getattr(dataset_files, name)()
        put(home, name, files)
    return home, truths


@pytest.fixture(autouse=True)
def no_published_checksums(monkeypatch):
    monkeypatch.setattr(_banking77, "FILES", [file._replace(checksum=None) for file in _banking77.FILES])


def put(home, name, files):
    folder = home / "metricnets" / name
    folder.mkdir(parents=True, exist_ok=True)
    for filename, contents in files.items():
        (folder / filename).write_bytes(contents)


def fetched(name, home, **options):
    return FETCH[name](**KEYWORDS.get(name, {}), data_home=home, **options)


@pytest.mark.parametrize("name", FETCH)
def test_every_loader_returns_a_bunch_or_data_and_target(name, made):
    home, _ = made
    found = fetched(name, home)
    assert np.shape(found.data)[: np.ndim(SHAPES[name]) + 1] == np.zeros(SHAPES[name]).shape
    assert found.DESCR.startswith("Load ")
    X, y = fetched(name, home, return_X_y=True)
    assert len(X) == len(y)
    np.testing.assert_array_equal(y, found.target)
    if name != "kinfacew":  # which returns pairs of points
        np.testing.assert_array_equal(X, found.data)
    if "train" in found:
        parts = [found[part] for part in ("train", "validation", "test") if part in found]
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(len(found.data)))


@pytest.mark.parametrize("name", datasets.__all__)
def test_a_docstring_lists_exactly_the_parameters(name):
    listed = [part for key in entries(getattr(datasets, name).__doc__, "Parameters") for part in key.split(", ")]
    assert sorted(listed) == sorted(inspect.signature(getattr(datasets, name)).parameters)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_hold_the_same_data(name, made):
    pandas = pytest.importorskip("pandas")
    home, _ = made
    arrays, found = fetched(name, home), fetched(name, home, as_frame=True)
    assert isinstance(found.data, pandas.DataFrame)
    np.testing.assert_array_equal(found.data, arrays.data)
    np.testing.assert_array_equal(found.target, arrays.target)
    assert found.data.columns.tolist() == arrays.feature_names
    targets = arrays.target_names if arrays.target.ndim == 2 else ["target"]
    assert found.frame.columns.tolist() == [*arrays.feature_names, *targets]


@pytest.mark.parametrize("name", FETCH)
def test_a_damaged_file_is_named(name, tmp_path):
    files, _ = getattr(dataset_files, name)()
    put(tmp_path, name, {filename: contents[: len(contents) // 2] for filename, contents in files.items()})
    with pytest.raises(OSError, match=rf"{next(iter(files))}.* is damaged"):
        fetched(name, tmp_path)


def test_label_sets_and_their_split(made):
    home, truths = made
    flags, parts = fetched("mulan", home), truths["mulan"]
    for part, (X, Y) in parts.items():
        np.testing.assert_array_equal(flags.data[flags[part]], X)
        np.testing.assert_array_equal(flags.target[flags[part]], Y)
    assert flags.nominal.tolist() == [True] + 18 * [False]
    assert flags.feature_names[:2] == ["zone", "feature 1"]
    assert flags.target_names == [f"label{i}" for i in range(7)]


def test_label_distributions(made):
    home, truths = made
    np.testing.assert_allclose(fetched("ldl", home).target, truths["ldl"])


@pytest.mark.parametrize("by_hand", [False, True])
def test_domains_come_from_the_archive_or_from_single_files(by_hand, made, tmp_path):
    home, truths = made
    if by_hand:
        home = tmp_path
        put(home, "office_caltech", truths["office_caltech"])
    office = fetched("office_caltech", home)
    for domain, n in enumerate([958, 1123, 157, 295]):
        inside = office.domain == domain
        np.testing.assert_array_equal(office.data[inside], np.arange(n * 800).reshape(n, 800) % 7)
        np.testing.assert_array_equal(office.target[inside], np.arange(n) % 10)


def test_digits_of_two_domains(made):
    home, truths = made
    digits = fetched("mnist_usps", home)
    np.testing.assert_allclose(digits.data, truths["mnist_usps"])
    assert np.bincount(digits.domain).tolist() == [2000, 1800]


def test_pairs_of_faces(made):
    home, truths = made
    faces = fetched("kinfacew", home)
    assert len(faces.images) == truths["kinfacew"]
    levels = np.arange(len(faces.images)) % 256
    assert (abs(faces.data - levels[:, None].astype(float)) <= 2).all()  # JPEG rounds
    kin = faces.target == 1
    np.testing.assert_array_equal(faces.pairs[kin, 1], faces.pairs[kin, 0] + 1)
    assert (faces.pairs[~kin, 1] != faces.pairs[~kin, 0] + 1).all()
    assert np.bincount(faces.relation).tolist() == [268, 312, 254, 232]
    pairs = fetched("kinfacew", home, return_X_y=True)[0]
    assert pairs.shape == (1066, 2, 4096)
    np.testing.assert_array_equal(pairs[7], faces.data[faces.pairs[7]])


def test_persons_of_two_cameras(made):
    home, truths = made
    viper, (data, persons) = fetched("viper", home), truths["viper"]
    np.testing.assert_allclose(viper.data, data.T)
    np.testing.assert_array_equal(np.concatenate(viper.splits[42]), persons[42] - 1)
    np.testing.assert_array_equal(viper.target[viper.camera == 0], viper.target[viper.camera == 1])


def test_images_stand_upright(made):
    home, truths = made
    np.testing.assert_array_equal(fetched("binary_alphadigits", home).images, truths["binary_alphadigits"])
    silhouettes, parts = fetched("caltech_silhouettes", home), truths["caltech_silhouettes"]
    np.testing.assert_array_equal(silhouettes.images[silhouettes.validation], parts["val"])
    assert silhouettes.target_names[100] == "class 100"


def test_texts(made):
    home, _ = made
    banking = fetched("banking77", home)
    assert banking.data[5] == "How, 5?"
    assert banking.target_names[banking.target[78]] == "intent 01"


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("ldl", {"Yeast_spoem.mat": matlab(features=np.ones((2465, 23)), labels=np.full((2465, 2), 0.5))}, "sizes"),
        ("ldl", {"Yeast_spoem.mat": matlab(features=np.ones((2465, 24)), labels=np.ones((2465, 2)))}, "sum to 1"),
        ("ldl", {"Yeast_spoem.mat": matlab(other=1)}, "KeyError"),
        ("wikipedia", {"wikipedia_dataset.zip": archive(readme="nothing")}, "0 files raw_features.mat"),
        ("mulan", {"flags.zip": archive(**{"flags-train.arff": "@relation r\n@attribute date date\n@data"})}, "'date'"),
    ],
)
def test_other_contents_are_refused(name, files, message, tmp_path):
    put(tmp_path, name, files)
    with pytest.raises(OSError, match=rf"is damaged: .*{message}"):
        fetched(name, tmp_path)


def test_a_data_set_is_downloaded_from_its_url(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files, _ = dataset_files.mulan()
    with serving() as server:
        server.send("Flags.zip", files["flags.zip"])
        monkeypatch.setattr(_mulan, "URL", server.url + "/{}.zip")
        first, second = (fetched("mulan", tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, second.data)
    assert server.requests == ["/Flags.zip"]


@pytest.mark.parametrize(("name", "option"), [("mulan", "name"), ("ldl", "name"), ("kinfacew", "subset")])
def test_unknown_names_are_refused(name, option, tmp_path):
    with pytest.raises(ValueError, match=f"{option}='flagz' is unknown; it should be one of"):
        FETCH[name]("flagz", data_home=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "module", "message"),
    [
        ("mulan", {"as_frame": True}, "pandas", "as_frame=True needs pandas, which is not installed: pip install"),
        ("kinfacew", {}, "PIL", r"fetch_kinfacew needs Pillow, which is not installed: .*'metricnets\[images\]'"),
    ],
)
def test_what_needs_an_optional_library_says_so(name, options, module, message, made, monkeypatch):
    home, _ = made
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=message):
        fetched(name, home, **options)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_without_pandas_are_refused_before_a_download(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="as_frame=True needs pandas"):
        fetched(name, tmp_path, as_frame=True)
    assert not list(tmp_path.iterdir())


def test_dense_attribute_relation_files_are_read_as_by_scipy():
    from io import StringIO

    from scipy.io.arff import loadarff

    text = """% a comment
@relation made
@attribute 'a b' REAL
@attribute c {no, yes}
@attribute d {3, 1}
@attribute e integer
@data
% another
1.5, yes, 1, 7
-2e3, no, 3, ?
"""
    found, (values, meta) = arff.read(text), loadarff(StringIO(text))
    assert found.names.tolist() == meta.names()
    assert found.nominal.tolist() == [kind == "nominal" for kind in meta.types()]
    np.testing.assert_array_equal(found.values[:, 0], values["a b"])
    np.testing.assert_array_equal(found.values[:, 1], values["c"] == b"yes")
    np.testing.assert_array_equal(found.values[:, 2], values["d"].astype(float))
    np.testing.assert_array_equal(found.values[:, 3], values["e"])


def test_sparse_rows_leave_out_zeros_and_first_values():
    text = "@relation r\n@attribute a numeric\n@attribute b {2, 5}\n@attribute c {x, 'y z'}"
    text += "\n@data\n{0 3}\n{1 5, 2 'y z'}"
    assert arff.read(text).values.tolist() == [[3, 2, 0], [0, 5, 1]]
