"""DDML: discriminative deep metric learning, from class labels and from pairs."""

from typing import Literal

import numpy as np

from metricnets._params import Flag, NonNegative, Parametrized, Positive, UpToOne
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._stream import PairsStream, SupervisedStream
from metricnets.deep._training.autoencoder import pretrain
from metricnets.deep._training.initialization import principal_start
from metricnets.deep._training.tables import some_of
from metricnets.losses._ops import dissimilar, similar, sqdist
from metricnets.losses._pair import check_gap, logistic

N_START = 10_000  # pairs from which the initial weights are computed


class _DDML(Parametrized):
    """Parameters of both forms of DDML.

    Parameters
    ----------
    margin : float > gap, default=1.0
        Margin τ: squared distances should be below τ − γ for similar pairs and above τ + γ for dissimilar pairs.
    gap : float >= 0, default=0.3
        Gap γ, 1 in the paper.  Embeddings of unit norm have squared distances of at most 4 and need a smaller one.
    sharpness : float > 0, default=5.0
        β of the generalised logistic function g(x) = log(1 + exp(βx)) / β.
    balanced : bool, default=True
        Whether similar and dissimilar pairs have equal total weight, regardless of their numbers.
    init : {'wccn', 'identity', 'glorot', 'uniform', 'dae'}, default='wccn'
        What the network starts from: within-class covariance normalisation or principal components, see
        :class:`EmbeddingNet`; or a perceptron with initial weights from the uniform distribution of Glorot and Bengio
        (of He et al. for 'relu' and 'gelu'), from U[−0.2, 0.2], or from greedy layer-wise denoising autoencoders, as in
        the paper.
    """

    margin: Positive = 1.0
    gap: NonNegative = 0.3
    sharpness: Positive = 5.0
    balanced: Flag = True
    init: Literal["wccn", "identity", "glorot", "uniform", "dae"] = "wccn"

    def _margins(self):
        return {"margin": self.margin, "gap": self.gap, "sharpness": self.sharpness, "balanced": self.balanced}

    def _initialize(self, network, rows, generator):
        if self.gap >= self.margin:
            check_gap(self.margin, self.gap)  # it raises
        if self.init == "dae":
            if self.module is not None:
                raise ValueError("init='dae' is for the built-in perceptron; leave init at 'wccn' with module=.")
            pretrain(network, some_of(rows.X), generator)


class DDML(_DDML, SupervisedStream, NetworkMetric):
    """Discriminative deep metric learning (DDML) from class labels.

    It minimises ½ mean g(γ − ℓ(τ − d²)) over pairs, where ℓ is +1 for similar and −1 for dissimilar pairs.  The loss
    g is a smooth hinge: squared distances d² of similar pairs should be below τ − γ, and those of dissimilar pairs
    above τ + γ.

    Deviations from the paper, each with a parameter: the network starts from a linear map in closed form, embeddings
    have unit norm, for which margin and gap are smaller, similar and dissimilar pairs have equal total weight, all
    pairs of a batch are used instead of a fixed list of pairs, and AdamW decouples the weight decay from the gradient.
    The paper's own setting is
    ``DDML(init="dae", hidden=(400,), n_components=300, activation="tanh", activate_output=True, dropout=0.0,
    input_dropout=0.0, normalize=False, margin=3.0, gap=1.0, sharpness=1.0, balanced=False, sampler="pairs",
    optimizer="sgd", lr=0.01, lr_schedule=None, weight_decay=1e-2, max_epochs=100)``.

    Parameters
    ----------
    positive_fraction : float in (0, 1], default=0.25
        Share of the similar samples in a batch that count as positives of a sample, those at the smallest distance, so
        that classes may consist of several clusters, see :class:`EmbeddingNet`.

    See Also
    --------
    DDMLPairs : Network trained with a logistic loss of pairs that are given.
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
    (2, 64)
    """

    positive_fraction: UpToOne = 0.25

    _by_anchors = True

    def _loss(self, z, r):
        return logistic(sqdist(z, len(r)), similar(r), dissimilar(r), **self._margins())


class DDMLPairs(_DDML, PairsStream, NetworkMetric):
    """Discriminative deep metric learning (DDML) from similar and dissimilar pairs.

    The method is that of :class:`DDML`, trained on pairs instead of classes.  The estimator is a
    classifier of pairs, whose ``score`` is the area under the ROC curve.

    The defaults are for tables, where new pairs are of the same classes.  Networks overfit if there are many features
    and few pairs, and new pairs are of persons that are not in the training pairs, as in face verification; then
    ``jitter`` helps, and a linear map that starts from ``init="within"`` and is trained as a whole.  For such points,
    transformed by ``PCA(k, whiten=True)``, set
    ``DDMLPairs(init="within", hidden=(k,), n_components=k, activation="identity", dropout=0.0, input_dropout=0.0,
    jitter=1.0, margin=1.7, gap=0.0, sharpness=10.0, balanced=False, lr=3e-4, weight_decay=1.0, max_epochs=10,
    early_stopping=False)``.

    The paper's own setting is
    ``DDMLPairs(init="dae", hidden=(400,), n_components=300, activation="tanh", activate_output=True, dropout=0.0,
    input_dropout=0.0, normalize=False, margin=3.0, gap=1.0, sharpness=1.0, balanced=False, optimizer="sgd", lr=0.01,
    lr_schedule=None, weight_decay=1e-2, max_epochs=100, early_stopping=False)``.

    Parameters
    ----------
    init : {'wccn', 'identity', 'glorot', 'uniform', 'dae', 'pca', 'within'}, default='wccn'
        What the network starts from.

        - 'wccn', 'identity', 'glorot', 'uniform' and 'dae' are as in :class:`DDML`; 'wccn' has similar pairs instead
          of classes.
        - 'pca': the principal components of the points in the first layer, and the identity in the other layers.
        - 'within': as 'pca', then whitened by the differences of similar pairs, so that their covariance is a
          multiple of I.  A small ridge is added, for fewer such pairs than features.

        'pca' and 'within' use at most 10,000 pairs.

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

    init: Literal["wccn", "identity", "glorot", "uniform", "dae", "pca", "within"] = "wccn"

    _from_labels = "DDML"

    def _initialize(self, network, rows, generator):
        super()._initialize(network, rows, generator)
        if self.init not in ("pca", "within"):
            return
        if self.module is not None:
            raise ValueError(f"init={self.init!r} is for the built-in perceptron; leave init at 'wccn' with module=.")
        points, differences = rows.sample(N_START, generator)
        if np.ptp(points, axis=0).max() > 1e-6:  # the points have unit scale: they are not all equal
            principal_start(network, points, differences if self.init == "within" else None)

    def _pair_loss(self, d2, similar):
        pos = similar.to(d2.dtype)
        return logistic(d2, pos, 1 - pos, **self._margins())
