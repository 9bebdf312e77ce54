"""OASIS: a bilinear similarity learned triplet by triplet."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils.extmath import row_norms

from metricnets._draws import check_triplets
from metricnets._labels import supervised_codes
from metricnets._params import Flag, MaybeCount, Points, Positive, fitting
from metricnets._progress import progress
from metricnets.linear._base import LinearMetric, in_double
from metricnets.linear._bilinear import BilinearSimilarity, blocks_of_triplets
from metricnets.linear._solvers.passive_aggressive import BLOCK, order_of_steps, passive_aggressive
from metricnets.linear._weakly_supervised import TripletsLearner


class _BaseOASIS(BilinearSimilarity):
    """What OASIS from triplets and from classes share.

    Parameters
    ----------
    C : float > 0, default=0.1
        Aggressiveness, the largest step size.  The larger it is, the more a single triplet counts, and the faster W
        leaves the identity.
    """

    C: Positive = 0.1

    def _max_passes(self):
        return None

    def _solve_stream(self, blocks, dtype):
        """Take the steps along blocks of anchors and differences, then project."""
        W = self.bilinear_.copy()  # that of before is kept, should the fit fail
        with progress(self) as report:
            for P, D in blocks:
                passive_aggressive(W, P, D, self.C)
                self.n_iter_ += len(D)
                if report(np.nan, W):
                    break
        return self._project(W, dtype)


class OASIS(_BaseOASIS, TripletsLearner):
    """Online algorithm for scalable image similarity (OASIS), from triplets.

    Learn a similarity in which the anchor a of a triplet (a, b, c) is more similar to b than to c by a margin of 1,

        s(x, x') = xᵀ W x',   s(a, b) >= s(a, c) + 1.

    W starts at the identity.  A triplet with the margin leaves it as it is; any other changes it as little as needed,
    W ← W + τ a (b − c)ᵀ, with a step size τ of at most ``C``.

    W is neither symmetric nor positive semi-definite, so that s is no metric.  ``transform``, ``pair_distance`` and
    ``predict`` use the metric whose matrix is the projection of (W + Wᵀ)/2 onto the positive semi-definite matrices.
    ``pair_similarity`` computes s itself.

    Deviations from the paper: its s is of the points as they are; here x is a point minus the mean of all points seen
    so far, divided by their root mean squared distance from it.  So the metric depends neither on the origin nor on a
    common unit of the points, and ``C`` means the same in all units.  ``center=False`` leaves points of unit norm
    as they are.  Features should have comparable units.

    A step takes O(d²) time, in blocks that are products of matrices.  Each call of ``partial_fit`` ends with the
    projection, in O(d³), so it should be given many triplets at a time.

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
    OASIS_Supervised : The same method from classes.
    MultiViewOASIS : Such a similarity of each of several views.
    SCML : Sparse combination of rank-one metrics, from triplets.

    References
    ----------
    G. Chechik, V. Sharma, U. Shalit and S. Bengio, "Large scale online learning of image similarity through ranking",
    JMLR 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import OASIS
    >>> triplets = np.array([[[0, 0], [0, 5], [2, 0]], [[3, 9], [3, 1], [1, 8]]])
    >>> oasis = OASIS(n_iter=100, random_state=0).fit(triplets)
    >>> oasis.partial_fit(triplets[::-1]).predict(triplets)
    array([1, 1])
    """

    n_iter: MaybeCount = None
    shuffle: Flag = True

    _from_labels = "OASIS_Supervised"

    @fitting
    def fit(self, triplets: ArrayLike, y: None = None) -> Self:
        """Learn the similarity from triplets, from the identity on; ``y`` is not used.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted learner.
        """
        X, members = self._rows(triplets, y)
        self._begin(X)
        order = order_of_steps(len(members), self.n_iter, self._rng if self.shuffle else None)
        return self._solve_stream(self._blocks(X, members[order]), X.dtype)

    @fitting
    def partial_fit(self, triplets: ArrayLike, y: None = None) -> Self:
        """Learn from more triplets, each once and in the given order; ``y`` is not used.

        Parameters
        ----------
        triplets : array-like of shape (n_triplets, 3, n_features), or (n_triplets, 3) indicators
            Training triplets.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted learner.  Two calls do what one with the triplets of both does.
        """
        X, members = self._rows(triplets, y)
        if hasattr(self, "bilinear_"):
            self._check_shape(X)
        else:
            self._begin(X)
        return self._solve_stream(self._blocks(X, members), X.dtype)

    def _begin(self, X):
        self.n_features_in_, self.classes_ = X.shape[1], np.array([-1, 1])
        self._start(X)

    def _blocks(self, X, members):
        Z = self._near(in_double(X, self.n_components))
        for start in range(0, len(members), BLOCK):
            P, D, *place = self._moments.along(Z[members[start : start + BLOCK]])
            self._locate(*place)
            yield P, D


class OASIS_Supervised(_BaseOASIS, LinearMetric):  # noqa: N801
    """Online algorithm for scalable image similarity (OASIS), from classes.

    Triplets are drawn at random while they are learned from: a sample, another one of its class, and one of another
    class; see `OASIS` for the similarity.  Labels that are None, NaN or negative numbers are unknown: these samples are
    left out.

    Parameters
    ----------
    n_iter : int >= 1 or None, default=None
        Number of triplets to draw in ``fit``, and in each call of ``partial_fit``.  None takes 30 times the number of
        samples.

    See Also
    --------
    OASIS : The same method from triplets.
    MultiViewOASIS_Supervised : Such a similarity of each of several views.
    SCML_Supervised : Sparse combination of rank-one metrics, from classes.

    References
    ----------
    G. Chechik, V. Sharma, U. Shalit and S. Bengio, "Large scale online learning of image similarity through ranking",
    JMLR 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import OASIS_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> OASIS_Supervised(n_components=2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """

    n_iter: MaybeCount = None

    _labels = staticmethod(supervised_codes)
    _sparse = "csr"

    @fitting
    def fit(self, X: Points, y: ArrayLike | None = None) -> Self:
        """Learn the similarity from classes, from the identity on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points; with ``center=False`` also a sparse matrix.
        y : array-like of shape (n_samples,)
            Classes; None, NaN or a negative number where the class is unknown.

        Returns
        -------
        self : object
            The fitted learner.
        """
        return self._learn(X, y, first=True)

    @fitting
    def partial_fit(self, X: Points, y: ArrayLike | None = None) -> Self:
        """Learn from more samples, of classes that were seen before or not.

        Triplets are drawn within the batch, so that two calls do not do what one with all samples does.  The first
        call does what ``fit`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points; with ``center=False`` also a sparse matrix.
        y : array-like of shape (n_samples,)
            Classes, two or more in each batch; None, NaN or a negative number where the class is unknown.

        Returns
        -------
        self : object
            The fitted learner.
        """
        return self._learn(X, y, first=not hasattr(self, "bilinear_"))

    def _learn(self, X, y, first):
        if issparse(X) and self.center:
            raise TypeError("center=True would make a sparse X dense; set center=False, or give an array.")
        X, codes = self._validated(X, y, reset=first)
        check_triplets(codes)
        dtype, X, codes = X.dtype, in_double(X, self.n_components)[codes >= 0], codes[codes >= 0]
        if first:
            self._start(X)
        return self._solve_stream(self._blocks(self._near(X), codes), dtype)

    def _blocks(self, Z, codes):
        totals = np.asarray(Z.sum(axis=0)).reshape(1, -1)
        means, scales, moments = self._moments.after(len(codes), totals, row_norms(Z, squared=True).sum())
        self._locate(means, scales, moments)
        Z = (Z - means if self.center else Z) / self.scale_
        for block in blocks_of_triplets(codes, self.n_iter or 30 * len(codes), self._rng):
            a, b, c = block.T
            D = Z[b] - Z[c]
            yield Z[a], D.toarray() if issparse(D) else D

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.center
        return tags
