"""DCML: deep coupled metric learning."""

from typing import Literal

import torch

from metricnets._neighbors import neighborhoods
from metricnets._params import Count, MaybePositive, NonNegative
from metricnets.deep._training.samples import sampler_of
from metricnets.deep._training.two_networks import points_of_views
from metricnets.deep._training.two_views import WithNeighborsInViews
from metricnets.deep.views._base import TwoViewMetric
from metricnets.samplers import Shuffled


class DCML(TwoViewMetric):
    """Deep coupled metric learning (DCML) of two views with classes.

    Points are near their nearest neighbours of the same class and far from those of other classes, and the two views
    of a row are near each other: the networks minimise

        Σ_views mean(‖z − z_within‖² − α min(‖z − z_between‖², margin)) + λ mean ‖f(x) − g(y)‖².

    The neighbours of a row are found in each view once, among the points that its network takes, and a step draws one
    of either kind.

    Deviations from the paper: embeddings have unit norm, or ``margin`` bounds the distances to other classes; the
    networks start from a map in closed form, see ``init``, whose class probabilities are trained too, see
    ``identification``; and neighbours are embedded in the other view, see ``pairs``, since what is retrieved is there.
    Without classes all other rows are of other classes, and a row is its own neighbour within.

    The paper's own setting is ``DCML(pairs="within", coupling=1.0, init="glorot", activation="tanh", optimizer="sgd",
    lr=0.01, lr_schedule=None)``, which has no ``identification``, with weights that the paper chooses by validation.

    Parameters
    ----------
    pairs : {'within', 'across', 'all'}, default='across'
        View in which the neighbours of a point are embedded: its own as in the paper, the other, or both, in which case
        the mean is taken.
    alpha : float >= 0, default=1.0
        Weight α of the distances to neighbours of other classes.
    coupling : float >= 0, default=0.1
        Weight λ of the distances of matched rows; 0 trains the networks independently.
    margin : float > 0 or None, default=None
        Largest squared distance to a neighbour of another class that counts.  None has no bound, and needs
        ``normalize=True``.
    n_neighbors_within : int >= 1, default=5
        Number of neighbours of the same class.
    n_neighbors_between : int >= 1, default=10
        Number of neighbours of other classes.

    See Also
    --------
    TwoViewNet : Any loss of pairs of two views.
    DTML : Two domains, one of them without labels.

    References
    ----------
    V. E. Liong, J. Lu, Y.-P. Tan, J. Zhou, "Deep coupled metric learning for cross-modal matching", IEEE Transactions
    on Multimedia 2017.

    Examples
    --------
    >>> from metricnets import DCML
    >>> from metricnets.datasets import make_views
    >>> X, Y, y = make_views(random_state=0)
    >>> dcml = DCML(max_epochs=5, random_state=0).fit(X, Y, y)
    >>> dcml.transform_y(Y).shape
    (200, 64)
    """

    pairs: Literal["within", "across", "all"] = "across"
    alpha: NonNegative = 1.0
    coupling: NonNegative = 0.1
    margin: MaybePositive = None
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10

    def _check_given(self, views, validation):
        if self.margin is None and self.alpha and not self.normalize:
            raise ValueError(
                f"with margin=None and alpha={self.alpha} distances grow without bound; set a margin, or "
                "normalize=True."
            )
        return super()._check_given(views, validation)

    def _make_batches(self, part, rng):
        codes, points = part.targets.labels.numpy(), points_of_views(part.points(), part.rows.shapes)
        sizes = self.n_neighbors_within, self.n_neighbors_between
        near = [neighborhoods(view.flatten(1).numpy(), codes, *sizes) for view in points]
        sampler = sampler_of(lambda rows: Shuffled(len(rows), self.batch_size, rng), part, rng)
        return WithNeighborsInViews(sampler, near, rng)

    def _loss_of_views(self, z, targets):
        weights = {"alpha": self.alpha, "coupling": self.coupling, "margin": self.margin}
        return coupled_objective(z, pairs=self.pairs, **weights)


def coupled_objective(z, *, alpha, coupling, margin=None, pairs="within"):
    """Objective of DCML.

    Parameters
    ----------
    z : tensor of shape (10 n, n_components)
        Embeddings of the first view, then of the second: of n samples, of a neighbour of each in the same class and of
        one in another class, by the first view, and of two such neighbours by the second view.
    alpha, coupling : float
    margin : float or None, default=None
    pairs : {'within', 'across', 'all'}, default='within'

    Returns
    -------
    loss : tensor of shape ()
    """
    first, second = (view.chunk(5) for view in z.chunk(2))
    total = coupling * ((first[0] - second[0]) ** 2).sum(1).mean()
    for own, other, near, far in ((first, second, 1, 2), (second, first, 3, 4)):
        seen = {"within": [own], "across": [other], "all": [own, other]}[pairs]
        for view in seen:
            apart = ((own[0] - view[far]) ** 2).sum(1).clamp_max(torch.inf if margin is None else margin)
            total = total + (((own[0] - view[near]) ** 2).sum(1) - alpha * apart).mean() / len(seen)
    return total
