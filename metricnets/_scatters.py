"""Counts, means and scatters of groups of points, which add up over the batches of a stream."""

from typing import NamedTuple, Self

import numpy as np
from scipy.sparse import csr_matrix, diags, issparse
from sklearn.utils import gen_batches

from metricnets._groups import group_means
from metricnets._linalg import COLLINEAR, ROUNDING
from metricnets._weights import mean_of, rows_of, scaled_rows, total_of

N_ROWS = 4096  # rows that are centred at a time
SPARSE = 0.1  # share of entries other than 0 up to which sparse products take less time than dense ones


class Scatters(NamedTuple):
    """Groups of weighted points: how many there are, their means, and how they scatter about them.

    Parameters
    ----------
    names : ndarray of shape (n_groups,)
        Sorted.
    counts : ndarray of shape (n_groups,)
        Sums of the weights.
    own : ndarray of shape (n_groups,)
        Sums of min(w, w²), as a point of weight w > 1 forms pairs with itself.
    means : ndarray of shape (n_groups, d)
    within : ndarray of shape (d, d), or (n_groups, d, d) if the groups are ``apart``
        Σ w (x − m)(x − m)ᵀ over all points, with the mean m of their group, or over those of each group.
    """

    names: np.ndarray
    counts: np.ndarray
    own: np.ndarray
    means: np.ndarray
    within: np.ndarray

    @classmethod
    def of_none(cls, d: int, apart: bool = False) -> Self:
        """Those of no points of d features."""
        nothing, shape = np.empty(0), (0, d, d) if apart else (d, d)
        return cls(np.empty(0, int), nothing, nothing, np.empty((0, d)), np.zeros(shape))

    @classmethod
    def of(
        cls,
        X: np.ndarray | csr_matrix,
        groups: np.ndarray | None,
        weights: np.ndarray | None = None,
        apart: bool = False,
        overwrite: bool = False,
    ) -> Self:
        """Those of points X (n, d) in ``groups`` (n,), or in one, with positive weights (n,), or None if all are 1.

        With ``overwrite`` an array X may be used for its deviations.
        """
        if not X.shape[0]:
            return cls.of_none(X.shape[1], apart)
        if issparse(X):
            if X.nnz <= SPARSE * X.shape[0] * X.shape[1]:
                return cls._of_sparse(X, groups, weights, apart)
            X = X.toarray()
        if groups is None:
            names, number = np.zeros(1, int), np.zeros(len(X), int)
            counts, means = np.array([total_of(weights, len(X))]), mean_of(X, weights)[None]
        else:
            names, number, counts, means = group_means(X, groups, weights)
        if apart:
            members = (number == i for i in range(len(names)))
            parts = (scaled_rows(X[own] - mean, rows_of(weights, own)) for own, mean in zip(members, means))
            within = np.stack([part.T @ part for part in parts])
        else:
            Z = X if overwrite else np.empty(X.shape)
            for rows in gen_batches(len(X), N_ROWS):
                np.subtract(X[rows], means[number[rows]], out=Z[rows])
                Z[rows] = scaled_rows(Z[rows], rows_of(weights, rows))
            within = Z.T @ Z
        own = counts if weights is None else np.bincount(number, np.minimum(weights, weights**2))
        return cls(names, counts.astype(float), own.astype(float), means, within)

    @classmethod
    def _of_sparse(cls, X, groups, weights, apart):
        """Those of sparse points, which are not centred: a scatter is Σ w x xᵀ − n m mᵀ."""
        n = X.shape[0]
        groups, w = np.zeros(n, int) if groups is None else groups, np.ones(n) if weights is None else weights
        names, number = np.unique(groups, return_inverse=True)
        counts = np.bincount(number, w)
        means = (csr_matrix((w, (number, np.arange(n))), (len(names), n)) @ X).toarray() / counts[:, None]
        own = counts if weights is None else np.bincount(number, np.minimum(weights, weights**2))
        rows = X if weights is None else diags(np.sqrt(weights)) @ X
        sums = np.sqrt(counts)[:, None] * means
        if apart:
            parts = [rows[number == i] for i in range(len(names))]
            products = np.stack([(part.T @ part).toarray() for part in parts])
            within = products - sums[:, :, None] * sums[:, None, :]
        else:
            within = (rows.T @ rows).toarray() - sums.T @ sums
        squares = within.diagonal(axis1=-2, axis2=-1)
        varies = squares > COLLINEAR * (squares + (sums**2 if apart else (sums**2).sum(axis=0)))  # else it is rounding
        within = within * (varies[..., :, None] * varies[..., None, :])
        return cls(names, counts, own, means, within)

    def merged(self, other: Self) -> Self:
        """Those of the points of both.

        With the counts n and n' and the means m and m' of a group, the sum of its scatters grows by
        n n'/(n + n') (m − m')(m − m')ᵀ.

        References
        ----------
        T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", COMPSTAT 1982.
        """
        if not len(self.names) or not len(other.names):
            return self if len(self.names) else other
        names = np.union1d(self.names, other.names)
        a, b = (each._placed(names) for each in (self, other))
        counts = a.counts + b.counts
        step = (b.means - a.means) * (b.counts / counts)[:, None]
        apart = self.within.ndim == 3
        rows = (b.means - a.means) * np.sqrt(a.counts * b.counts / counts)[:, None]
        between = rows[:, :, None] * rows[:, None, :] if apart else rows.T @ rows
        return type(self)(names, counts, a.own + b.own, a.means + step, a.within + b.within + between)

    def joined(self) -> Self:
        """Those of all points as one group, of groups that are not apart."""
        n = self.counts.sum(keepdims=True)
        mean = self.counts @ self.means / n
        rows = (self.means - mean) * np.sqrt(self.counts)[:, None]
        return type(self)(np.zeros(1, int), n, self.own.sum(keepdims=True), mean[None], self.within + rows.T @ rows)

    def _placed(self, names):
        """The same groups among ``names``, with counts of 0 for the others."""
        places, n = np.searchsorted(names, self.names), len(names)

        def spread(values):
            placed = np.zeros((n, *values.shape[1:]))
            placed[places] = values
            return placed

        within = spread(self.within) if self.within.ndim == 3 else self.within
        return type(self)(names, *map(spread, (self.counts, self.own, self.means)), within)


