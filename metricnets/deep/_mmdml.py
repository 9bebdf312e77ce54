"""MMDML: multi-manifold deep metric learning, for sets of points."""

from typing import Literal, Self

import numpy as np
import torch
from sklearn.utils.validation import column_or_1d
from torch.nn import functional as F

from metricnets._labels import check_known
from metricnets._params import (
    Array,
    Count,
    Flag,
    Function,
    MaybeArray,
    NonNegative,
    Positive,
    fitting,
)
from metricnets._sets import check_stacked, of_each_set, set_numbers, split_sets
from metricnets._targets import resolve
from metricnets._weights import check_weights, rows_of
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.data import CHUNK, Targets, tensor_of
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.sets import hold_back_sets
from metricnets.deep._training.similarity import OfTargets
from metricnets.deep._training.weights import sampler_of, used
from metricnets.metrics._sets import distances_of
from metricnets.networks import Ensemble
from metricnets.samplers import ClassBalanced
from metricnets.set_classifiers import SetClassifierMixin


class MMDML(SetClassifierMixin, NetworkMetric):
    """Multi-manifold deep metric learning (MMDML) of sets of points, such as the images of an object.

    Each class has a network f_c, and the training points of the class, embedded by it, form a manifold.  A point is
    near the nearest points of the manifold of its class and, by a margin, far from those of others, see
    :func:`objective`.  A new set goes through every network, and the manifold with the smallest set-to-set distance
    gives its class.

    ``transform`` has the outputs of all networks side by side, divided by the square root of their number, so the
    squared distance of two points is the mean of the squared distances by the networks.

    Deviations from the paper, each with a parameter:

    1. Points of other classes go through the network of the manifold that they are compared with, as in prediction, and
       not through their own (``common_space``).
    2. Neighbours in the own class are of other sets, if the class has any in a batch: a new set is none of the training
       sets (``other_sets``).
    3. All networks start from one linear map, within-class covariance normalisation, whose ridge is chosen on sets that
       are held back, and add a perceptron of a class each.  Embeddings have unit norm.
    4. The set-to-set distance is a mean over the points of a set, and not a minimum (``distance``).

    The neighbours are the nearest of the batch, in the outputs of the networks.  The paper's own setting, but for the
    widths of the layers, is ``MMDML(common_space=True, other_sets=False, distance="minimum", margin=0.0, init="glorot",
    hidden=(200, 100), n_components=50, activation="tanh", activate_output=True, normalize=False, dropout=0.0,
    input_dropout=0.0, optimizer="sgd", weight_decay=1e-4)``.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Weight α of the distance to other manifolds; 0 only draws the points of a class together.
    margin : float >= 0, default=0.2
        Margin of the squared distances, which are at most 4 if embeddings have unit norm.
    sharpness : float > 0, default=10.0
        Sharpness β of the generalised logistic loss; the hinge loss is its limit.
    n_neighbors_within : int >= 1, default=3
        Number of neighbours k₁ in the manifold of the same class.
    n_neighbors_between : int >= 1, default=3
        Number of neighbours k₂ in those of other classes.
    distance : {'minimum', 'mean_nearest', 'mutual_subspace', 'affine_hull', 'convex_hull'} or callable, \
default='mean_nearest'
        Distance of a set to the manifold of a class, both embedded by the network of the class, see
        :mod:`metricnets.metrics`.  A callable takes the points of both, (n, n_components) and (m, n_components).
    other_sets : bool, default=True
        Whether neighbours of the same class are taken from other sets, where there are any.
    common_space : bool, default=False
        Whether points of two classes are compared by the networks of both, in one space, or by the one of the manifold.
    n_per_class : int >= 1, default=8
        Minimum number of samples of each class in a batch, which has at least two classes.
    n_components : int >= 1, default=64
        Number of columns of the embedding by each network; ``transform`` has them for each class.
    batch_size : int >= 1, default=256
        Approximate number of samples in a batch.
    max_epochs : int >= 1, default=15
        Maximum number of epochs, that is, passes over the data.
    early_stopping : bool, default=False
        Whether to hold back a part of the sets, stop when the loss on them does not improve, and keep the weights of
        the best epoch.  Each class keeps a set; rows are held back if fewer than two classes have several sets.
    validation_fraction : float in (0, 1), default=0.1
        Fraction of the sets to hold back for early stopping, at least four sets if the classes have as many.
    weight_decay : float >= 0 or 'auto', default=30.0
        Strength of the penalty on the perceptrons, which are added to the common start, see :class:`EmbeddingNet`.

    Attributes
    ----------
    manifolds_ : list of ndarray of shape (n_samples_of_class, n_components)
        Training points of each class, embedded by its network.

    See Also
    --------
    NearestSet : Nearest training set by any metric and set-to-set distance.
    EmbeddingNet : Network trained with any loss.

    Notes
    -----
    Time and memory of a step grow with the number of classes, as every network embeds the batch.

    References
    ----------
    J. Lu, G. Wang, W. Deng, P. Moulin, J. Zhou, "Multi-manifold deep metric learning for image set classification",
    CVPR 2015.

    Examples
    --------
    >>> from metricnets import MMDML
    >>> from metricnets.datasets import make_sets
    >>> X, y, groups = make_sets(n_sets=20, random_state=0)
    >>> mmdml = MMDML(max_epochs=2, random_state=0).fit(X, y, groups=groups)
    >>> mmdml.predict(X, groups=groups).shape, mmdml.transform(X).shape
    ((200,), (200, 192))
    """

    alpha: NonNegative = 1.0
    margin: NonNegative = 0.2
    sharpness: Positive = 10.0
    n_neighbors_within: Count = 3
    n_neighbors_between: Count = 3
    distance: Literal["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"] | Function = (
        "mean_nearest"
    )
    other_sets: Flag = True
    common_space: Flag = False
    n_per_class: Count = 8
    batch_size: Count = 256
    max_epochs: Count = 15
    weight_decay: Literal["auto"] | NonNegative = 30.0

    @fitting
    @defaults()
    def fit(self, X: Array, y: Array, groups: MaybeArray = None, *, sample_weight: MaybeArray = None) -> Self:
        """Learn the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points of all sets.
        y : array-like of shape (n_samples,)
            Classes, the same for all rows of a set.
        groups : array-like of shape (n_samples,) or None, default=None
            The set of each row; None makes each row a set of its own.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn among those of its class, non-negative; see :ref:`weights_deep`.  Samples of
            weight 0 are left out, of the manifolds too.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If y has one class, the rows of a set have several, X, y, groups or the weights do not have this form, or
            the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        X, y = self._validated(X, y)
        relation, codes, classes = resolve(y, "same_class")
        names, number = set_numbers(groups, len(X))
        of_each_set(classes[codes], names, number)
        X, codes, number, weights = used(check_weights(sample_weight, len(X)), X, codes, number)
        present, codes = np.unique(codes, return_inverse=True)
        if len(present) < 2:
            raise ValueError(f"y has one class only, {classes[present[0]]!s}; a metric needs at least two.")
        targets = Targets(
            tensor_of(codes),
            row=torch.arange(len(X)),
            relation=relation,
            classes=classes[present],
            weights=weights,
            sets=tensor_of(np.unique(number, return_inverse=True)[1]),
        )
        problem = self._prepare(X, targets, np.column_stack([codes, targets.sets.numpy()]), weights)
        return self._learn(problem)

    def _validated(self, X, y):
        if self.module is None:
            check_stacked(X)
        X, y = super()._validated(X, y)
        return X, check_known(column_or_1d(y, warn=True))

    def _split(self, n, strata, seed):
        codes, sets = strata.T
        if self.early_stopping and len(np.unique(sets)) < n:
            held_back = hold_back_sets(codes, sets, self.validation_fraction, np.random.default_rng(seed))
            if held_back.any():
                return np.flatnonzero(~held_back), np.flatnonzero(held_back)
        return super()._split(n, codes, seed)

    def _similarity(self, targets, kept):
        weights = rows_of(targets.weights, kept)
        return kept, OfTargets(targets.labels[kept], targets.relation, weights, targets.sets[kept].numpy())

    def _network(self, rows, generator, member):
        of_class = super()._network
        return Ensemble([of_class(rows, generator, member) for _ in rows.targets.classes])

    def _joined(self, networks, X):
        of_class = super()._joined
        return Ensemble([of_class([*members], X) for members in zip(*(network.members for network in networks))])

    def _criterion(self, network, part, generator):
        n_classes = len(network.members)

        def loss(z, targets):
            z = of_networks(z, n_classes)
            return objective(
                z, targets.labels, targets.sets if self.other_sets else targets.row, targets.row,
                n_within=self.n_neighbors_within, n_between=self.n_neighbors_between, margin=self.margin,
                alpha=self.alpha, sharpness=self.sharpness, common_space=self.common_space,
            )  # fmt: skip

        return loss

    def _make_batches(self, part, rng):
        codes = part.targets.labels.numpy()
        if len(np.unique(codes)) < 2:
            raise ValueError(
                "early_stopping=True leaves one part of the samples without two classes; change "
                f"validation_fraction={self.validation_fraction}, or give more samples."
            )
        return sampler_of(lambda rows: ClassBalanced(codes[rows], self.batch_size, rng, self.n_per_class), part, rng)

    @torch.no_grad()
    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        network, X = self.module_[-1] if problem.plan.of_ours else self.module_, problem.rows.X
        codes, n_classes = problem.rows.targets.labels.numpy(), len(problem.rows.targets.classes)
        size = min(CHUNK, self._rows_at_once)
        z = torch.cat([network(part).double() for part in X.split(size)]).numpy()
        z = of_networks(z, n_classes)
        self.classes_ = problem.rows.targets.classes
        self.manifolds_ = [z[codes == c, c] for c in range(n_classes)]

    def _distances_to_classes(self, X, number):
        n_classes = len(self.classes_)
        z = of_networks(self.transform(X).astype(float), n_classes)
        by_class = zip(z.swapaxes(0, 1), self.manifolds_)
        return np.hstack([distances_of(split_sets(own, number), [m], self.distance) for own, m in by_class])


def of_networks(z, n_classes):
    """Embeddings by the network of each class, (n, n_classes, n_components), of what `transform` has side by side."""
    return z.reshape(len(z), n_classes, -1) * n_classes**0.5


def objective(z, codes, sets, row, *, n_within, n_between, margin, alpha, sharpness, common_space=False):
    """Maximal manifold margin, mean_i g(margin + D_within(i) − α D_between(i)), with g(a) = log(1 + exp(β a)) / β.

    With D_ij = ‖f_c(x_i) − f_c(x_j)‖², where c is the class of x_j, D_within(i) is the mean of the k₁ smallest D_ij of
    the class of x_i, and D_between(i) of the k₂ smallest of other classes; 0 if there are none.  In a common space
    D_ij = ‖f_b(x_i) − f_c(x_j)‖², where b is the class of x_i.

    Parameters
    ----------
    z : tensor of shape (n, n_classes, n_components)
        Embeddings of a batch by the network of each class.
    codes, sets, row : tensor of shape (n,)
        Class, set and number of each point.  Neighbours of the same class are points of other sets; if there are none,
        they are others of the set.
    n_within, n_between : int
        Numbers of neighbours k₁ and k₂, fewer if there are fewer.
    margin, alpha, sharpness : float
        The margin, α and β.
    common_space : bool, default=False

    Returns
    -------
    loss : tensor of shape ()
    """
    d2 = to_manifolds(z, codes, common_space)
    same = codes[:, None] == codes
    elsewhere, another = same & (sets[:, None] != sets), same & (row[:, None] != row)
    within = torch.where(elsewhere.any(1, keepdim=True), elsewhere, another)
    excess = margin + mean_nearest(d2, within, n_within) - alpha * mean_nearest(d2, ~same, n_between)
    return F.softplus(sharpness * excess).mean() / sharpness


def to_manifolds(z, codes, common_space):
    """Squared distances D_ij of `objective` of each point to each point of a manifold, (n, n)."""
    own = z[torch.arange(len(z)), codes]  # (n, k)
    norms = (own**2).sum(1)
    if common_space:
        return (norms[:, None] + norms - 2 * own @ own.T).clamp_min(0)
    order = codes.argsort(stable=True)
    classes, sizes = codes[order].unique_consecutive(return_counts=True)
    parts = zip(classes.tolist(), own[order].split(sizes.tolist()))
    products = torch.cat([z[:, c] @ members.T for c, members in parts], dim=1)[:, order.argsort()]
    return ((z**2).sum(2)[:, codes] + norms - 2 * products).clamp_min(0)


def mean_nearest(d2, counts, k):
    """Mean of the k smallest entries of each row that count, all of them if there are fewer, 0 if there are none."""
    k = min(k, d2.shape[1])
    nearest = d2.masked_fill(~counts, torch.inf).topk(k, dim=1, largest=False).values
    found = nearest.isfinite()
    return nearest.masked_fill(~found, 0).sum(1) / found.sum(1).clamp_min(1)
