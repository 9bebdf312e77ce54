"""What loaders return, and what their docstrings have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from metricnets._documentation import filled, sections
from metricnets._lazy import needed

documented = filled(
    download="""data_home : str, path-like or None, default=None
    Folder of all data sets; None for scikit-learn's, see :func:`sklearn.datasets.get_data_home`.  The files are
    in a subfolder of it.
download_if_missing : bool, default=True
    Whether to download files that are not in the folder; otherwise they raise an OSError.""",
    retries="""n_retries : int >= 1, default=3
    How often to try again after a failure of the network.
delay : float > 0, default=1.0
    Seconds between attempts.""",
    return_X_y="""return_X_y : bool, default=False
    Whether to return ``(data, target)`` instead of a Bunch.""",
    as_frame="""as_frame : bool, default=False
    Whether ``data`` and ``target`` are pandas objects; the Bunch then also has ``frame`` with the columns of both.""",
    errors="""OSError
    If a file is not available, or damaged; the message names the file and its URL.""",
)


def check(what: str, found: Any, expected: Any) -> None:
    """Raise ValueError unless the contents of a file are those of the data set."""
    if found != expected:
        raise ValueError(f"{what}: {found}, expected {expected}")


def classes(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Number classes from 0 that a file numbers from 1, after a check that they are these."""
    codes = np.asarray(labels).ravel().astype(np.int64) - 1
    check("classes", np.unique(codes).tolist(), list(range(n_classes)))
    return codes


def numbered(prefix: str, n: int) -> list[str]:
    """Names of columns whose file has none.

    >>> numbered("bin", 3)
    ['bin0', 'bin1', 'bin2']
    """
    return [f"{prefix}{i}" for i in range(n)]


def check_as_frame(as_frame: bool) -> None:
    """Raise ImportError, before anything is downloaded, if data frames are asked for and pandas is not installed."""
    if as_frame:
        needed("pandas", "as_frame=True")


def answer(
    contents: Bunch, loader: Callable, return_X_y: bool, as_frame: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Add a description, convert to data frames, and select data and target, as scikit-learn's loaders do."""
    contents.DESCR = sections(loader.__doc__).get("", "")
    if as_frame:
        _frame(contents)
    return (contents.data, contents.target) if return_X_y else contents


def _frame(contents):
    pandas = needed("pandas", "as_frame=True")
    contents.data = pandas.DataFrame(contents.data, columns=contents.feature_names)
    if contents.target.ndim == 2:
        contents.target = pandas.DataFrame(contents.target, columns=contents.target_names)
    else:
        contents.target = pandas.Series(contents.target, name="target")
    contents.frame = pandas.concat([contents.data, contents.target], axis=1)