def sums_of(
    X: np.ndarray | csr_matrix,
    names: np.ndarray | None,
    known: np.ndarray | None,
    weights: np.ndarray | None,
    *,
    apart: bool = False,
) -> tuple[Scatters, Scatters]:
    """Scatters of the points in a group, and of those that are in none, as one; weights may be 0.  X is overwritten.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
    names : ndarray of shape (n,) or None
        The group of each point; None if all are one.
    known : ndarray of bool of shape (n,) or None
        Which points are in a group; None if all are.
    weights : ndarray of shape (n,) or None
    apart : bool
        Whether the groups have a scatter each.
    """
    counts = np.ones(X.shape[0], bool) if weights is None else weights > 0
    known = np.ones(X.shape[0], bool) if known is None else known
    found = []
    for some, groups, split in ((counts & known, names, apart), (counts & ~known, None, False)):
        rows = slice(None) if some.all() else some
        found.append(Scatters.of(X[rows], rows_of(groups, rows), rows_of(weights, rows), split, overwrite=True))
    return tuple(found)


def sums_by_size(
    X: np.ndarray | csr_matrix, names: np.ndarray, weights: np.ndarray, sizes: np.ndarray
) -> tuple[Scatters, Scatters]:
    """Scatters of points in their groups, each as often as the size of its group says, and of all as one.

    The first is Σ n S over groups of the sizes n with the scatters S, without a matrix for each.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
    names : ndarray of shape (n,)
    weights : ndarray of shape (n,)
        Points of weight 0 are left out.
    sizes : ndarray of shape (n,)
        That of the group of each point.
    """
    rows = np.flatnonzero(weights > 0)
    X, w = X[rows], weights[rows]
    return Scatters.of(X, names[rows], w * sizes[rows]), Scatters.of(X, None, w)


