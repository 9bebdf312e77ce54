"""metricnets: metric learning, linear and deep, for people who live in scikit-learn."""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Covariance": "linear._covariance",
    "DDML": "deep._ddml",
    "DDMLPairs": "deep._ddml",
    "DTML": "deep._dtml",
    "EmbeddingNet": "deep._embedding",
    "HRAML": "deep._hraml",
    "LDA": "linear._lda",
    "Mahalanobis": "deep._mahalanobis",
    "SourceOnly": "neighbors._source_only",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name when it is first used: ``LDA`` must not cost an import of PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module 'metricnets' has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"metricnets.{_HOME[name]}"), name)
    return globals()[name]


def __dir__():
    return sorted([*globals(), *_HOME])
