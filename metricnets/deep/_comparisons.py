"""TripletsNet and QuadrupletsNet: networks trained with comparisons of distances."""

from typing import Literal, Self

import numpy as np
import torch

from metricnets._params import Array, Count, Flag, MaybeArray, Positive, fitting
from metricnets._tuples import distinct
from metricnets._weights import rows_of
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._stream import Continued
from metricnets.deep._training.comparisons import Comparisons, OfComparisons
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.validation import check_validation_tuples
from metricnets.deep._tuples import DeepTuplesLearner
from metricnets.losses._comparison import hinge, logistic, ratio
from metricnets.losses._ops import EPS, precise
from metricnets.tuple_learners import QuadrupletsMixin, TripletsMixin


class _ComparisonsNet(Continued, DeepTuplesLearner, NetworkMetric):
    """Network trained with comparisons of two distances, d(a, b) < d(c, d).

    Parameters
    ----------
    loss : {'hinge', 'logistic', 'ratio'}, default='logistic'
        Loss of the difference x = d(a, b) − d(c, d) of a comparison.

        - 'hinge': [τ + x]₊.
        - 'logistic': log(1 + exp βx), the negative log-likelihood if a comparison is right with probability
          1 / (1 + exp βx).  So wrong comparisons among those that are given do little harm.
        - 'ratio': 1 / (1 + exp −βx)², which is below 1 however wrong a comparison is.
    margin : float > 0, default=0.2
        Margin τ of 'hinge'.
    sharpness : float > 0, default=2.0
        β of 'logistic' and 'ratio': how sure comparisons are.  Distances are about 1 at the start.
    squared : bool, default=False
        Whether squared distances are compared.
    normalize : bool, default=False
        Whether embeddings are scaled to unit norm, so that distances are at most 2, except with ``skip``.  It helps
        for comparisons that come from classes, such as persons, and harms where distances are matters of degree.
    max_epochs : int >= 1, default=20
        Maximum number of epochs, that is, passes over the tuples.
    """

    loss: Literal["hinge", "logistic", "ratio"] = "logistic"
    margin: Positive = 0.2
    sharpness: Positive = 2.0
    squared: Flag = False
    normalize: Flag = False
    max_epochs: Count = 20

    def _fit_comparisons(self, tuples, y, sample_weight, tuples_val):
        check_validation_tuples(tuples_val, self.early_stopping, f"{self._kind}_val")
        _, labels, weights, n, X, members = self._validated_tuples(tuples, y, sample_weight, tuples_val)
        X, members = self._distinct(X, members)
        problem = self._prepare_tuples(X, members, labels, weights, n, start=self._start())
        problem.rows = Comparisons(problem.rows.X, problem.rows.targets, torch.as_tensor(members))
        return self._learn(problem)

    def _distinct(self, X, members):
        """Distinct points as they occur first, and the rows (n_tuples, 4) of those whose distances are compared."""
        points, members = distinct(X.reshape(len(X), -1), members[:, self._compared])
        order = np.argsort(np.unique(members, return_index=True)[1])
        return points[order].reshape(-1, *X.shape[1:]), np.argsort(order)[members]

    def _labels(self, y, n_tuples, n_train):
        self.classes_ = np.array([-1, 1])
        return np.ones(n_tuples, dtype=np.int8)

    def _similarity(self, targets, kept):
        rows, members = np.unique(targets.members[kept], return_inverse=True)
        return rows, OfComparisons(members.reshape(-1, 4), rows_of(targets.weights, kept))

    def _criterion(self, network, part, generator):
        return self._loss_of_batch

    def _loss_of_batch(self, z, targets):
        a, b, c, d = precise(z)[targets.members.T]
        near, far = ((a - b) ** 2).sum(1), ((c - d) ** 2).sum(1)
        differences = near - far if self.squared else (near + EPS).sqrt() - (far + EPS).sqrt()
        if self.loss == "hinge":
            return hinge(differences, margin=self.margin).mean()
        return {"logistic": logistic, "ratio": ratio}[self.loss](self.sharpness * differences).mean()


