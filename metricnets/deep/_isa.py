"""DNLML-ISA: deep nonlinear metric learning with independent subspace analysis, from pairs and from class labels."""

import copy
from dataclasses import replace
from typing import Literal

import numpy as np
from torch import nn
from torch.nn import functional as F

from metricnets._labels import supervised_codes
from metricnets._params import Count, Flag, NonNegative, Positive
from metricnets.deep._base import DeepMetric
from metricnets.deep._pairs import DeepPairsLearner
from metricnets.deep._supervised import Supervised
from metricnets.deep._training.scaling import applied, standardization
from metricnets.deep._training.subspaces import SubspaceLayer, WithResponses, fixed, principal_whitening, unit_variances
from metricnets.deep._training.wccn import N_ROWS, whitening_layer
from metricnets.losses._pair import logistic, logistic_pair
from metricnets.networks import UnitNorm


class _ISA(DeepMetric):
    """Layers of independent subspace analysis, trained one after the other.

    Parameters
    ----------
    n_layers : int >= 1, default=2
        Number of layers.
    n_units : int >= 1, default=256
        Number of whitened components of the input of each layer, at most 256 with ``init='wccn'``, which are also the
        linear units; fewer if the input has fewer features.
    subspace_size : int >= 1, default=2
        Number of units in a subspace; 1 is independent component analysis.
    offset : float >= 0, default=1.0
        Added to the units before they are squared, in units of their standard deviation; 0 as in ISA, where x and −x
        have the same norms.  The larger it is, the more linear the layer.
    weight : float >= 0, default=10.0
        Weight λ of the side information; with 0 the units are those of ISA, and do not depend on the targets.
    margin : float > 0, default=1.0
        Threshold τ: squared distances should be smaller for similar pairs, and larger for dissimilar ones.
    sharpness : float > 0, default=5.0
        β of the generalised logistic function.
    skip : float >= 0, default=1.0
        Weight of the whitened input of a layer, which is appended to its output: its mean squared norm, relative to
        that of the norms.  0 as in the paper.
    normalize : bool, default=True
        Whether the output of a layer is scaled to unit norm.
    init : {'wccn', 'pca'}, default='wccn'
        How the input of each layer is whitened.

        - 'wccn': within-class covariance normalisation, which knows which pairs are similar, see :class:`EmbeddingNet`.
        - 'pca': principal components of unit variance, as in ISA.
    max_epochs : int >= 1, default=30
        Maximum number of epochs for each layer, that is, passes over the data.

    Attributes
    ----------
    history_ : list of dict
        For each epoch: epoch, train_loss, dur (seconds), layer and, with early stopping, valid_loss.
    """

    n_layers: Count = 2
    n_units: Count = 256
    subspace_size: Count = 2
    offset: NonNegative = 1.0
    weight: NonNegative = 10.0
    margin: Positive = 1.0
    sharpness: Positive = 5.0
    skip: NonNegative = 1.0
    normalize: Flag = True
    init: Literal["wccn", "pca"] = "wccn"
    max_epochs: Count = 30

    _exposed = WithResponses

    def _first_layers(self, X, standardize, targets, kept, seed):
        return [self._whitening(X, standardize, targets, kept, seed)]

    def _whitening(self, X, standardize, targets, kept, seed):
        rows, similarity = self._similarity(targets, kept)
        if self.init == "pca":
            return principal_whitening(X[rows], standardize, self.n_units, N_ROWS, seed)
        n_units = min(self.n_units, X.shape[1] + self.normalize)  # with a constant, the lift of `wccn`
        layer = whitening_layer(X, standardize, rows, similarity, n_units, self.normalize, seed)
        return unit_variances(layer)

    def _network(self, rows, generator, member):
        points, similarity = self._similarity(rows.targets, np.asarray(rows.kept))
        return SubspaceLayer(rows.X[points], self.subspace_size, self.offset, self.skip, similarity.of_points())

    def _joined(self, networks, X):
        layer = fixed(networks[0])
        return nn.Sequential(layer, UnitNorm()) if self.normalize else layer

    def _criterion(self, network, part, generator):
        side_information = super()._criterion(network, part, generator)

        def loss(output, targets):
            embeddings, responses = output
            if self.normalize:
                embeddings = F.normalize(embeddings, dim=1)
            return responses.mean() + self.weight * side_information(embeddings, targets)

        return loss

    def _train(self, problem):
        """Train the layers, each on the output of those below, which become layers of the problem."""
        trained = None
        for n_after in reversed(range(self.n_layers)):
            try:
                above = problem if trained is None else self._above(problem, trained)
                above.n_after = n_after
                found = super()._train(above)
            except KeyboardInterrupt:
                if trained is None:
                    raise
                trained.interrupted = True
                break
            problem.rows, problem.layers, trained = above.rows, above.layers, found
            if trained.interrupted or trained.stopped:
                break
        return trained

    def _above(self, problem, trained):
        """The problem of the next layer."""
        targets, kept = problem.rows.targets, problem.kept
        layer = self._joined(trained.networks, problem.rows.X).eval()
        Z = applied([layer], problem.rows.X.numpy()).numpy()
        points, similarity = self._similarity(targets, kept)
        standardize = standardization(Z[points], similarity.of_points())
        whitening = self._whitening(Z, standardize, targets, kept, problem.seed)
        rows = copy.copy(problem.rows)
        rows.X = applied([standardize, whitening], Z)
        layers = [*problem.layers, layer, standardize, whitening]
        return replace(problem, rows=rows, layers=layers, history=trained.history)

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        number = np.cumsum([epoch["epoch"] == 1 for epoch in self.history_]) - 1
        self.history_ = [{**epoch, "layer": int(layer)} for epoch, layer in zip(self.history_, number)]

    def _interruption(self, problem, trained):
        return super()._interruption(problem, trained, self.n_layers)

    def _max_passes(self):
        return super()._max_passes() * self.n_layers

    def _threshold(self):
        return {"margin": self.margin, "gap": 0.0, "sharpness": self.sharpness, "balanced": True}


