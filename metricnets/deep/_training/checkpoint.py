"""Checkpoints: the state of training in files, from which the same call goes on after it was ended."""

import contextlib
import contextvars
import math
import os
import time
from numbers import Integral, Real
from pathlib import Path

from metricnets.deep._training.checkpoint_files import before, packed, replace, unpacked
from metricnets.exceptions import did_you_mean, warn

OPTIONS = {"folder": None, "minutes": 0.5, "epochs": 1, "keep": False}
SHARE = 0.01  # of the time, that writing takes at most, unless minutes=0
journal = contextvars.ContextVar("journal", default=None)  # of the fit that is under way


@contextlib.contextmanager
def journaled(checkpoint, random_state, writes=True):
    """Context of a fit that is recorded in files; they are removed when it has ended well."""
    if journal.get() is not None:  # a fit that is part of another
        yield
        return
    if random_state is None:
        raise ValueError(
            f"checkpoint={checkpoint!r} needs a seed: with random_state=None each fit draws other numbers, and cannot "
            "go on with those of another. Set random_state to an int."
        )
    recorded = Journal(checkpoint, writes)
    try:
        journal.set(recorded)  # within, as an interrupt may come as soon as it is set
        yield
    finally:
        journal.set(None)
    recorded.finish()


class Journal:
    """The files of a fit, one for each network that it trains.

    Parameters
    ----------
    checkpoint : str, path or dict
        A folder, or options by name.
    writes : bool, default=True
        Whether this process has the files; of several that train together the first one has them.

    Raises
    ------
    ValueError
        If an option is wrong, or the folder cannot be made or written to.
    """

    def __init__(self, checkpoint, writes=True):
        self.options, self.writes = checked(checkpoint), writes
        self.folder = Path(self.options["folder"])
        self.paths, self.pending = [], {}  # states that are not written yet
        self.last, self.cost, self.failed = time.monotonic(), 0.0, False
        if not writes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint={checkpoint!r} should be a folder that exists or can be made: {error}"
            ) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ValueError(f"checkpoint={checkpoint!r} is a folder that cannot be written to; give another one.")

    def path(self, name, digest):
        """The file of a network; the digest is that of all that its training depends on."""
        self.paths.append(self.folder / f"{name}-{digest}.checkpoint")
        return self.paths[-1]

    def is_due(self, epoch):
        """Whether to write after this epoch."""
        minutes = self.options["minutes"]
        pause = max(60 * minutes, self.cost / SHARE) if minutes else 0
        return epoch % self.options["epochs"] == 0 and time.monotonic() - self.last >= pause

    def put_off(self, path, state):
        """Keep a state, which is written with the next one."""
        self.pending[path] = packed(state)

    def write(self, path, state):
        """Write a state, and those that were put off."""
        start = time.monotonic()
        self.put_off(path, state)
        self.flush()
        self.last = time.monotonic()
        self.cost = self.last - start

    def flush(self):
        """Write what was put off; if that fails, say so, and go on."""
        for path in list(self.pending):
            try:
                replace(path, self.pending[path])
            except OSError as error:
                if not self.failed:
                    warn(
                        f"checkpoint {path} cannot be written: {error}. Training goes on, and is written again later; "
                        "until then the same call would go on from the file before it."
                    )
                self.failed = True
                return
            del self.pending[path]
        self.failed = False

    def read(self, path):
        """The last state that is in a file of this path and can be used; None if there is none."""
        for file, instead in ((path, "the one before it is used, if there is one"), (before(path), "it is not used")):
            try:
                return unpacked(file.read_bytes())
            except FileNotFoundError:
                pass
            except (OSError, ValueError) as error:
                warn(f"checkpoint {file} {error}; {instead}.")
        return None

    def finish(self):
        """Remove the files, or complete them if they are to be kept."""
        if not self.writes:
            return
        if self.options["keep"]:
            self.flush()
        names = os.listdir(self.folder) if self.folder.is_dir() else []  # Python keeps the patterns of a glob
        for path in self.paths:
            of_killed = [self.folder / name for name in names if name.startswith(f".{path.name}.")]
            unneeded = [before(path), *of_killed]
            for file in unneeded if self.options["keep"] else [path, *unneeded]:
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)


def checked(checkpoint):
    """The options of a ``checkpoint``; ValueError if one is wrong."""
    given = checkpoint if isinstance(checkpoint, dict) else {"folder": checkpoint}
    for name in given.keys() - OPTIONS:
        raise ValueError(f"checkpoint has {name!r}; its options are {', '.join(OPTIONS)}.{did_you_mean(name, OPTIONS)}")
    options = OPTIONS | given
    valid = {
        "folder": ("a path, a string or a pathlib.Path", isinstance(options["folder"] or None, str | os.PathLike)),
        "minutes": ("a number >= 0", isinstance(options["minutes"], Real) and 0 <= options["minutes"] < math.inf),
        "epochs": ("an integer >= 1", isinstance(options["epochs"], Integral) and options["epochs"] >= 1),
        "keep": ("True or False", isinstance(options["keep"], bool)),
    }
    for name, (expected, is_valid) in valid.items():
        if not is_valid:
            raise ValueError(f"checkpoint has {name}={options[name]!r}, which should be {expected}.")
    return options
