"""SupervisedDeepHashing: binary codes learned from labels."""

from typing import Annotated

from metricnets import relations
from metricnets._params import Function, NonNegative, StrOptions
from metricnets.deep._stream import SupervisedStream
from metricnets.deep.hashing._base import HashingMetric
from metricnets.deep.hashing._objective import likelihood


class SupervisedDeepHashing(HashingMetric, SupervisedStream):
    """Supervised deep hashing (SDH): binary codes learned by a network from labels.

    The objective is that of :class:`DeepHashing`, with S_w the scatter of codes within classes and S_b that
    between classes, plus ``likelihood`` times the negative log-likelihood of pairs of Li et al., in which samples of
    outputs h and h' are similar with probability σ(½ ⟨h, h'⟩).  This term is not in the method of Liong et al.  It is
    the default, because the scatter alone may leave two classes with nearly the same code.

    Further deviations from that method, each with a parameter: a dissimilar pair counts in the scatter up to the
    ``margin``, so that all classes are separated, instead of two groups of them at the largest distance; the network
    starts from iterative quantisation; λ₁ and λ₂ are 0 by default, where they gain nothing.  The paper's own setting,
    for 32 bits, is ``SupervisedDeepHashing(n_components=32, likelihood=0.0, scatter=1.0, margin=None, variance=1.0,
    orthogonality=0.001, weight_decay=0.001, hidden=(80, 50), activation="tanh", init="pca", sampler="shuffled",
    optimizer="sgd", lr=0.01, lr_schedule=None)``.

    Parameters
    ----------
    likelihood : float >= 0, default=1.0
        Weight of the negative log-likelihood of pairs.
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
    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"

    def _loss(self, z, r):
        loss = self._objective(z, r)
        return loss + self.likelihood * likelihood(z, r) if self.likelihood else loss

    def _criterion(self, network, part, generator):
        return self._penalized(super()._criterion(network, part, generator), network)
