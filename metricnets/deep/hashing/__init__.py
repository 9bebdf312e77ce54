"""Deep hashing: networks whose embeddings are binary codes."""

from metricnets._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
