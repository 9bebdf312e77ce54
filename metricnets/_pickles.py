"""Pickles that name the version that wrote them."""

from metricnets._version import __version__
from metricnets.exceptions import InconsistentVersionWarning, warn

KEY = "_metricnets_version"


class Versioned:
    """An object whose pickle names the version that wrote it; other versions warn when they read it."""

    def __getstate__(self):
        return {**super().__getstate__(), KEY: __version__}

    def __setstate__(self, state):
        state = dict(state)
        found = state.pop(KEY, None)
        if found != __version__:
            warn(InconsistentVersionWarning(type(self).__name__, found, __version__))
        vars(self).update(state)
