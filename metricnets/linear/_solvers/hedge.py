"""Weights of experts by the Hedge algorithm, with the learning rate of AdaHedge, and its losses for several views."""

from typing import NamedTuple, Self

import numpy as np

SAME = 1e-10  # differences between losses, relative to these, that are rounding
FAR = 500.0  # of logarithms of weights: all are positive


class Hedge(NamedTuple):
    """Cumulative losses of experts, from which their weights follow.

    Weights are in proportion to exp(−η · loss), with the learning rate η = ln(n_experts) / gap, where the gap is by how
    much the losses of the weighted mean exceed the mix losses, −ln(Σ w exp(−η · loss)) / η.  So there is no parameter,
    a common unit of the losses does not matter, and with s the ranges of the losses of each step,

        Σ loss of the mean <= Σ loss of the best expert + √(Σ s² ln n_experts) + max s (4/3 ln n_experts + 2).

    S. de Rooij, T. van Erven, P. Grünwald and W. Koolen, "Follow the leader if you can, hedge if you must", JMLR 2014.

    Parameters
    ----------
    losses : ndarray of shape (n_experts,)
        Sums of losses minus that of the weighted mean.
    gap : float >= 0
    """

    losses: np.ndarray
    gap: float = 0.0

    def weights(self) -> np.ndarray:
        """Weights of the experts, positive, with sum 1; equal as long as all losses were."""
        if not self.gap:
            return np.full(len(self.losses), 1 / len(self.losses))
        weights = np.exp(-np.minimum(self._rate * (self.losses - self.losses.min()), FAR))
        return weights / weights.sum()

    def after(self, losses: np.ndarray, weights: np.ndarray) -> Self:
        """Hedge after a step with these losses, relative to their mean by the weights."""
        mix = least = losses.min()
        if self.gap:
            mix -= np.log(weights @ np.exp(-self._rate * (losses - least))) / self._rate
        return Hedge(self.losses + losses, self.gap + max(0.0, -mix))

    @property
    def _rate(self):
        return np.log(len(self.losses)) / self.gap


def weighted_by_margins(hedge: Hedge, margins: np.ndarray, combined: bool) -> Hedge:
    """Weights of views after the margins of triplets (a, b, c), s_v(a, b) − s_v(a, c) in each view v.

    A view without a margin gets the loss of the weighted mean, so that it neither gains nor loses.

    Parameters
    ----------
    hedge : Hedge
    margins : ndarray of shape (n_triplets, n_views)
        NaN where a view is missing.
    combined : bool
        Whether losses are gradients, with respect to the weights, of the hinge loss [1 − Σ_v w_v margin_v]₊ of the
        combination: its sum is at most that of any fixed weights, those of a single view too, plus the bound of
        `Hedge`.  Otherwise they are the mistakes of each view, margin_v <= 0.
    """
    present = ~np.isnan(margins)
    compared = present.sum(axis=1) > 1
    present, margins = present[compared], np.nan_to_num(margins[compared])
    losses, weights = -margins if combined else (margins <= 0) * 1.0, hedge.weights()
    for has, margin, loss in zip(present, margins, losses):
        shares = weights * has
        shares = shares / shares.sum()
        if combined and shares @ margin >= 1:
            continue
        relative = (loss - shares @ loss) * has
        if np.abs(relative).max() > SAME * np.abs(loss).max():
            hedge = hedge.after(relative, weights)
            weights = hedge.weights()
    return hedge
