"""RCA: relevant component analysis, which whitens the variation within chunks of samples of one class."""

from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._blocks import check_square
from metricnets._draws import chunks as drawn_chunks
from metricnets._labels import partial_codes, plain, read, supervised_codes
from metricnets._linalg import with_fixed_signs
from metricnets._params import Count, MaybeTolerance, Parametrized, Seed, fitting, random_state_of
from metricnets._scatters import merged_sums, sums_of, without_rounding
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._solvers.relevant_components import (
    PLENTY,
    degrees_of_freedom,
    relevant_components,
    relevant_directions,
    whitening,
)
from metricnets.linear._streams import SumsOfPoints, of_shifted


class _BaseRCA(Parametrized):
    """What RCA from chunks and from classes share.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Number of directions to keep, those of the largest ratio of the variance of X to that within chunks.
    regularization : float >= 0 or None, default=None
        Weight λ of the diagonal D that is added to the covariance within chunks, see `RCA`.  None shrinks the
        covariance where it has few degrees of freedom.  At 0 the covariance has to be invertible.
    """

    regularization: MaybeTolerance = None

    def _whiten(self, X, codes, weights):
        """Compute L from the chunk number of each row, −1 for none, and the weights."""
        found = relevant_components(X, codes, self.regularization, weights, overwrite=True)
        return self._components(*found, degrees_of_freedom(codes, weights))

    def _components(self, A, rank, rank_total, n_free):
        """L from the directions and ranks of `relevant_components`, and the degrees of freedom."""
        d, k = A.shape[1], self.n_components
        if self.regularization is None:
            warn_if_few(n_free, rank, rank_total, d)
        if k is None:
            _, roots, vectors = np.linalg.svd(A, full_matrices=False)  # A.T @ A would square the ratios
            return (vectors.T * roots) @ vectors
        L = np.zeros((k, d))
        L[: len(A)] = with_fixed_signs(A[:k])
        return L

    def _solve_sums(self, sums):
        _, chunks, others = sums
        n_known, n_free = chunks.counts.sum(), max(chunks.counts.sum() - len(chunks.names), 0)
        if n_free == 0:
            raise ValueError("no chunk has two points; chunks should give points of one class the same number.")
        total = chunks.joined().merged(others)
        W, scales = whitening(total.within / total.counts[0])
        if not len(scales):
            return self._components(W.T, 0, 0, n_free)
        C = W.T @ (chunks.within / n_known) @ W
        return self._components(*relevant_directions(W, scales, C, n_free, self.regularization), n_free)


