"""TripletsNet: networks trained with triplets."""

from typing import Self

from metricnets._params import Array, MaybeArray, fitting
from metricnets.deep._comparisons import ComparisonsNet
from metricnets.deep._training.runtime import defaults
from metricnets.tuple_learners import TripletsMixin


class TripletsNet(TripletsMixin, ComparisonsNet):
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
            Not used, present for API consistency by convention; labels of −1 are refused, as the order says what is
            wrong.
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
            If the triplets or the weights do not have this form, y is −1 for some of them, or the loss is no longer
            finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        return self._fit_comparisons(triplets, y, sample_weight, triplets_val)
