"""Files that are complete or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path


def path_of(path: str | os.PathLike[str]) -> str:
    """Return a path as a string; TypeError if it is none, such as an open file."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r:.80} should be the name of a file, a string or a pathlib.Path.")
    return os.fspath(path)


def write_whole(path: str | os.PathLike[str], data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a new file, whole or part by part.

    It takes the place of an older one at the end, and is removed after an error.
    """
    final = Path(os.path.realpath(path))
    if final.is_dir() or not final.parent.is_dir():
        missing = f"{final} is a folder" if final.is_dir() else f"there is no folder {final.parent}"
        raise (IsADirectoryError if final.is_dir() else FileNotFoundError)(f"{path} cannot be written: {missing}.")
    new = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    try:
        with open(new, "xb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            shutil.copymode(final, new)
        new.replace(final)
    finally:
        new.unlink(missing_ok=True)
