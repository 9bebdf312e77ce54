"""HRAML: hierarchical relationship alignment metric learning."""

from typing import Annotated

import torch

from metricnets import relations
from metricnets._params import Function, Positive, StrOptions, UpToOne
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._stream import SupervisedStream
from metricnets.losses._ops import sqdist
from metricnets.losses._pair import aligned


class HRAML(SupervisedStream, NetworkMetric):
    """Hierarchical relationship alignment metric learning (HRAML).

    It aligns the distances of embeddings with the relation r of the targets: it minimises
    ¼ mean (d² − g)² over pairs, where g(y, y') = ``scale`` · (1 − r(y, y')) is the target of the squared
    distance d².  Because a relation is graded, the method learns from classes, label sets, label distributions
    and real targets.

    Embeddings of unit norm have d² in [0, 4], so g is scaled into that range: ``scale`` is the target for the least
    similar pairs.  The paper uses the ℓ1 distance of targets unscaled, which is 2 for different classes and disjoint
    distributions; that is ``scale=2.0``.

    Deviations from the paper, each with a parameter: the network starts from a linear map in closed form instead of
    weights from U[−0.2, 0.2], its last layer has no activation, all pairs of a batch are used, the scale is smaller,
    and AdamW, dropout and fewer epochs replace plain gradient descent.  The paper's own setting is
    ``HRAML(init="uniform", hidden=(256,), n_components=32, activation="tanh", activate_output=True, dropout=0.0,
    input_dropout=0.0, scale=2.0, sampler="pairs", optimizer="sgd", lr=0.01, lr_schedule=None, max_epochs=100)``,
    because the ℓ1 distance of one-hot rows is 2 (1 − r) with r `same_class`.  Unit norm is equation (10) of the paper.

    Parameters
    ----------
    relation : str or callable, default='auto'
        Relation r of two targets: a name of :mod:`metricnets.relations`, or a function
        ``(y_a, y_b) -> r``.  'auto' chooses the one that suits y; set 'known_class' if some labels are unknown.
    scale : float > 0, default=1.5
        Target of the squared distance of pairs with relation 0; at most 4 with ``normalize=True``.
    hard_fraction : float in (0, 1], default=1.0
        Share of the pairs of a batch that count, those with the largest loss (online hard example mining).
        1 uses all pairs.

    See Also
    --------
    RAML : Linear metric aligned with relations of targets, such as label distributions.
    EmbeddingNet : Network trained with any loss.

    References
    ----------
    L. Gu, "Hierarchical relationship alignment metric learning"; A. Shrivastava, A. Gupta,
    R. Girshick, "Training region-based object detectors with online hard example mining",
    CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from metricnets import HRAML
    >>> X, y = load_diabetes(return_X_y=True)  # y is a quantity
    >>> HRAML(relation="absolute", random_state=0).fit(X, y).transform(X).shape
    (442, 64)
    """

    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"
    scale: Positive = 1.5
    hard_fraction: UpToOne = 1.0

    _graded = True

    @property
    def _by_anchors(self):
        return self.hard_fraction == 1

    def _validated(self, X, y):
        if self.normalize and self.scale > 4:
            raise ValueError(
                f"scale={self.scale} is out of reach: with normalize=True, squared distances are at most 4; lower it, "
                "or set normalize=False."
            )
        return super()._validated(X, y)

    def _loss(self, z, r):
        if self.hard_fraction < 1:
            r = hardest(z, r, self.scale, self.hard_fraction)
        return aligned(z, r, self.scale)


def hardest(z, r, scale, fraction):
    """Keep the ``fraction`` of the known pairs with the largest alignment loss; NaN on the others."""
    error = (sqdist(z.detach()) - scale * (1 - r)).abs().nan_to_num(-1.0)
    n_kept = max(1, round(fraction * int((r == r).sum())))
    smallest = error.flatten().topk(n_kept).values[-1]
    return torch.where(error >= smallest, r, torch.nan)
