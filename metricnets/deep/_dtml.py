"""DTML and DSTML: (deeply supervised) deep transfer metric learning."""

from typing import Annotated, Literal, Self

import numpy as np
import torch
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d
from torch import nn

from metricnets._labels import UNKNOWN
from metricnets._neighbors import WithNeighbors, neighborhoods
from metricnets._params import (
    Array,
    Count,
    Flag,
    MaybeArray,
    NonNegative,
    Positive,
    RateBelowOne,
    Sizes,
    StrOptions,
    Whole,
    fitting,
)
from metricnets._pseudo_labels import cluster_shares, most_confident, spread_shares
from metricnets._targets import resolve
from metricnets._weights import check_weights, rows_of
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.embedding import embed
from metricnets.deep._training.initialization import linear_start, principal_start
from metricnets.deep._training.jda import jda
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.samples import sampler_of, used
from metricnets.divergences import class_discrepancy, linear_mmd, multi_kernel_mmd
from metricnets.exceptions import warn
from metricnets.networks import ACTIVATIONS, BOUNDED, MLP
from metricnets.samplers import DomainBalanced, Shuffled

DIVERGENCES = {"linear": linear_mmd, "gaussian": multi_kernel_mmd}
PSEUDO_LABELS = {"clusters": cluster_shares, "spreading": spread_shares}
MaybePositive = Positive | None


