"""MMC as in metric-learn."""

import numpy as np

from metricnets._params import Count
from metricnets.linear import _mmc
from metricnets.metric_learn._compatible import Compatible, CompatiblePairs

__all__ = ["MMC", "MMC_Supervised", "_BaseMMC"]


class _BaseMMC(_mmc._BaseMMC):
    """The parameters of metric-learn that `metricnets.MMC` does not have.

    Parameters
    ----------
    max_proj : int >= 1, default=10000
        Has no effect: no projections are needed.

    Attributes
    ----------
    A_ : ndarray of shape (n_features, n_features)
        The learned matrix M.
    """

    max_proj: Count = 10000

    @property
    def A_(self) -> np.ndarray:  # noqa: N802
        """The learned matrix M, what ``get_mahalanobis_matrix`` returns."""
        return self.get_mahalanobis_matrix()


class MMC(
    CompatiblePairs,
    _mmc.MMC,
    _BaseMMC,
    positional="max_iter max_proj tol init diagonal diagonal_c verbose preprocessor random_state",
):
    """`metricnets.MMC` with the arguments by position and the methods of metric-learn."""


class MMC_Supervised(  # noqa: N801
    Compatible,
    _mmc.MMC_Supervised,
    _BaseMMC,
    positional="max_iter max_proj tol n_constraints init diagonal diagonal_c verbose preprocessor random_state",
):
    """`metricnets.MMC_Supervised` with the arguments by position and the methods of metric-learn."""
