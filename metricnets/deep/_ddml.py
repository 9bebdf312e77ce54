"""DDML: discriminative deep metric learning, on labelled points and on pairs."""

from typing import Literal

from metricnets._params import Flag, NonNegative, Parametrized, Positive
from metricnets.deep._pairs import DeepPairsLearner
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._supervised import Supervised
from metricnets.deep._training.autoencoder import pretrain
from metricnets.losses._pair import check_gap, logistic, logistic_pair


class _DDML(Parametrized):
    """What both forms of DDML share.

    Parameters
    ----------
    margin : float > gap, default=3.0
        τ: squared distances should be below τ − γ in similar pairs, above τ + γ in dissimilar ones.
    gap : float >= 0, default=1.0
        γ, 1 in the paper.  Embeddings of unit norm have squared distances of at most 4, where less suits.
    sharpness : float > 0, default=1.0
        β of the generalised logistic g(x) = log(1 + exp(βx)) / β.
    balanced : bool, default=False
        Whether similar and dissimilar pairs have equal weight, however many there are of each.
    init : {'glorot', 'uniform', 'dae'}, default='glorot'
        As everywhere; 'dae' is the paper's greedy layer-wise denoising autoencoders.
    """

    margin: Positive = 3.0
    gap: NonNegative = 1.0
    sharpness: Positive = 1.0
    balanced: Flag = False
    init: Literal["glorot", "uniform", "dae"] = "glorot"

    def _margins(self):
        return {"margin": self.margin, "gap": self.gap, "sharpness": self.sharpness, "balanced": self.balanced}

    def _initialize(self, network, rows, generator):
        check_gap(self.margin, self.gap)
        if self.init != "dae":
            super()._initialize(network, rows, generator)
        elif self.module is not None:
            raise ValueError("init='dae' is for the built-in perceptron; leave init at 'glorot' with module=.")
        else:
            pretrain(network, rows.X, generator)


class DDML(_DDML, Supervised, NetworkMetric):
    """Discriminative deep metric learning on labelled points.

    Squared distances of similar pairs are pushed below τ − γ and those of dissimilar pairs above
    τ + γ, through a smooth hinge: minimise ½ mean g(γ − ℓ(τ − d²)), where ℓ is +1 for similar and
    −1 for dissimilar pairs.

    Deviations from the paper: all pairs of a batch are used instead of a fixed list, and the
    weights are penalised by AdamW's decoupled decay.  The paper's own setting is
    ``DDML(hidden=(400,), n_components=300, activate_output=True, init="dae", sampler="pairs",
    optimizer="sgd", lr_schedule=None, weight_decay=1e-2)``.

    See Also
    --------
    DDMLPairs : Network trained with a logistic loss of given pairs.
    EmbeddingNet : Network trained with any loss.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Discriminative deep metric learning for face verification in the
    wild", CVPR 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DDML
    >>> X, y = load_iris(return_X_y=True)
    >>> ddml = DDML(random_state=0).fit(X, y)
    >>> ddml.transform(X[:2]).shape
    (2, 32)
    """

    def _loss(self, z, r):
        return logistic_pair(z, r, **self._margins())


class DDMLPairs(_DDML, DeepPairsLearner):
    """Discriminative deep metric learning on pairs that are known to be similar or not.

    The method is that of :class:`DDML`; pairs are given instead of classes, and the estimator is a
    classifier of pairs, whose ``score`` is the area under the ROC curve.

    The defaults are for tables, where the pairs to come are of the same classes.  Networks learn by heart
    where there are many features, few pairs, and points of persons never seen before, as with faces; then
    ``init`` and ``jitter`` help.  After ``PCA(k, whiten=True)`` of the points, with k chosen, the setting for these is
    ``DDMLPairs(hidden=(k,), n_components=k, activation="identity", normalize=True, init="within",
    jitter=1.0, margin=1.7, gap=0.0, sharpness=10.0, lr=3e-4, max_epochs=10, early_stopping=False)``.
    The paper's own is ``DDMLPairs(hidden=(400,), n_components=300, activate_output=True, init="dae",
    optimizer="sgd", lr_schedule=None, weight_decay=1e-2, early_stopping=False)``.

    Parameters
    ----------
    init : {'glorot', 'uniform', 'dae', 'pca', 'within'}, default='glorot'
        As in :class:`DDML`, or, for the perceptron, in closed form from at most 10,000 pairs: the first
        layer takes the principal components of their points, and others are the identity.  'within' then
        whitens by what varies within similar pairs, so that their differences have a covariance of I, but
        for scale; a small ridge serves where they are fewer than features.

    See Also
    --------
    DDML : Network trained with a logistic loss of pairs, from labels.
    PairsClassifier : Threshold on the distance of any metric.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import DDMLPairs
    >>> rng = np.random.default_rng(0)
    >>> pairs, y = rng.normal(size=(40, 2, 3)), np.tile([-1, 1], 20)
    >>> pairs[y == 1, 1] = pairs[y == 1, 0] + 0.1
    >>> DDMLPairs(random_state=0).fit(pairs, y).score(pairs, y) > 0.9
    True
    """

    init: Literal["glorot", "uniform", "dae", "pca", "within"] = "glorot"

    def _pair_loss(self, d2, similar):
        pos = similar.to(d2.dtype)
        return logistic(d2, pos, 1 - pos, **self._margins())
