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


class Archive(ZipFile):
    """A zip archive whose files are read by the end of their path; the case of letters does not matter.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        super().__init__(path)
        self.members: dict[str, list[str]] = {}  # paths by the name of the file
        for name in self.namelist():
            if not name.endswith("/") and "__MACOSX" not in name:
                self.members.setdefault(PurePosixPath(name.lower()).name, []).append(name)

    def __getitem__(self, end: str) -> bytes:
        """Contents of the file whose path ends so, such as ``"data/a.mat"`` or ``"a.mat"``."""
        found = [name for name in self.members.get(PurePosixPath(end.lower()).name, []) if _ends(name, end)]
        if len(found) != 1:
            raise KeyError(f"the archive has {len(found)} files {end}, and should have one")
        return self.read(found[0])

    def names(self, folder: str, suffix: str) -> list[str]:
        """Sorted names, in lower case, of the files of a kind in a folder; ``folder`` is the end of its path."""
        names = [name for name in self.members if name.endswith(suffix)]
        paths = [PurePosixPath(path) for name in names for path in self.members[name]]
        return sorted(path.name.lower() for path in paths if _ends(path.parent, folder))


def _ends(path, end):
    path, end = (PurePosixPath(str(part).lower()).parts for part in (path, end))
    return path[-len(end) :] == end


def grey(image: bytes) -> np.ndarray:
    """Decode an image to grey levels, an array of uint8 of shape (height, width)."""
    return np.asarray(needed("PIL.Image", "fetch_kinfacew").open(BytesIO(image)).convert("L"))
