"""What the classes of metric-learn have in addition: positional arguments and a few methods."""

import functools
import inspect
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from metricnets._tuples import as_function
from metricnets.calibration import check_strategy
from metricnets.exceptions import warn


class Compatible:
    """Mixin with metric-learn's constructor, to the left of the learner.

    The class keyword ``positional`` names the parameters that may be passed by position, in their order; subclasses
    without a constructor inherit them.
    """

    _positional = ()

    def __init_subclass__(cls, positional="", **kwargs):
        has_own = "__init__" in vars(cls)
        super().__init_subclass__(**kwargs)
        cls._positional = tuple(positional.split()) or cls._positional
        if cls._positional and not has_own:
            cls.__init__ = _taking(cls.__init__, cls._positional)

    @property
    def preprocessor_(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The preprocessor as a function of indicators, or None."""
        check_is_fitted(self)
        return as_function(self.preprocessor)

    def score_pairs(self, pairs: ArrayLike) -> np.ndarray:
        """Return the distances of pairs, as ``pair_distance`` does, with a FutureWarning.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Pairs of points.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
        """
        check_is_fitted(self)
        warn(
            "score_pairs will be deprecated in release 0.7.0. Use pair_score to compute similarity scores, "
            "or pair_distances to compute distances.",
            FutureWarning,
        )
        return self.pair_distance(pairs)


class CompatiblePairs(Compatible):
    """Mixin for learners from pairs."""

    _validate_calibration_params = _check_strategy = staticmethod(check_strategy)  # what has no effect is ignored


def _taking(init, names):
    """Let a keyword-only constructor take the parameters of these names by position, in this order."""

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):  # noqa: N807
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} takes {len(names)} arguments by position; got {len(args)}.")
        init(self, **dict(zip(names, args)), **kwargs)

    own, *parameters = inspect.signature(init).parameters.values()
    order = [*names, *(p.name for p in parameters if p.name not in names)]
    by_name = {p.name: p for p in parameters}
    by_name |= {name: by_name[name].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names}
    __init__.__signature__ = inspect.Signature([own, *(by_name[name] for name in order)])
    return __init__
