"""MMDML: multi-manifold deep metric learning, for sets of points."""

from typing import Literal, Self

from metricnets._params import Array, Count, Flag, MaybeArray, NonNegative, Positive, ZeroToOne, fitting
from metricnets.deep._manifolds import ManifoldsMetric
from metricnets.deep._training.manifolds import objective, of_networks
from metricnets.deep._training.runtime import defaults


class MMDML(ManifoldsMetric):
    """Multi-manifold deep metric learning (MMDML) of sets of points, such as the images of an object.

    Each class has a network f_c, and the training points of the class, embedded by it, form a manifold.  A point is
    near the nearest points of the manifold of its class and, by a margin, far from those of others.  A new set goes
    through every network, and the manifold with the smallest set-to-set distance gives its class.

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
    shrinkage : float in [0, 1] or 'auto', default=0.0
        How far the trained weights are moved back to those of the common start: 0 not at all, 1 all the way.  'auto'
        chooses by the classes of sets that are held out, in two folds, and takes more than twice the time; it helps
        where training is worse than the start.
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
    other_sets: Flag = True
    common_space: Flag = False
    batch_size: Count = 256
    max_epochs: Count = 15
    shrinkage: Literal["auto"] | ZeroToOne = 0.0
    weight_decay: Literal["auto"] | NonNegative = 30.0

    @fitting
    @defaults()
    def fit(
        self,
        X: Array,
        y: Array,
        groups: MaybeArray = None,
        *,
        sample_weight: MaybeArray = None,
        X_val: MaybeArray = None,
        y_val: MaybeArray = None,
        groups_val: MaybeArray = None,
    ) -> Self:
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
        X_val, y_val, groups_val : array-like or None, default=None
            Validation sets for ``early_stopping``, as X, y and ``groups``, of at least two of the classes; None holds
            back a part of the sets.  They are in no manifold.  Their names have nothing to do with those in ``groups``.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If y has one class, the rows of a set have several, the arrays do not have this form, or the loss is no
            longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        return self._fit_sets((X, y, groups), (X_val, y_val, groups_val), sample_weight)

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