class TripletsNet(TripletsMixin, _ComparisonsNet):
    """Network trained with triplets (a, b, c): a should be nearer to b than to c.

    Triplets are what people can say of style, taste or meaning, where classes and a scale are missing: "a is more like
    b than like c".  Minimise the mean loss of d(a, b) − d(a, c).  ``predict`` says for a triplet whether a is nearer to
    b, and ``score`` is the share of triplets in which it is.  Each point of a batch is embedded once, in however many
    of its triplets it is.

    Wang et al. have hinges of squared distances, of unit-norm embeddings by a network of an image at several scales,
    :func:`metricnets.networks.multi_scale_conv`, and draw triplets as ``metricnets.constraints.relevance_triplets``:
    ``TripletsNet(module=multi_scale_conv, loss="hinge", squared=True, margin=1.0, normalize=True, optimizer="sgd")``.
    The ratio loss of the triplet network of Hoffer and Ailon is ``TripletsNet(loss="ratio", sharpness=1.0)``.

    See Also
    --------
    QuadrupletsNet : Network trained with comparisons of any two distances.
    SCML : Linear metric from triplets, a sparse combination of rank-one metrics.
    EmbeddingNet : Network trained with any loss, such as triplets of classes.

    References
    ----------
    J. Wang et al., "Learning fine-grained image similarity with deep ranking", CVPR 2014; I. Lim, A. Gehre and
    L. Kobbelt, "Identifying style of 3D shapes using deep metric learning", Computer Graphics Forum 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import TripletsNet
    >>> X = np.random.default_rng(0).normal(size=(20, 3))
    >>> triplets = np.random.default_rng(1).integers(20, size=(300, 3))
    >>> wrong = abs(X[triplets[:, :1], 0] - X[triplets[:, 1:], 0]).argmin(axis=1) == 1  # only the first feature counts
    >>> triplets[wrong] = triplets[wrong][:, [0, 2, 1]]
    >>> TripletsNet(preprocessor=X, random_state=0).fit(triplets[:200]).score(triplets[200:]) > 0.8
    True
    """

    _kind, _compared, _from_labels = "triplets", [0, 1, 0, 2], "EmbeddingNet"

    @fitting
    @defaults()
    def fit(
        self, triplets: Array, y: None = None, *, sample_weight: MaybeArray = None, triplets_val: MaybeArray = None
    ) -> Self:
        """Learn the metric from triplets.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets.  With indicators each point is stored once, which saves memory.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_triplets,), float or None, default=None
            How often each triplet is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and triplets of
            weight 0 are left out.
        triplets_val : array-like or None, default=None
            Validation data for ``early_stopping``, as ``triplets``; None holds back a part of the triplets.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the triplets or the weights do not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        return self._fit_comparisons(triplets, y, sample_weight, triplets_val)


class QuadrupletsNet(QuadrupletsMixin, _ComparisonsNet):
    """Network trained with quadruplets (a, b, c, d): a and b should be nearer to each other than c and d.

    Minimise the mean loss of d(a, b) − d(c, d).  Quadruplets (a, b, a, c) are triplets, and give the same metric as
    :class:`TripletsNet`.  Comparisons without a common point make distances comparable everywhere, which triplets do
    only around each point.

    See Also
    --------
    TripletsNet : Network trained with comparisons of distances from a common point.
    LSML : Linear metric from quadruplets, by squared residuals.
    EmbeddingNet : Network trained with any loss, such as quadruplets of graded targets.

    References
    ----------
    M. T. Law, N. Thome and M. Cord, "Quadruplet-wise image similarity learning", ICCV 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import QuadrupletsNet
    >>> X = np.random.default_rng(0).normal(size=(20, 3))
    >>> quadruplets = np.random.default_rng(1).integers(20, size=(300, 4))
    >>> first, last = abs(X[quadruplets[:, ::2], 0] - X[quadruplets[:, 1::2], 0]).T  # only the first feature counts
    >>> quadruplets[first > last] = quadruplets[first > last][:, [2, 3, 0, 1]]
    >>> QuadrupletsNet(preprocessor=X, random_state=0).fit(quadruplets[:200]).score(quadruplets[200:]) > 0.8
    True
    """

    _kind, _compared, _from_labels = "quadruplets", [0, 1, 2, 3], "EmbeddingNet"

    @fitting
    @defaults()
    def fit(
        self,
        quadruplets: Array,
        y: None = None,
        *,
        sample_weight: MaybeArray = None,
        quadruplets_val: MaybeArray = None,
    ) -> Self:
        """Learn the metric from quadruplets.

        Parameters
        ----------
        quadruplets : array-like of shape (n_quadruplets, 4, n_features), or (n_quadruplets, 4) indicators
            Training quadruplets.  With indicators each point is stored once, which saves memory.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_quadruplets,), float or None, default=None
            How often each quadruplet is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and
            quadruplets of weight 0 are left out.
        quadruplets_val : array-like or None, default=None
            Validation data for ``early_stopping``, as ``quadruplets``; None holds back a part of the quadruplets.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the quadruplets or the weights do not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        return self._fit_comparisons(quadruplets, y, sample_weight, quadruplets_val)