class RCA(_BaseRCA, SumsOfPoints):
    """Relevant component analysis (RCA).

    Scale down the directions that vary within chunks.  A chunk is a set of points known to belong to one
    class, though which class may be unknown.  The metric is the inverse of the covariance within chunks,

        M = C⁻¹,  C = 1/n Σ_j Σ_{i in chunk j} (xᵢ − mⱼ)(xᵢ − mⱼ)ᵀ,

    with the mean mⱼ of chunk j and the number n of points in chunks.  It minimises the sum of squared
    distances to these means among all M with the same determinant.  The solution is in closed form: O(n d² + d³)
    time, O(n d + d²) memory.

    With ``n_components`` the rows of L are the aᵀ with the largest aᵀ S a / aᵀ C a, where S is the
    covariance of all points, scaled so that L C Lᵀ = I: the reduction of the paper, followed by whitening.

    Directions in which X does not vary are ignored.  Among the other r directions the inverse inflates
    those in which the few points of the chunks happen to vary little.  So if C is singular, or its
    degrees of freedom f are below 3 r, it is shrunk towards a multiple of the diagonal D of S, with a
    UserWarning, as if there were s more differences: C becomes (f C + s t D) / (f + s).  Here s decreases from r,
    for f <= r or a singular C, to 0, for f = 3 r, and t is the mean variance within chunks once each
    feature of X has unit variance, or 1 if that is zero.

    Noise in directions of little variance may dominate even with many chunks, as of features that are nearly
    constant.  ``regularization`` λ gives C + λ t D instead, for any number of chunks.

    See Also
    --------
    RCA_Supervised : The same method from classes.
    LDA : Linear discriminant analysis.
    Covariance : Inverse covariance of all points.

    References
    ----------
    A. Bar-Hillel, T. Hertz, N. Shental and D. Weinshall, "Learning a Mahalanobis metric from equivalence
    constraints", JMLR 2005.

    Examples
    --------
    >>> from metricnets import RCA
    >>> X = [[0, 0], [4, 0], [8, 0], [0, 9], [4, 9], [8, 9], [0, 4], [0, 5], [0, 6], [7, 7]]
    >>> rca = RCA().fit(X, chunks=[0, 0, 0, 1, 1, 1, 2, 2, 2, -1])
    >>> rca.pair_distance([[[0, 0], [4, 0]], [[0, 0], [0, 4]]]).round(2)
    array([1.5 , 8.49])
    """

    @fitting
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        chunks: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the metric from chunks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points, also a sparse matrix, or an array of Dask, see :ref:`large_linear`.
        y : array-like of int of shape (n_samples,)
            Chunk number of each point; −1, None or NaN for points in no chunk.
        chunks : array-like of int of shape (n_samples,) or None, default=None
            Another name for ``y``.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each point counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If no chunk has two points.
        """
        return super().fit(X, y if chunks is None else chunks, sample_weight=sample_weight)

    def _labels(self, y):
        labels, missing, negative = read(y)
        numbers = plain(labels[~missing & ~negative])
        if numbers.dtype.kind == "f" and (numbers % 1).any():
            raise ValueError("chunks should be whole numbers, the same for the points of a chunk, and -1 for no chunk.")
        return partial_codes(labels)

    def _solve_points(self, X, codes, weights):
        known = codes[codes >= 0]
        if len(np.unique(known)) == len(known) and degrees_of_freedom(codes, weights) == 0:
            raise ValueError("no chunk has two points; chunks should give points of one class the same number.")
        return self._whiten(X, codes, weights)

    def _named(self, y):
        known, labels = self._labels(y) >= 0, read(y)[0]
        names = np.zeros(len(known), plain(labels[known]).dtype)
        names[known] = plain(labels[known])
        return names, known


class RCA_Supervised(_BaseRCA, LinearMetric):  # noqa: N801
    """Relevant component analysis (RCA) of chunks drawn from classes.

    The chunks are drawn at random; see `RCA` for the metric.  Labels that are None, NaN or negative numbers are
    unknown: these samples are in no chunk.

    Parameters
    ----------
    n_chunks : int >= 1, default=100
        Maximum number of chunks; all possible ones are taken if the classes allow fewer.
    chunk_size : int >= 2, default=2
        Number of points in a chunk.
    random_state : int, RandomState or None, default=None
        Determines which chunks are drawn.  Pass an int for reproducible results.

    See Also
    --------
    RCA : The same method from chunks.
    LDA : Linear discriminant analysis.

    References
    ----------
    A. Bar-Hillel, T. Hertz, N. Shental and D. Weinshall, "Learning a Mahalanobis metric from equivalence
    constraints", JMLR 2005.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import RCA_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> RCA_Supervised(n_components=2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """

    n_chunks: Count = 100
    chunk_size: Count = 2
    random_state: Seed = None

    _labels = staticmethod(supervised_codes)
    _sparse = "csr"
    _by_blocks = True

    def _solve_points(self, X, codes, weights):
        return self._whiten(X, self._drawn(codes), weights)

    def _solve_table(self, X, codes, y, sample_weight):
        check_square(X.shape[1], type(self).__name__)
        codes, weights = self._counted_codes(codes, sample_weight)
        chunks, origin = self._drawn(codes), X.origin()
        sums = partial(of_shifted, sums_of, origin=origin, n_components=self.n_components)
        found = X.summed(sums, merged_sums, chunks, chunks >= 0, weights)
        return self._solve_sums(without_rounding(origin, *found))

    def _drawn(self, codes):
        """The chunk of each sample, −1 for none."""
        if self.chunk_size < 2:
            raise ValueError(f"chunk_size={self.chunk_size} should be at least 2.")
        codes = partial_codes(codes)  # there may be fewer classes that count
        if codes.max() < 1:
            warn("y has one class only, so nothing is known of what tells classes apart; all variation is whitened.")
        codes = drawn_chunks(codes, self.n_chunks, self.chunk_size, random_state_of(self.random_state))
        if codes.max() < 0:
            raise ValueError(f"chunk_size={self.chunk_size} is more than any class has; lower it.")
        return codes


def warn_if_few(n_free: float, rank: int, rank_total: int, n_features: int) -> None:
    """Warn if the covariance within chunks is shrunk, or its pseudo-inverse is used."""
    if rank < rank_total or n_free < PLENTY * rank_total:
        few = (
            f"rank {rank} < {rank_total}, that of X"
            if rank < rank_total
            else (f"{n_free:g} degrees of freedom, fewer than {PLENTY} for each of {rank_total} directions")
        )
        warn(
            f"the covariance within chunks has {few}; as its inverse would drop or inflate some directions, it is "
            "shrunk towards a diagonal matrix. More chunks or fewer features help."
        )
    elif rank < n_features:
        same = f"rank {rank} < {n_features}, as has that of X"
        warn(f"the covariance within chunks has {same}; its pseudo-inverse is used.")
