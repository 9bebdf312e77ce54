"""QuadrupletsNet: networks trained with quadruplets."""

from typing import Self

from metricnets._params import Array, MaybeArray, fitting
from metricnets.deep._comparisons import ComparisonsNet
from metricnets.deep._training.runtime import defaults
from metricnets.tuple_learners import QuadrupletsMixin


class QuadrupletsNet(QuadrupletsMixin, ComparisonsNet):
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
            Not used, present for API consistency by convention; labels of −1 are refused, as the order says what is
            wrong.
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
            If the quadruplets or the weights do not have this form, y is −1 for some of them, or the loss is no longer
            finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        return self._fit_comparisons(quadruplets, y, sample_weight, quadruplets_val)
