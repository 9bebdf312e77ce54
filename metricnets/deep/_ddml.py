"""DDML: discriminative deep metric learning, on labelled points and on pairs."""

import numpy as np
import torch

from metricnets import calibration
from metricnets._params import Flag, MaybeSource, NonNegative, Positive, fitting, one_of
from metricnets._tuples import check_pair_labels, points_and_members
from metricnets.base import PairsMixin
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._supervised import Supervised
from metricnets.deep._training.autoencoder import pretrain
from metricnets.deep._training.data import CHUNK, tensor_of
from metricnets.deep._training.initialization import principal_start
from metricnets.deep._training.pairs import Pairs
from metricnets.deep._training.runtime import quiet_randomness
from metricnets.losses._pair import check_gap, logistic, logistic_pair
from metricnets.samplers import Shuffled

N_START = 10_000  # pairs that the start is found from
N_DRAWS = 5  # of each pair, to calibrate with


class _DDML(NetworkMetric):
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
    init: one_of("glorot", "uniform", "dae") = "glorot"

    def _loss(self, z, r):
        return logistic_pair(z, r, **self._margins())

    def _margins(self):
        return {"margin": self.margin, "gap": self.gap, "sharpness": self.sharpness, "balanced": self.balanced}

    def _initialize(self, module, rows):
        check_gap(self.margin, self.gap)
        if self.init in ("dae", "pca", "within") and self.module is not None:
            raise ValueError(f"init='{self.init}' is for the built-in perceptron; leave init at 'glorot' with module=.")
        if self.init == "dae":
            pretrain(module, rows.X, np.random.default_rng(torch.initial_seed()))


class DDML(_DDML, Supervised):
    """Discriminative deep metric learning on labelled points.

    Squared distances of similar pairs are pushed below τ − γ and those of dissimilar pairs above
    τ + γ, through a smooth hinge: minimise ½ mean g(γ − ℓ(τ − d²)), where ℓ is +1 for similar and
    −1 for dissimilar pairs.

    Deviations from the paper: all pairs of a batch are used instead of a fixed list, and the
    weights are penalised by AdamW's decoupled decay.  The paper's own setting is
    ``DDML(hidden=(400,), n_components=300, activate_output=True, init="dae", sampler="pairs",
    optimizer="sgd", lr_schedule=None, weight_decay=1e-2)``.

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


class DDMLPairs(PairsMixin, _DDML):
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
    jitter : float >= 0, default=0.0
        How far points are moved about in training: in every batch x becomes
        x ± ``jitter`` (a − b) / √2 for a random similar pair (a, b).  1 doubles what varies within similar pairs.
    init : {'glorot', 'uniform', 'dae', 'pca', 'within'}, default='glorot'
        As in :class:`DDML`, or, for the perceptron, in closed form from at most 10,000 pairs: the first
        layer takes the principal components of their points, and others are the identity.  'within' then
        whitens by what varies within similar pairs, so that their differences have a covariance of I, but
        for scale; a small ridge serves where they are fewer than features.
    early_stopping : bool, default=True
        Whether to hold back a part of the pairs, stop when the loss on it does not improve, keep
        the best epoch, and calibrate ``threshold_`` on that part.
    preprocessor : array-like, callable or None, default=None
        What pairs given as indicators are looked up in: an array of points, or a function from a
        1-D array of indicators to their points.

    Attributes
    ----------
    threshold_ : float
        Greatest distance that counts as similar.
    classes_ : ndarray of shape (2,)
        −1 and +1.

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

    jitter: NonNegative = 0.0
    init: one_of("glorot", "uniform", "dae", "pca", "within") = "glorot"
    early_stopping: Flag = True
    preprocessor: MaybeSource = None

    @fitting
    def fit(self, pairs, y, calibration_params=None):
        """Learn the metric from pairs, then calibrate ``threshold_``.

        With early stopping it is calibrated on the pairs held back, otherwise on all, moved about as in
        training: networks learn pairs by heart, so that a threshold for those seen rejects new ones.

        Parameters
        ----------
        pairs : array-like of shape (n_pairs, 2, n_features), or (n_pairs, 2) indicators
            Indicators cost memory for each point once, however many pairs there are.
        y : array-like of shape (n_pairs,)
            +1 for similar, −1 for dissimilar.
        calibration_params : dict or None, default=None
            Keyword arguments of ``calibrate_threshold``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the pairs or y are not of this form, or y has only one kind of pair.
        """
        calibration_params = calibration.check_params(calibration_params)
        pairs = np.asarray(pairs)
        X, members = points_and_members(pairs, 2, self.preprocessor)
        y = check_pair_labels(y, len(members))
        self._checked_shape(X)
        self.n_features_in_, self.classes_ = X.shape[1], np.array([-1, 1])

        def rows(X, targets, kept):
            return Pairs(X, targets, torch.as_tensor(members), kept, self.jitter)

        weights = np.bincount(members.ravel(), minlength=len(X))
        held_back, _ = self._train(X, y, lambda: self._pair_loss, self._batches, rows=rows, weights=weights, strata=y)
        if len(np.unique(y[held_back])) == 2:
            return self.calibrate_threshold(pairs[held_back], y[held_back], **calibration_params)
        if not self.jitter:
            return self.calibrate_threshold(pairs, y, **calibration_params)
        everything = rows(tensor_of(X), tensor_of(y), np.arange(len(y)))
        return self.set_threshold(-calibration.threshold(*self._jittered_scores(everything), **calibration_params))

    def _initialize(self, module, rows):
        super()._initialize(module, rows)
        if self.init in ("pca", "within"):
            points, differences = rows.sample(N_START)
            if np.ptp(points, axis=0).max() > 1e-6:  # of rows of unit scale: not all the same
                principal_start(module, points, differences if self.init == "within" else None)

    def _jittered_scores(self, rows):
        """Scores and labels of pairs moved about, N_DRAWS times each."""
        scores, order = [], torch.arange(len(rows)).repeat(N_DRAWS)
        with quiet_randomness(self._seed(), "cpu"):
            for indices in order.split(CHUNK):
                pairs = torch.stack(rows[indices][0].chunk(2), dim=1)
                scores.append(self.pair_score(pairs.numpy()))
        return np.concatenate(scores), rows.targets[order].numpy()

    def _pair_loss(self, z, y):
        left, right = z.chunk(2)
        pos = (y > 0).to(z.dtype)
        return logistic(((left - right) ** 2).sum(1), pos, 1 - pos, **self._margins())

    def _batches(self, y, rng):
        return Shuffled(len(y), self.batch_size, rng)
