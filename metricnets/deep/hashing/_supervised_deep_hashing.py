"""SupervisedDeepHashing: binary codes learned from labels."""

from typing import Annotated

from metricnets import relations
from metricnets._params import Function, MaybePositive, NonNegative, StrOptions
from metricnets.deep._supervised import Supervised
from metricnets.deep.hashing._base import HashingMetric
from metricnets.deep.hashing._objective import likelihood


class SupervisedDeepHashing(HashingMetric, Supervised):
    """Supervised deep hashing (SDH): binary codes learned by a network from labels.

    The objective is that of :class:`DeepHashing`, with S_w the scatter of codes within classes and S_b that
    between classes, plus the negative log-likelihood of pairs of Li et al., weighted by ``likelihood``: similar pairs
    have the probability σ(k τ / 4 − d² / 4), where k bits have the squared distance d² and τ is the ``margin``.

    By default the likelihood replaces the scatter, which may leave two classes with nearly the same code.
    ``likelihood=0.0, scatter=5.0`` learns from the scatter alone; there a dissimilar pair counts up to the ``margin``,
    so that all classes are separated, instead of two groups of them at the largest distance.  The network starts from
    iterative quantisation, and λ₁ and λ₂ are 0 by default, where they gain nothing.  The setting of Liong et al., for
    32 bits, is ``SupervisedDeepHashing(n_components=32, likelihood=0.0, scatter=1.0, margin=None, variance=1.0,
    orthogonality=0.001, weight_decay=0.001, hidden=(80, 50), activation="tanh", init="pca", sampler="shuffled",
    optimizer="sgd", lr=0.01, lr_schedule=None)``.

    Parameters
    ----------
    likelihood : float >= 0, default=1.0
        Weight of the negative log-likelihood of pairs.
    scatter : float >= 0, default=0.0
        Weight α of the scatter of similar pairs minus that of dissimilar pairs.
    margin : float > 0 or None, default=MARGIN
        Squared distance, divided by the number of bits, below which a pair is more probably similar than dissimilar, and
        up to which a dissimilar pair counts in the scatter; codes at 2 differ in half of their bits, as random ones do.
        None is 2 in the likelihood, and no margin in the scatter, as in the papers.
    relation : str or callable, default='auto'
        Relation r of two targets, how similar they are: a name of :mod:`metricnets.relations`, or a function
        ``(y_a, y_b) -> r``.  'auto' chooses the one that suits y, for example label sets.

    See Also
    --------
    DeepHashing : The same without labels.
    HammingNeighbors : Search for the nearest codes.

    References
    ----------
    V. E. Liong, J. Lu, G. Wang, P. Moulin, J. Zhou, "Deep hashing for compact binary codes learning", CVPR 2015;
    W.-J. Li, S. Wang, W.-C. Kang, "Feature learning based deep supervised hashing with pairwise labels", IJCAI 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from metricnets import SupervisedDeepHashing
    >>> X, y = load_digits(return_X_y=True)
    >>> SupervisedDeepHashing(n_components=16, max_epochs=2, random_state=0).fit(X, y).transform(X).shape
    (1797, 16)
    """

    likelihood: NonNegative = 1.0
    scatter: NonNegative = 0.0
    margin: MaybePositive = 1.5
    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"

    def _loss(self, z, r):
        loss = self._objective(z, r)
        return loss + self.likelihood * likelihood(z, r, self.margin) if self.likelihood else loss

    def _criterion(self, network, part, generator):
        return self._penalized(super()._criterion(network, part, generator), network)