class DNLML_ISA(_ISA, DeepPairsLearner):  # noqa: N801
    """Deep nonlinear metric learning with independent subspace analysis (DNLML-ISA), from pairs.

    The network is a stack of layers of independent subspace analysis (ISA): x is whitened, multiplied by a matrix W
    with orthonormal rows, and the units of each subspace are pooled by their norm,
    zⱼ = (Σ_{i ∈ subspace j} (wᵢᵀx + b)²)^½.  A layer minimises mean z + λ ½ mean g(ℓ (d² − τ)), the sparsity of ISA and
    the side information of the pairs: squared distances d² should be below τ for similar pairs, ℓ = +1, and above it
    for dissimilar pairs, ℓ = −1, where g(x) = log(1 + exp(βx)) / β.  Both kinds of pairs have the same total weight.
    Layers are trained one after the other, without back-propagation through the stack: the output of a layer is
    whitened, and is the input of the next.

    What the side information is like was decided here, after the description of the method in the survey of Lu et al.
    Deviations from ISA, each with a parameter: inputs are whitened by the covariance of similar pairs, units have an
    ``offset`` b, without which x and −x are the same, and the output has the whitened input beside the norms.

    For faces of persons who are not in the training pairs set
    ``DNLML_ISA(n_layers=1, offset=2.0, jitter=1.0, max_epochs=10)``.

    The plain form is ``DNLML_ISA(init="pca", offset=0.0, skip=0.0)``, with ``weight=0.0`` independent subspace analysis
    without side information.

    Parameters
    ----------
    early_stopping : bool, default=False
        Whether to hold back a part of the pairs, stop a layer when the loss on it does not improve, keep the weights of
        its best epoch, and calibrate ``threshold_`` on that part.

    See Also
    --------
    DNLML_ISA_Supervised : The same from class labels.
    DDMLPairs : Network trained as a whole, with the same loss of pairs.

    References
    ----------
    X. Cai, C. Wang, B. Xiao, X. Chen, J. Zhou, "Deep nonlinear metric learning with independent subspace analysis for
    face verification", ACM Multimedia 2012; J. Lu, J. Hu, J. Zhou, "Deep metric learning for visual understanding",
    IEEE SPM 2017; Q. Le et al., "Learning hierarchical invariant spatio-temporal features for action recognition with
    independent subspace analysis", CVPR 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import DNLML_ISA
    >>> rng = np.random.default_rng(0)
    >>> pairs, y = rng.normal(size=(40, 2, 3)), np.tile([-1, 1], 20)
    >>> pairs[y == 1, 1] = pairs[y == 1, 0] + 0.1
    >>> DNLML_ISA(random_state=0).fit(pairs, y).score(pairs, y) > 0.9
    True
    """

    early_stopping: Flag = False

    _from_labels = "DNLML_ISA_Supervised"

    def _pair_loss(self, d2, similar):
        pos = similar.to(d2.dtype)
        return logistic(d2, pos, 1 - pos, **self._threshold())


class DNLML_ISA_Supervised(_ISA, Supervised):  # noqa: N801
    """Deep nonlinear metric learning with independent subspace analysis (DNLML-ISA), from class labels.

    The method is that of :class:`DNLML_ISA`, with the pairs of samples in a batch, which are similar if they are of one
    class.  Labels that are None, NaN or negative numbers are unknown: these samples form no pairs.

    See Also
    --------
    DNLML_ISA : The same from pairs that are given.
    DDML : Network trained as a whole, with the same loss of pairs.

    References
    ----------
    X. Cai, C. Wang, B. Xiao, X. Chen, J. Zhou, "Deep nonlinear metric learning with independent subspace analysis for
    face verification", ACM Multimedia 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DNLML_ISA_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> isa = DNLML_ISA_Supervised(max_epochs=5, random_state=0).fit(X, y)
    >>> isa.transform(X).shape[0]
    150
    """

    relation = "known_class"

    def _known_classes(self, y):
        supervised_codes(y)  # it warns of negative ones
        return super()._known_classes(y)

    def _loss(self, z, r):
        return logistic_pair(z, r, **self._threshold())
