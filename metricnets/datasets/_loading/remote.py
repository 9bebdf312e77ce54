"""Files of data sets: downloaded once, checked, and remembered by their checksums."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

from sklearn.datasets import get_data_home

from metricnets._checks import check_count, check_positive
from metricnets.exceptions import warn

TIMEOUT = 60  # seconds without an answer
BLOCK = 2**16
TEMPORARY = {408, 425, 429}  # HTTP errors below 500 after which another attempt is worthwhile
Contents = TypeVar("Contents")


class RemoteFile(NamedTuple):
    """A file of a data set.

    Attributes
    ----------
    filename : str
        Its name in the folder of the data set.
    url : str or None
        Where it is downloaded from; None if it can only be put in the folder by hand.
    checksum : str or None
        Its SHA-256.  None if its authors do not publish one: then that of the first file whose contents are right is
        recorded beside it, and later ones are compared with it.
    """

    filename: str
    url: str | None
    checksum: str | None = None


class Options(NamedTuple):
    """Parameters that all loaders have; `metricnets.datasets._loading.results` documents them."""

    data_home: str | os.PathLike | None
    download_if_missing: bool
    n_retries: int
    delay: float


def load(
    folder: str, files: Sequence[RemoteFile], read: Callable[..., Contents], options: Options, source: str = ""
) -> Contents:
    """Read the files of a data set, after download of those that are missing.

    Parameters
    ----------
    folder : str
        Name of the data set.
    files : sequence of RemoteFile
    read : callable
        Reads the data set from the paths of the files; raises an exception if they are damaged.
    options : Options
    source : str, default=""
        Where to get files without a URL, for the error message.

    Returns
    -------
    contents : what ``read`` returns

    Raises
    ------
    OSError
        If a file is missing or damaged.  A file that was downloaded and cannot be read is deleted.
    """
    check_count(n_retries=options.n_retries)
    check_positive(delay=options.delay)
    paths = [home(folder, options) / file.filename for file in files]
    new = [path for file, path in zip(files, paths) if _provide(file, path, options, source)]
    try:
        contents = read(*paths)
    except MemoryError:
        raise
    except Exception as error:
        for path in new:
            path.unlink(missing_ok=True)
        if new:
            advice = "The server did not send the file; try again later."
        elif any(file.url for file in files):
            advice = "Delete it to download it again."
        else:
            advice = f"Put the right file there by hand. {source}"
        raise OSError(f"{' or '.join(map(str, paths))} is damaged: {error!r:.300}. {advice}") from error
    for path in paths:
        _record(path)
    return contents


def home(folder: str, options: Options) -> Path:
    """Path of the folder of a data set, below scikit-learn's data home."""
    return Path(get_data_home(options.data_home)) / "metricnets" / folder


def _provide(file, path, options, source):
    """Check the file if it is there, else download it; whether it was downloaded."""
    if path.exists():
        _verify(path, file, path, f"delete {path} to download it again")
        return False
    if file.url is None:
        raise OSError(f"{path} is not there, and has no URL to be downloaded from; put it there by hand. {source}")
    if not options.download_if_missing:
        raise OSError(f"{path} is not there, and download_if_missing=False; it is available from {file.url}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path) as temporary:
        _download(file.url, path, temporary, options)
        _verify(temporary, file, path, f"what {file.url} sent is not kept")
    return True


def _download(url, path, temporary, options):
    for n_left in range(options.n_retries, -1, -1):
        try:
            return _transfer(url, temporary)
        except (OSError, HTTPException) as error:
            final = isinstance(error, HTTPError) and error.code < 500 and error.code not in TEMPORARY
            if final or not n_left:
                raise OSError(
                    f"{url} cannot be downloaded: {error}. If you can get the file elsewhere, put it at {path}."
                ) from error
            warn(f"{url} cannot be downloaded: {error}. Retries left: {n_left}.")
            time.sleep(options.delay)


def _transfer(url, temporary):
    with urlopen(url, timeout=TIMEOUT) as response, temporary.open("wb") as file:
        announced = response.headers.get("Content-Length")
        while block := response.read(BLOCK):
            file.write(block)
        if announced is not None and file.tell() != int(announced):
            raise OSError(f"the transfer ended after {file.tell()} of {announced} bytes")


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Path of a temporary file that replaces ``path`` at the end, and is deleted after an error."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)


def _verify(written, file, path, advice):
    recorded = None if file.checksum else _recorded(path)
    expected = file.checksum or recorded
    if expected and (found := _sha256(written)) != expected:
        why = f"that of the first download, which {_sidecar(path)} holds" if recorded else "which is published"
        raise OSError(f"{path} has the SHA-256 {found}, and should have {expected}, {why}; {advice}.")


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sidecar(path):
    return path.with_name(path.name + ".sha256")


def _recorded(path):
    return _sidecar(path).read_text().strip() if _sidecar(path).exists() else None


def _record(path):
    if not _sidecar(path).exists() and os.access(path.parent, os.W_OK):
        with _temporary(_sidecar(path)) as temporary:
            temporary.write_text(_sha256(path) + "\n")
