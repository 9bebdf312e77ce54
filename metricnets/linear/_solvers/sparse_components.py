"""Maps whose metric is the sparse inverse of a matrix, in all features or block by block: SDML."""

from functools import partial

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from metricnets._linalg import components_from_metric
from metricnets._progress import Report, through
from metricnets.linear._solvers.graphical_lasso import sparse_inverse


def sparse_components(
    P: np.ndarray, penalty: float, n_components: int | None, report: Report
) -> tuple[np.ndarray, int, bool]:
    """`components_from_metric` of the `sparse_inverse` of P, the number of iterations, and whether they were enough."""
    to_map = partial(components_from_metric, n_components=n_components)
    M, n_iter, converged = sparse_inverse(P, penalty, through(report, to_map))
    return to_map(M), n_iter, converged


def components_by_blocks(
    P: np.ndarray, penalty: float, n_components: int | None, report: Report
) -> tuple[np.ndarray, int, bool]:
    """The same, block by block of features that interact; of more features than points few do.

    M is 0 between the connected components of the graph with edges where |P_ij| > λ (Witten, Friedman, Simon, "New
    insights and faster computations for the graphical lasso", JCGS 2011).
    """
    _, block_of = connected_components(csr_matrix(np.abs(P) > penalty), directed=False)
    L, n_iter, converged = np.diag(1 / np.sqrt(np.diag(P))), 1, True  # of features that interact with no other
    for block in np.flatnonzero(np.bincount(block_of) > 1):
        of_block = np.ix_(*[block_of == block] * 2)
        k = n_components and np.count_nonzero(block_of == block)
        of_all = through(report, partial(_with_block, L, of_block, n_components))
        L[of_block], n_more, found = sparse_components(P[of_block], penalty, k, of_all)
        n_iter, converged = max(n_iter, n_more), converged and found
    return _longest(L, n_components), n_iter, converged


def _with_block(L, of_block, n_components, block):
    L = L.copy()
    L[of_block] = block
    return _longest(L, n_components)


def _longest(L, n_components):
    """The longest rows of L, or all of them."""
    return L[np.argsort(-np.einsum("ij,ij->i", L, L), kind="stable")[:n_components]] if n_components else L
