"""Files of data sets: MATLAB's, archives of files, images."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

import numpy as np
from scipy.io import loadmat

from metricnets._lazy import needed


def matlab(source: Path | bytes) -> dict[str, Any]:
    """Variables of a file of MATLAB by name, without axes of length 1; cells are arrays of objects."""
    return loadmat(BytesIO(source) if isinstance(source, bytes) else source, squeeze_me=True)


class Archive:
    """A zip archive whose files are read by the end of their path, in lower case.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        self.files: dict[str, list[tuple[PurePosixPath, bytes]]] = {}
        with ZipFile(path) as file:
            for name in file.namelist():
                if not name.endswith("/") and "__MACOSX" not in name:
                    member = PurePosixPath(name.lower())
                    self.files.setdefault(member.name, []).append((member, file.read(name)))

    def __getitem__(self, end: str) -> bytes:
        """Contents of the file whose path ends so, such as ``"data/a.mat"`` or ``"a.mat"``."""
        wanted = PurePosixPath(end.lower())
        found = [contents for member, contents in self.files.get(wanted.name, []) if _ends(member, wanted)]
        if len(found) != 1:
            raise KeyError(f"the archive has {len(found)} files {end}, and should have one")
        return found[0]

    def names(self, folder: str) -> list[str]:
        """Sorted names of the files of a folder, whose path ends with this folder."""
        wanted = PurePosixPath(folder.lower())
        members = [member for same in self.files.values() for member, _ in same]
        return sorted(member.name for member in members if _ends(member.parent, wanted))


def _ends(path, end):
    return path.parts[-len(end.parts) :] == end.parts


def grey(image: bytes) -> np.ndarray:
    """Decode an image to grey levels, an array of uint8 of shape (height, width)."""
    return np.asarray(needed("PIL.Image", "fetch_kinfacew").open(BytesIO(image)).convert("L"))
