"""MultiViewOASIS: bilinear similarities of several views, learned triplet by triplet, and weights between them."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import validate_data

from metricnets._draws import check_triplets
from metricnets._labels import supervised_codes
from metricnets._params import Flag, MaybeCount, fitting
from metricnets._tuples import FLOATS
from metricnets.linear._base import in_double
from metricnets.linear._bilinear import blocks_of_triplets
from metricnets.linear._bilinear_views import BilinearViews, TripletViews
from metricnets.linear._solvers.passive_aggressive import order_of_steps


class MultiViewOASIS(TripletViews):
    """Online similarity of several views, such as image and text, from triplets.

    The columns of a point are those of several views, and each view v has a bilinear similarity s_v, learned by `OASIS`
    from the triplets that have the view.  The similarity of two points is the weighted sum,

        s(x, x') = Σ_v w_v s_v(x_v, x'_v),

    and the weights are learned from the same triplets by the Hedge algorithm.

    A view may be missing, in training and later: NaN in all of its columns.  The weights of a point are then those of
    the views it has, divided by their sum, and the w_v of two points is the geometric mean of theirs.  A view that is
    missing in a point of a triplet does not learn from it, and has the loss of the weighted mean.

    ``transform``, ``pair_distance`` and ``predict`` use the metric of the projections of the symmetric parts of s_v
    onto the positive semi-definite matrices; by default it is that of cosines.  ``pair_similarity`` computes s itself.

    Deviations from the paper: s_v is of the points of a view, not of a network of it.  Weights follow from the loss of
    the weighted sum, so that it is nearly as good as the best one; in the paper they follow from the mistakes of each
    view alone, ``view_weights="mistakes"``, and so go to the best view, even if two are better together.  The learning
    rate is that of AdaHedge, not a constant.

    A step takes O(d²) time for the d columns of a view.  Each call of ``partial_fit`` ends with projections, in O(d³),
    so it should be given many triplets at a time.

    Parameters
    ----------
    n_iter : int >= 1 or None, default=None
        Number of steps of ``fit``.  If there are more than triplets, further passes are made.  None takes each
        triplet once.
    shuffle : bool, default=True
        Whether ``fit`` takes the triplets in random order, another one in each pass.  With False one pass does what
        ``partial_fit`` does.

    See Also
    --------
    MultiViewOASIS_Supervised : The same method from classes.
    OASIS : The similarity of one view.
    MultiViewNet : Networks of several views, from all samples at once.

    References
    ----------
    P. Wu, S. C. H. Hoi, H. Xia, P. Zhao, D. Wang and C. Miao, "Online multimodal deep similarity learning with
    application to image retrieval", ACM Multimedia 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import MultiViewOASIS
    >>> triplets = np.random.default_rng(0).normal(size=(50, 3, 5))
    >>> triplets[:, 1, :2] = triplets[:, 0, :2]  # the first view tells who is similar
    >>> model = MultiViewOASIS(views=[[0, 1], [2, 3, 4]], random_state=0).fit(triplets)
    >>> bool(model.view_weights_[0] > 0.9)
    True
    """

    n_iter: MaybeCount = None
    shuffle: Flag = True

    _from_labels = "MultiViewOASIS_Supervised"

    @fitting
    def fit(self, triplets: ArrayLike, y: None = None) -> Self:
        """Learn similarities and weights from triplets; ``y`` is not used.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets; NaN in all columns of a view that is missing in a point.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If the triplets or the views do not have this form, or no triplet has a view in all points.
        """
        X, members = self._rows(triplets, y)
        self._start(X, members)
        order = order_of_steps(len(members), self.n_iter, self._rng if self.shuffle else None)
        return self._follow(X, members[order])

    @fitting
    def partial_fit(self, triplets: ArrayLike, y: None = None) -> Self:
        """Learn from more triplets, each once and in the given order; ``y`` is not used.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets, one or more; views may be missing in all of them, but not in the first batch.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted learner.  Two calls do what one with the triplets of both does.
        """
        X, members = self._rows(triplets, y)
        if hasattr(self, "view_weights_"):
            self._check_shape(X)
        else:
            self._start(X, members)
        return self._follow(X, members)


class MultiViewOASIS_Supervised(BilinearViews):  # noqa: N801
    """Online similarity of several views, such as image and text, from classes.

    Triplets are drawn at random while they are learned from: a sample, another one of its class, and one of another
    class; see `MultiViewOASIS` for the similarity and its weights, and views that are missing.  Labels that are None,
    NaN or negative numbers are unknown: these samples are left out.

    Parameters
    ----------
    n_iter : int >= 1 or None, default=None
        Number of triplets to draw in ``fit``, and in each call of ``partial_fit``.  None takes 30 times the number of
        samples.

    See Also
    --------
    MultiViewOASIS : The same method from triplets.
    OASIS_Supervised : The similarity of one view.
    MultiViewNet : Networks of several views, from all samples at once.

    References
    ----------
    P. Wu, S. C. H. Hoi, H. Xia, P. Zhao, D. Wang and C. Miao, "Online multimodal deep similarity learning with
    application to image retrieval", ACM Multimedia 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from metricnets import MultiViewOASIS_Supervised
    >>> X, y = load_wine(return_X_y=True)
    >>> X[:20, 6:] = np.nan  # rows without the second view
    >>> MultiViewOASIS_Supervised(views=[slice(6), slice(6, 13)], random_state=0).fit_transform(X, y).shape
    (178, 13)
    """

    n_iter: MaybeCount = None

    @fitting
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn similarities and weights from classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points; NaN in all columns of a view that is missing.
        y : array-like of shape (n_samples,)
            Classes; None, NaN or a negative number where the class is unknown.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X, y or the views do not have this form, y gives no triplet, or no row of known class has a view.
        """
        return self._follow(X, y, first=True)

    @fitting
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn from more samples, of classes that were seen before or not.

        Triplets are drawn within the batch, so that two calls do not do what one with all samples does.  The first
        call does what ``fit`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points; views may be missing in all of them, but not in the first batch.
        y : array-like of shape (n_samples,)
            Classes, two or more in each batch; None, NaN or a negative number where the class is unknown.

        Returns
        -------
        self : object
            The fitted learner.
        """
        return self._follow(X, y, first=not hasattr(self, "view_weights_"))

    def _follow(self, X, y, first):
        X, y = self._looked_up(X), y if y is None else supervised_codes(y)
        checks = {"reset": first, "dtype": FLOATS, "ensure_min_samples": 2, "ensure_all_finite": self._finite}
        X, codes = validate_data(self, X, y, **checks)
        check_triplets(codes)
        X, codes = in_double(X)[codes >= 0], codes[codes >= 0]
        if first:
            self._begin(X, np.arange(len(X))[:, None])
        views, present = [view.copy() for view in self._views], self._present(X).T
        return self._solve_views(views, self._blocks(views, X, present, codes))

    def _blocks(self, views, X, present, codes):
        Z = [view.located(z, has) for view, z, has in zip(views, self._near(views, X, present), present)]
        for block in blocks_of_triplets(codes, self.n_iter or 30 * len(codes), self._rng):
            rows = [has[block].all(axis=1) for has in present]
            a, b, c = block.T
            steps = [(each, z[a[each]], z[b[each]] - z[c[each]]) for each, z in zip(rows, Z)]
            yield len(block), steps

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
