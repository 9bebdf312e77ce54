"""What the protocols share: fitting what embeds, times, tables."""

import time

import numpy as np
from sklearn.base import clone


def fitted_embedding(estimator, X, y=None):
    """Return a function from points to embeddings, fitted to the data if it learns from data."""
    if hasattr(estimator, "transform"):
        return clone(estimator).fit(X, y).transform
    if estimator is not None and not callable(estimator):
        raise ValueError(f"estimator={estimator!r} should have transform, or be a function of points, or None.")
    return estimator or np.asarray


def times(begin, fitted):
    """Seconds of fitting, which has ended, and of scoring, which ends now."""
    return {"fit_time": fitted - begin, "score_time": time.perf_counter() - fitted}


def table(results):
    """From a dictionary for each fold to a dictionary of arrays."""
    return {name: np.array([result[name] for result in results]) for name in results[0]}