def merged_sums(sums: tuple, others: tuple) -> tuple:
    """Those of the points of both, of what `sums_of` returned."""
    return tuple(a.merged(b) for a, b in zip(sums, others))


def without_rounding(origin: np.ndarray, *parts: Scatters) -> tuple:
    """The origin, and scatters of points minus it, where features that are constant up to rounding become 0.

    These are the features that `near_origin` sets to 0, except that their standard deviation is compared.
    """
    counts, means = (np.concatenate(each) for each in zip(*((part.counts, part.means) for part in parts)))
    deviations = means - counts @ means / counts.sum()
    squares = sum(part.within.diagonal(axis1=-2, axis2=-1).reshape(-1, len(origin)).sum(axis=0) for part in parts)
    variances = (squares + counts @ deviations**2) / counts.sum()
    varies = np.sqrt(variances) > ROUNDING / 2 * np.abs(origin)
    if varies.all():
        return origin, *parts
    zeroed = (part._replace(means=part.means * varies, within=part.within * np.outer(varies, varies)) for part in parts)
    return origin, *zeroed


def pair_scatters(groups: Scatters) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean scatters of the differences of all pairs of points of one group, and of two, and how many pairs there are.

    They are those of `class_scatters`, from the scatters of groups that are apart: the differences of all pairs of n
    points with the scatter S have the sum n S of outer products.
    """
    n, n_total = groups.counts, groups.counts.sum()
    same = np.tensordot(n, groups.within, 1)
    rows = (groups.means - n @ groups.means / n_total) * np.sqrt(n)[:, None]
    total = n_total * (groups.within.sum(axis=0) + rows.T @ rows)
    return of_pairs(same, total, n, groups.own.sum())


def of_pairs(same: np.ndarray, total: np.ndarray, n: np.ndarray, own: float) -> tuple:
    """What `pair_scatters` returns, from sums over pairs: of one group, and of all; n are the sizes of the groups."""
    n_same, n_all = ((n**2).sum() - own) / 2, (n.sum() ** 2 - own) / 2
    n_other = n_all - n_same if len(n) > 1 else 0.0
    n_same = n_same if n_same > 1e-12 * n_all else 0.0
    return same / (n_same or 1), (total - same) / (n_other or 1), n_same, n_other


class DifferenceSums(NamedTuple):
    """Sums over the differences of dissimilar pairs, then of similar ones.

    Parameters
    ----------
    counts : ndarray of shape (2,)
        Sums of the weights of the pairs.
    products : ndarray of shape (2, d, d)
        Σ w δ δᵀ of their differences δ.
    n_points : int
        Number of distinct points of the pairs of each batch, at least.
    """

    counts: np.ndarray
    products: np.ndarray
    n_points: int

    @classmethod
    def of(cls, differences: np.ndarray, signs: np.ndarray, weights: np.ndarray | None, n_points: int) -> Self:
        """Those of differences (n_pairs, d) of similar pairs, +1, and dissimilar ones, −1."""
        kinds = signs < 0, signs > 0
        rows = [scaled_rows(differences[kind], rows_of(weights, kind)) for kind in kinds]
        counts = np.array([total_of(rows_of(weights, kind), np.count_nonzero(kind)) for kind in kinds], float)
        return cls(counts, np.stack([part.T @ part for part in rows]), n_points)

    def merged(self, other: Self) -> Self:
        """Those of the pairs of both."""
        return type(self)(*(a + b for a, b in zip(self, other)))

    def means(self) -> np.ndarray:
        """Mean scatters (2, d, d) of dissimilar and of similar pairs; ValueError without pairs of both kinds."""
        if not self.counts.all():
            raise ValueError("y holds pairs of one kind; similar and dissimilar pairs are needed.")
        return self.products / self.counts[:, None, None]
