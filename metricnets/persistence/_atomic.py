"""Files that are complete or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a new file, which takes the place of an older one at the end, and is removed after an error."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"path should be the name of a file, got {type(path).__name__}; the estimator comes first.")
    final = Path(os.path.realpath(path))
    if not final.parent.is_dir():
        raise FileNotFoundError(f"{final.name} cannot be written: there is no folder {final.parent}.")
    new = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    try:
        with open(new, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(final)
    finally:
        new.unlink(missing_ok=True)
