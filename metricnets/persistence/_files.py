"""Files of estimators and distances: ``save`` and ``load``."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from metricnets._atomic import path_of, write_whole
from metricnets._lazy import needed
from metricnets._version import __version__
from metricnets.exceptions import SavedFileError
from metricnets.persistence import _containers, _numpy, _objects
from metricnets.persistence._formats import newest, value_of
from metricnets.persistence._names import Names
from metricnets.persistence._tensors import parts_of
from metricnets.persistence._tree import Reader, Writer

KEY = "metricnets"  # of the text in the header
LIBRARIES = ("numpy", "scipy", "sklearn", "torch")


# Kinds of values of libraries that need not be there: where they are, and what a file with one is
OPTIONAL = {"torch": ("_torch", "a file with a network"), "pandas": ("_pandas", "a file with a data frame")}


class Kinds(dict):
    """The kinds of values by name; those of PyTorch and pandas if they are imported, or if a file has one."""

    def __init__(self) -> None:
        optional = [self._of(library) for library in OPTIONAL if library in sys.modules]
        super().__init__(_containers.KINDS | _numpy.KINDS)
        for kinds in (*optional, _objects.KINDS):
            self.update(kinds)

    @staticmethod
    def _of(library):
        module, what = OPTIONAL[library]
        return needed(f"metricnets.persistence.{module}", what).KINDS

    def __missing__(self, name):
        return self._of("pandas" if name == "frame" else "torch")[name]


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator or a distance to a file.

    The file has the arrays in the format of safetensors, and everything else, such as parameters and the versions of
    libraries, in JSON in its header.  What `load` reads from it gives the same results to the last bit, and fits and
    ``partial_fit`` go on as they would have.  The file is complete, or it is not there: an older one is replaced at the
    end.

    Parameters
    ----------
    estimator : object
        An estimator of this package, fitted or not, a pipeline, or what ``get_metric`` returned.
    path : str or path-like
        File to write, such as ``"metric.safetensors"``.

    Raises
    ------
    TypeError
        If a part of the estimator cannot be saved: lambdas, hooks of networks, callbacks, and objects of compiled code.
        The message says where it is.
    ValueError
        If lists, dictionaries and strings take more than 100 MB.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Load what was saved.

    Examples
    --------
    >>> import tempfile
    >>> from metricnets import Covariance, load, save
    >>> metric = Covariance().fit([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [1.0, 2.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(metric, f"{folder}/metric.safetensors")
    ...     loaded = load(f"{folder}/metric.safetensors")
    >>> bool((loaded.components_ == metric.components_).all())
    True
    """
    path, writer = path_of(path), Writer(Kinds())
    tree = writer(estimator, type(estimator).__name__)
    versions = {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules}
    content = {"format": newest(), "versions": {KEY: __version__} | versions, "value": tree}
    text = json.dumps(content | {"crc32": _checksum(content, writer.arrays)})
    write_whole(path, parts_of(writer.arrays, {KEY: text}))


def load(path: str | os.PathLike[str], *, trusted: Iterable[Any] = ()) -> Any:
    """Load an estimator or a distance from a file that `save` wrote.

    No code is run and no module is imported because a file says so: it may name the public classes and functions of
    this package, common steps of scikit-learn and layers of PyTorch, and those in ``trusted``.  Networks are loaded on
    the CPU, whatever the device they were trained on.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : iterable of classes and functions, default=()
        Classes and functions of your own, or of other libraries, that the file may name too, such as a ``module`` or a
        loss.

    Returns
    -------
    estimator : object
        With the same parameters, attributes and results as the one that was saved.

    Raises
    ------
    SavedFileError
        If the file was changed or torn, is none of `save`, is of a newer version of the package, or names a class or
        function that is not known.
    ImportError
        If safetensors is not installed, or PyTorch, which only networks need.
    OSError
        If the file cannot be read.
    TypeError
        If ``trusted`` has something else than classes and functions, such as their names.

    See Also
    --------
    save : Save an estimator.

    Examples
    --------
    See `save`.
    """
    files = needed("safetensors", "load")
    names, path = Names(trusted), path_of(path)
    with open(path, "rb"):  # raises OSError, with the name of the file
        pass
    try:
        with files.safe_open(path, framework="numpy") as file:
            content = _content(file.metadata())
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
        if content.pop("crc32", None) != _checksum(content, arrays):
            raise ValueError("its checksum is wrong: it was changed after it was written, or not written to the end.")
        return Reader(Kinds(), names, arrays)(value_of(content))
    except ImportError:
        raise
    except files.SafetensorError as error:
        reason = (
            f"it is none of metricnets.save, or not complete ({error}). joblib.load reads a pickle, and runs its code."
        )
        raise SavedFileError(path, reason) from error
    except Exception as error:  # whatever a wrong file leads to
        raise SavedFileError(path, error) from error


def _content(metadata):
    """The content of the header; ValueError if it is none of ours."""
    if KEY not in (metadata or {}):
        raise ValueError("it was not written by metricnets.save.")
    return json.loads(metadata[KEY])


def _checksum(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> int:
    """A checksum of a file, of what was read or is to be written."""
    total = zlib.crc32(json.dumps(content).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(array), total)
    return total