class _AllLayers(nn.Module):
    """A network that outputs the list of the outputs of its layers, from the first to the last."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module.layers(x) if isinstance(self.module, MLP) else [self.module(x)]


class DTML(NetworkMetric):
    """Deep transfer metric learning (DTML, DSTML) from a labelled source to an unlabelled target.

    In the embedding, source points are near their nearest neighbours of the same class and far from those
    of other classes, and the distributions of the two domains are similar: the network minimises
    J = S_c − α S_b + β D of its top layer, the sum of compactness, separability and discrepancy of the domains, see
    :func:`objective`.  With ``deep_supervision`` ω > 0 the method is DSTML, which adds ω [J − θ]₊ of each other layer.

    Deviations from the paper, each with a parameter:

    1. The squared distance of a pair counts in S_b up to ``margin``.  S_b is then bounded for any network, and all
       classes are separated, instead of a few clusters of classes at the largest distance.
    2. Target samples are labelled by the source, the most confident first, in ``n_rounds`` rounds.  Labelled target
       samples have their own S_c − α S_b, with neighbours in both domains, and D also compares the classes.
    3. The discrepancy has Gaussian kernels.
    4. The network is a linear map that is initialised with the principal components and has output of unit norm: a
       few thousand samples are too few for hidden layers.

    For image descriptors, and wherever there are many features and the classes are equally frequent in the two domains,
    ``DTML(init="jda", n_rounds=5, pseudo_labels="clusters")`` starts from joint distribution adaptation, a linear map
    in closed form that removes the difference of the domains' means.

    Deviations without a parameter: a step draws one of the k neighbours of each sample, and the perceptron is
    trained on points that are centred and divided by one scale.  Neighbours are those in the input space, as in the
    paper.

    The paper's own setting is ``DTML(alpha=0.1, beta=10.0, margin=None, mmd="linear", n_rounds=0,
    hidden=(200,), n_components=200, normalize=False, activate_output=True, init="glorot",
    optimizer="sgd", lr_schedule=None, weight_decay=0.2)``, where weight_decay is 2γ; with
    ``deep_supervision=1.0`` it is that of DSTML.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Weight α of the separability of the classes.
    beta : float >= 0, default=1.0
        Weight β of the discrepancy of the domains; with 0 the target samples are not used.
    margin : float > 0 or None, default=1.0
        Largest squared distance that counts in S_b.  None has no bound, and needs ``normalize=True``, or
        ``activate_output=True`` with the activation 'tanh' or 'sigmoid'.
    n_neighbors_within : int >= 1, default=5
        Number of neighbours k₁ of the same class.
    n_neighbors_between : int >= 1, default=10
        Number of neighbours k₂ of other classes.
    mmd : {'linear', 'gaussian'}, default='gaussian'
        Discrepancy of the domains: squared distance of the means, or maximum mean discrepancy
        with several Gaussian kernels.
    n_rounds : int >= 0, default=4
        Number of times that target samples are labelled.  Round r labels the fraction r / n_rounds of the target
        samples of each predicted class, the most confident ones.  With ``init='jda'`` the rounds are those of the
        closed form, and the network is trained once afterwards; otherwise the network is trained before the first
        round and again after each.  0 is the paper's method, without labels in the target.
    pseudo_labels : {'clusters', 'spreading'}, default='spreading'
        How target samples are labelled.

        - 'clusters': by the nearest labelled sample and the nearest class mean, where the means also follow the
          clusters of the target, smoothed along nearest neighbours in the target.
        - 'spreading': by spreading the labels of the source along nearest neighbours.
    deep_supervision : float >= 0, default=0.0
        Weight ω of the layers below the top; above 0 the method is DSTML.
    threshold : float >= 0, default=0.0
        Threshold θ: a layer below the top counts only if its objective is larger.
    hidden : tuple of int, default=()
        Widths of the hidden layers; () for a linear map.
    n_components : int >= 1, default=64
        Dimension of the embedding.
    normalize : bool, default=True
        Whether embeddings are scaled to unit norm, so that distances are at most 2.
    activation : {'tanh', 'sigmoid', 'nonsaturating', 'relu', 'gelu', 'identity'}, default='tanh'
        Activation function of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units that are set to 0 in training.
    input_dropout : float in [0, 1), default=0.0
        Share of the features that are replaced by their mean in training; the others are scaled up to compensate.
    weight_decay : float >= 0 or 'auto', default=1.0
        Strength of the penalty on the weights and biases of the network, see :class:`EmbeddingNet`.
    init : {'jda', 'pca', 'glorot', 'uniform'}, default='pca'
        Initial weights of the perceptron.

        - 'jda': joint distribution adaptation in the first layer, and the identity in the other layers.  It is for
          many features, some dozens of target samples at least, and classes that are equally frequent in both
          domains.  A ``module`` starts as it is.
        - 'pca': the principal components of all samples in the first layer, and the identity in the other layers.
        - 'glorot': the uniform distribution of Glorot and Bengio (of He et al. for 'relu' and 'gelu').
        - 'uniform': U[−0.2, 0.2].
    lr : float > 0, default=0.0003
        Learning rate.
    max_epochs : int >= 1, default=20
        Maximum number of epochs in each round, that is, passes over the larger domain.  With a few hundred samples
        more are needed.
    batch_size : int >= 1, default=128
        Number of samples in a batch, half from each domain, not counting two neighbours of each.

    Attributes
    ----------
    history_ : list of dict
        For each epoch: epoch, train_loss, dur (seconds), round and, with early stopping, valid_loss.

    See Also
    --------
    SourceOnly : Predictor fitted to the labelled samples only.
    EmbeddingNet : Network trained with any loss.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Deep transfer metric learning", CVPR 2015; M. Long et al., "Transfer
    feature learning with joint distribution adaptation", ICCV 2013; A. Iscen et al., "Label
    propagation for deep semi-supervised learning", CVPR 2019; Q. Wang, T. Breckon, "Unsupervised
    domain adaptation via structured prediction based selective pseudo-labeling", AAAI 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import DTML
    >>> X, y = load_iris(return_X_y=True)
    >>> X[::2] += 1.0  # every other sample is of the target domain
    >>> dtml = DTML(max_epochs=5, random_state=0).fit(X, y, sample_domain=np.tile([-1, 1], 75))
    >>> dtml.transform(X).shape
    (150, 64)
    """

    __metadata_request__fit = {"sample_domain": True}

    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    margin: MaybePositive = 1.0
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10
    mmd: Annotated[str, StrOptions({*DIVERGENCES})] = "gaussian"
    n_rounds: Whole = 4
    pseudo_labels: Annotated[str, StrOptions({*PSEUDO_LABELS})] = "spreading"
    deep_supervision: NonNegative = 0.0
    threshold: NonNegative = 0.0
    hidden: Sizes = ()
    n_components: Count = 64
    normalize: Flag = True
    activation: Annotated[str, StrOptions({*ACTIVATIONS})] = "tanh"
    dropout: RateBelowOne = 0.0
    input_dropout: RateBelowOne = 0.0
    weight_decay: Literal["auto"] | NonNegative = 1.0
    init: Literal["jda", "pca", "glorot", "uniform"] = "pca"
    lr: Positive = 3e-4
    max_epochs: Count = 20

    _exposed = _AllLayers

    @fitting
    @defaults()
    def fit(self, X: Array, y: Array, sample_domain: MaybeArray = None, *, sample_weight: MaybeArray = None) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Samples of the source and of the target.
        y : array-like of shape (n_samples,)
            Classes.  Those of target samples are ignored and may be −1, NaN, None or any class.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            At least 0 for source samples, negative for target samples.  None means that all samples are of the
            source, and nothing is adapted, with a warning unless ``beta=0``.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn among those of its domain, non-negative; see :ref:`weights_deep`.  Only
            ratios matter, and samples of weight 0 are left out.  Neighbours, pseudo-labels and the initial weights do
            not depend on the weights of the others.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If there is no source sample, the source has only one class, nothing bounds S_b, X, y, sample_domain or
            the weights do not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        self._check_bounded()
        X, y, source = self._validated_domains(X, y, sample_domain)
        weights = None
        if sample_weight is not None:
            X, y, source, weights = used(check_weights(sample_weight, len(X)), X, y, source)
            if not source.any():
                raise ValueError("sample_weight is 0 for all source samples; give some of them a positive weight.")
        _, codes, classes = resolve(y[source], "same_class")
        if len(classes) < 2:
            raise ValueError(f"y has one class only in the source, {classes[0]!s}; a metric needs at least two.")
        if self.beta:
            known = np.full(len(X), UNKNOWN)
            known[source] = codes
            return self._self_train(X, known, source, weights)
        return self._self_train(X[source], codes, source[source], rows_of(weights, source))

    def _self_train(self, X, codes, source, weights):
        """Train; then label more of the target rows and train again, ``n_rounds`` times, or label them before."""
        targets = Targets(tensor_of(codes), row=torch.arange(len(X)), source=tensor_of(source), weights=weights)
        problem, trained = self._prepare(X, targets, codes, weights), None
        n_rounds, shares = 0 if source.all() else self.n_rounds, PSEUDO_LABELS[self.pseudo_labels]
        if self._in_closed_form(problem.rows.X):
            labels = self._jda(problem.rows, self.n_components, n_rounds=n_rounds, shares=shares)[1]
            targets.labels, n_rounds = tensor_of(labels), 0
        try:
            for r in range(n_rounds + 1):
                problem.n_after = n_rounds - r
                if r:
                    labels = most_confident(codes, shares(self._round_embedding(problem, trained), codes), r / n_rounds)
                    problem.rows.targets.labels, problem.seed = tensor_of(labels), self._seed()
                earlier, trained = trained, self._train(problem)
                history = [{**record, "round": r} for record in trained.history]
                trained.history = history if earlier is None else earlier.history + history
                if trained.interrupted or trained.stopped:
                    break
        except KeyboardInterrupt:
            if trained is None:
                raise
            trained.interrupted = True
        self._finish(problem, trained)
        if trained.interrupted:
            raise self._interruption(problem, trained, n_rounds + 1)
        return self

    def _round_embedding(self, problem, trained):
        X, options = problem.rows.X, {"n_rows": self.batch_size, "in_double": False, "device": self._device_here()}
        return embed(self._joined(trained.networks, X), X.numpy(), **options)

    def _max_passes(self):
        n_rounds = 0 if self.init == "jda" and self.module is None else self.n_rounds
        return super()._max_passes() * (n_rounds + 1)

    def _check_bounded(self):
        if self.deep_supervision and (self.module is not None or not self.hidden):
            raise ValueError(
                f"deep_supervision={self.deep_supervision} needs layers below the top, in the built-in perceptron: "
                "give hidden=, without module=, or set it to 0."
            )
        if not self.alpha or self.margin is not None or self.normalize:
            return
        if self.module is not None or not (self.activate_output and self.activation in BOUNDED):
            output = f"activation={self.activation!r} with activate_output={self.activate_output}"
            raise ValueError(
                f"with margin=None and alpha={self.alpha} distances grow without bound, because "
                f"{output if self.module is None else 'module='} does not bound them; set a margin, or "
                f"normalize=True, or activate_output=True with an activation of {BOUNDED}."
            )

    def _validated_domains(self, X, y, sample_domain):
        """X, y without the labels of target rows, and the mask of source rows."""
        if sample_domain is None or y is None:
            X, y = self._validated(X, y)
            if seems_partly_labelled(y):
                warn("y has -1, which is a class if sample_domain= is not given; give it, negative for target samples.")
            elif self.beta:
                warn(
                    "sample_domain= is not given, so all samples are of the source and nothing is adapted; give it, "
                    "negative for target samples, or set beta=0."
                )
            return X, y, np.ones(len(X), bool)
        check_consistent_length(X, y)
        source = source_rows(sample_domain, len(y))
        labels = column_or_1d(np.asarray(y, dtype=object), warn=True).copy()
        labels[~source] = labels[source][0]  # any valid class: they are ignored
        X, y = self._validated(X, np.array(labels.tolist()))
        if seems_partly_labelled(y[source]):
            warn("y has -1 in the source, where it is a class; leave out source samples without a label.")
        return X, y, source

    def _in_closed_form(self, X):
        return self.init == "jda" and self.module is None and bool(X.any())  # if all are 0, all rows are equal

    def _jda(self, rows, n_components, **options):
        """The map and the labels of joint distribution adaptation of these rows."""
        X, codes, source = rows.X.numpy().astype(float), rows.targets.labels.numpy(), rows.targets.source.numpy()
        return jda(X, codes, source, n_components, **options)

    def _initialize(self, network, rows, generator):
        if self._in_closed_form(rows.X):
            components, _ = self._jda(rows, len(next(network.parameters())))
            linear_start(network, components, np.zeros(rows.X.shape[1]))
        elif self.init == "pca" and self.module is None and rows.X.any():
            principal_start(network, rows.X.numpy())

    def _make_batches(self, part, rng):
        codes, source = part.targets.labels.numpy(), part.targets.source.numpy()
        adapt = not part.rows.targets.source.all()
        if len(np.unique(codes[source])) < 2 or (adapt and source.all()):
            raise ValueError(
                "early_stopping=True leaves one part of the samples without two classes of the source, or without "
                f"the target; change validation_fraction={self.validation_fraction}, or give more samples."
            )
        neighbors = neighborhoods(part.points().numpy(), codes, self.n_neighbors_within, self.n_neighbors_between)
        half = max(1, self.batch_size // 2)

        def sampler(rows):
            return DomainBalanced(source[rows] - 0.5, 2 * half, rng) if adapt else Shuffled(len(rows), half, rng)

        return WithNeighbors(sampler_of(sampler, part, rng), neighbors, rng)

    def _criterion(self, network, part, generator):
        return self._loss_of_layers

    def _loss_of_layers(self, layers, targets):
        known = targets[: len(targets) // 3]  # the rest are their neighbours
        margin = torch.inf if self.margin is None else self.margin
        weights = {"alpha": self.alpha, "beta": self.beta, "margin": margin, "mmd": DIVERGENCES[self.mmd]}
        *below, top = layers if self.deep_supervision else layers[-1:]
        excess = sum((objective(z, known.labels, known.source, **weights) - self.threshold).clamp_min(0) for z in below)
        return objective(top, known.labels, known.source, **weights) + self.deep_supervision * excess

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def objective(z, codes, source, *, alpha, beta, margin, mmd):
    """Objective J = S_c − α S_b + β D of one layer.

    S_c is the mean of ‖z − z_within‖² and S_b the mean of min(‖z − z_between‖², margin), over the source
    samples plus over the target samples, where samples without a label count 0.  D is ``mmd(source, target)``
    plus the discrepancy of the classes, :func:`class_discrepancy`.

    Parameters
    ----------
    z : tensor of shape (3 n, n_components)
        Embeddings of n samples, then of a neighbour of each in its own class, then of one in another class; of the
        sample itself if it has no such neighbour.
    codes : tensor of shape (n,)
        Classes of the samples, −1 if unknown.
    source : tensor of bool of shape (n,)
        Whether a sample is of the source.
    alpha, beta, margin : float
        α, β and the largest squared distance that counts in S_b.
    mmd : callable
        Discrepancy of two samples of embeddings.

    Returns
    -------
    loss : tensor of shape ()
    """
    z, within, between = z.chunk(3)
    terms = ((z - within) ** 2).sum(1) - alpha * ((z - between) ** 2).sum(1).clamp_max(margin)  # (n,)
    loss = terms[source].mean()
    if source.all():
        return loss
    discrepancy = mmd(z[source], z[~source]) + class_discrepancy(z, codes, source)
    return loss + terms[~source].mean() + beta * discrepancy


def seems_partly_labelled(y):
    """Whether −1 is among more than two classes, where it may mean that the label is unknown."""
    return y.dtype.kind in "fi" and bool((y == -1).any()) and len(np.unique(y)) > 2


def source_rows(sample_domain, n):
    """Mask of source rows; ValueError for a ``sample_domain`` not of n numbers, one of them >= 0."""
    if np.asarray(sample_domain).dtype.kind in "bSU":
        raise ValueError("sample_domain should hold numbers, at least 0 for the source and negative for the target.")
    domain = check_array(sample_domain, ensure_2d=False, input_name="sample_domain")
    if domain.shape != (n,):
        raise ValueError(f"sample_domain has shape {domain.shape}; with {n} samples it should be ({n},).")
    source = domain >= 0
    if not source.any():
        raise ValueError("sample_domain is negative in all rows; set it to 0 or more for source samples.")
    if source.all():
        warn("sample_domain is negative in no row, so nothing is adapted; make it negative for target samples.")
    return source
