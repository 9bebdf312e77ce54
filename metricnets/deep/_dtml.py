"""DTML and DSTML: deep transfer metric learning."""

import warnings
from typing import Annotated, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d
from torch import nn

from metricnets._labels import UNKNOWN
from metricnets._neighbors import WithNeighbors, neighborhoods, spread_labels
from metricnets._params import Count, Flag, NonNegative, Positive, Sizes, StrOptions, Whole, fitting
from metricnets._targets import resolve
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.embedding import embed
from metricnets.deep._training.initialization import principal_start
from metricnets.deep._training.runtime import defaults
from metricnets.divergences import class_discrepancy, linear_mmd, multi_kernel_mmd
from metricnets.exceptions import warn
from metricnets.networks import BOUNDED, MLP
from metricnets.samplers import DomainBalanced, Shuffled

DIVERGENCES = {"linear": linear_mmd, "gaussian": multi_kernel_mmd}
MaybePositive = Positive | None


class _AllLayers(nn.Module):
    """A network whose output is the list of the outputs of its layers, the top last."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module.layers(x) if isinstance(self.module, MLP) else [self.module(x)]


class DTML(NetworkMetric):
    """Deep transfer metric learning: a metric from a labelled source, for an unlabelled target.

    Points of the source are drawn to their nearest neighbours of the same class and pushed from
    those of other classes, and the two domains are made alike as distributions: every layer has
    J = S_c − α S_b + β D, see :func:`objective`, and the network minimises that of its top layer.
    With ``deep_supervision`` ω > 0 it is DSTML, which adds Σ ω [J − θ]₊ over the other layers.

    Deviations from the paper, each with a parameter.  (1) A pair of S_b counts up to ``margin``:
    S_b is then bounded whatever the network is, and the classes all part instead of falling into a
    few heaps as far apart as can be.  (2) After a first training the target rows are labelled by
    spreading the labels of the source along the nearest neighbours of the embedding, the surest
    first, and training is repeated, ``n_rounds`` times: labelled target rows have an S_c − α S_b of
    their own, and D compares the classes too, as in joint distribution adaptation.  (3) A Gaussian
    discrepancy.  (4) A linear map that starts at the principal components and has unit-norm output;
    tables of some thousand rows are too small for hidden layers.  And without one: a step draws one
    of the k neighbours of each row, neighbours being those of the input space as in the paper, and
    the perceptron sees points centred and divided by one scale, which its first layer then absorbs.

    The paper's own setting is ``DTML(alpha=0.1, beta=10.0, margin=None, mmd="linear", n_rounds=0,
    hidden=(200,), n_components=200, normalize=False, activate_output=True, init="glorot",
    optimizer="sgd", lr_schedule=None, weight_decay=0.2)``, weight_decay being 2γ; with
    ``deep_supervision=1.0`` it is that of DSTML.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        α, weight of the separation of classes.
    beta : float >= 0, default=1.0
        β, weight of the discrepancy of the domains; 0 leaves the target rows aside.
    margin : float > 0 or None, default=1.0
        Squared distance above which a pair of different classes counts no more.  None has no such
        bound, and needs ``normalize=True``, or a bounded activation and ``activate_output=True``.
    n_neighbors_within : int >= 1, default=5
        k₁, neighbours of the same class.
    n_neighbors_between : int >= 1, default=10
        k₂, neighbours of other classes.
    mmd : {'linear', 'gaussian'}, default='gaussian'
        Discrepancy of the domains: squared distance of the means, or maximum mean discrepancy
        with several Gaussian kernels.
    n_rounds : int >= 0, default=4
        Trainings after the first with labels that were spread to target rows; the r-th takes the
        surest r / n_rounds of the rows of every class.  0 is the paper's method.
    deep_supervision : float >= 0, default=0.0
        ω, weight of the layers below the top.
    threshold : float >= 0, default=0.0
        θ: a layer below the top with an objective of at most this is left in peace.
    hidden : tuple of int, default=()
        Widths of the hidden layers; () for a linear map.
    n_components : int >= 1, default=64
        Width of the embedding.
    normalize : bool, default=True
        Whether embeddings are scaled to unit norm, so that distances are at most 2.
    init : {'pca', 'glorot', 'uniform'}, default='pca'
        How the weights of the perceptron start: 'pca' is the principal components of all rows in
        the first layer and the identity in others; 'glorot' and 'uniform' are as everywhere.
    lr : float > 0, default=0.0003
        Learning rate.
    max_epochs : int >= 1, default=20
        Passes over the larger domain, in every round; tables of a few hundred rows need more.
    batch_size : int >= 1, default=128
        Rows of a batch, half from each domain; each brings two neighbours with it.

    Attributes
    ----------
    history_ : list of dict
        epoch, train_loss, dur (seconds), with early stopping valid_loss, and round.

    See Also
    --------
    SourceOnly : Predictor fitted to the labelled rows alone.
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
    >>> X[::2] += 1.0  # every other flower was measured elsewhere, and not named
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
    deep_supervision: NonNegative = 0.0
    threshold: NonNegative = 0.0
    hidden: Sizes = ()
    n_components: Count = 64
    normalize: Flag = True
    init: Literal["pca", "glorot", "uniform"] = "pca"
    lr: Positive = 3e-4
    max_epochs: Count = 20

    _exposed = _AllLayers

    @fitting
    @defaults()
    def fit(self, X, y, sample_domain=None):
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Rows of the source and of the target.
        y : array-like of shape (n_samples,)
            Classes; those of target rows are ignored, whatever they are: −1, NaN, None, or true.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            At least 0 for rows of the source, negative for rows of the target.  None: all rows
            are of the source, and nothing is adapted, which a warning says if y has −1 among several classes.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there is no source row or only one class among them, nothing bounds S_b, X, y or
            sample_domain are not of this form, or the loss is no longer a number.
        """
        self._check_bounded()
        X, y, source = self._validated_domains(X, y, sample_domain)
        _, codes, classes = resolve(y[source], "same_class")
        if len(classes) < 2:
            raise ValueError(f"y has one class only in the source, {classes[0]!s}; a metric needs at least two.")
        if self.beta:
            known = np.full(len(X), UNKNOWN)
            known[source] = codes
            return self._self_train(X, known, source)
        return self._self_train(X[source], codes, source[source])

    def _self_train(self, X, codes, source):
        """Train; then label more and more of the target rows, and train again, ``n_rounds`` times."""
        targets = Targets(tensor_of(codes), row=torch.arange(len(X)), source=tensor_of(source))
        problem, trained = self._prepare(X, targets, codes), None
        n_rounds = 0 if source.all() else self.n_rounds
        try:
            for r in range(n_rounds + 1):
                if r:
                    labels = spread_labels(self._round_embedding(problem, trained), codes, share=r / n_rounds)
                    problem.rows.targets.labels, problem.seed = tensor_of(labels), self._seed()
                earlier, trained = trained, self._train(problem)
                history = [{**record, "round": r} for record in trained.history]
                trained.history = history if earlier is None else earlier.history + history
                if trained.interrupted:
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
        options = {"n_rows": self.batch_size, "in_double": False, "device": self._device()}
        return embed(self._joined(trained.networks, problem.rows.X), problem.rows.X.numpy(), **options)

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
                f"with margin=None and alpha={self.alpha} distances grow without end, for "
                f"{output if self.module is None else 'module='} does not bound them; give a margin, or set "
                f"normalize=True, or activate_output=True and activation to one of {BOUNDED}."
            )

    def _validated_domains(self, X, y, sample_domain):
        """X, y without the labels of target rows, and the mask of source rows."""
        if sample_domain is None or y is None:
            X, y = self._validated(X, y)
            if y.dtype.kind in "fi" and (y == -1).any() and len(np.unique(y)) > 2:
                warn("y has -1, a class like others as there is no sample_domain=, which is negative for target rows.")
            return X, y, np.ones(len(X), bool)
        check_consistent_length(X, y)
        source = source_rows(sample_domain, len(y))
        labels = column_or_1d(np.asarray(y, dtype=object), warn=True).copy()
        labels[~source] = labels[source][0]  # whatever they were
        X, y = self._validated(X, np.array(labels.tolist()))
        return X, y, source

    def _initialize(self, network, rows, generator):
        if self.init == "pca" and self.module is None and rows.X.any():  # all 0: every row is the same
            principal_start(network, rows.X.numpy())

    def _make_batches(self, part, rng):
        codes, source = part.targets.labels.numpy(), part.targets.source.numpy()
        adapt = not part.rows.targets.source.all()
        if len(np.unique(codes[source])) < 2 or (adapt and source.all()):
            raise ValueError(
                "early_stopping=True leaves one part of the rows without two classes of the source, or without "
                f"the target; change validation_fraction={self.validation_fraction}, or give more rows."
            )
        neighbors = neighborhoods(
            part.points().numpy(), codes, source, self.n_neighbors_within, self.n_neighbors_between
        )
        half = max(1, self.batch_size // 2)
        sampler = DomainBalanced(source - 0.5, 2 * half, rng) if adapt else Shuffled(len(part), half, rng)
        return WithNeighbors(sampler, *neighbors, rng)

    def _criterion(self, targets):
        return self._loss_of_layers

    def _loss_of_layers(self, layers, targets):
        known = targets[: len(targets) // 3]  # then come their neighbours
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
    """J = S_c − α S_b + β D of one layer.

    S_c is the mean of ‖z − z_within‖², and S_b that of min(‖z − z_between‖², margin), over the source
    rows and, beside it, over the target rows, where rows without a label count 0.  D is
    ``mmd(source, target)`` plus that of the classes, :func:`class_discrepancy`.

    Parameters
    ----------
    z : tensor of shape (3 n, n_components)
        Rows, one neighbour of each in its own class, one in another; a row that has none, itself.
    codes : tensor of shape (n,)
        Classes of the rows, −1 where it is not known.
    source : tensor of bool of shape (n,)
    alpha, beta, margin : float
    mmd : callable
    """
    z, within, between = z.chunk(3)
    terms = ((z - within) ** 2).sum(1) - alpha * ((z - between) ** 2).sum(1).clamp_max(margin)  # (n,)
    loss = terms[source].mean()
    if source.all():
        return loss
    discrepancy = mmd(z[source], z[~source]) + class_discrepancy(z, codes, source)
    return loss + terms[~source].mean() + beta * discrepancy


def source_rows(sample_domain, n):
    """Mask of source rows; ValueError for a ``sample_domain`` not of n numbers, one of them >= 0."""
    if np.asarray(sample_domain).dtype.kind in "bSU":
        raise ValueError("sample_domain should hold numbers, at least 0 for the source and negative for the target.")
    domain = check_array(sample_domain, ensure_2d=False, input_name="sample_domain")
    if domain.shape != (n,):
        raise ValueError(f"sample_domain has shape {domain.shape}; with {n} samples it should be ({n},).")
    source = domain >= 0
    if not source.any():
        raise ValueError("sample_domain is negative in all rows: without a source row there is no label to learn from.")
    if source.all():
        message = "sample_domain is negative in no row: without a target row nothing is adapted."
        warnings.warn(message, UserWarning, stacklevel=5)
    return source
