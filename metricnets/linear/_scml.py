"""SCML: sparse compositional metric learning, from triplets."""

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from metricnets._draws import check_triplets, knn_triplets
from metricnets._initialization import as_matrix
from metricnets._labels import partial_codes, supervised_codes
from metricnets._linalg import components_from_metric, components_of_root, in_span, standardized
from metricnets._params import (
    Array,
    Count,
    Flag,
    MaybeCount,
    NonNegative,
    Parametrized,
    Positive,
    Seed,
    random_state_of,
)
from metricnets._progress import progress, through
from metricnets._weights import weights_of_tuples
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric
from metricnets.linear._solvers.local_discriminants import local_discriminants, triplet_directions
from metricnets.linear._solvers.sparse_weights import sparse_weights
from metricnets.linear._weakly_supervised import TripletsLearner


class _BaseSCML(Parametrized):
    """What SCML from triplets and from classes share.

    Parameters
    ----------
    beta : float >= 0, default=1e-5
        Weight β of the ℓ₁ norm of the basis weights.  As the margin is 1, it depends on the scale of the points.
    n_basis : int >= 1 or None, default=None
        Maximum number of bases to generate; ignored if ``basis`` is an array.  None takes ``80 *
        n_features`` for 'triplet_diffs' and ``20 * n_features`` for 'lda'.
    gamma : float > 0, default=0.005
        Width over which the corner of the hinge is smoothed, which changes the objective by at most gamma / 2.
        Smaller values are slower and more accurate.
    max_iter : int >= 1, default=10000
        Maximum number of iterations; about 50 are usual.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        Determines how the bases are generated.  Pass an int for reproducible results.

    Attributes
    ----------
    n_iter_ : int
        Number of iterations.
    """

    beta: NonNegative = 1e-5
    n_basis: MaybeCount = None
    gamma: Positive = 5e-3
    max_iter: Count = 10000
    verbose: Flag = False
    random_state: Seed = None

    def _combine(self, X, triplets, weights, basis, codes=None):
        """Compute L from triplets, their weights and the basis, an array or its name; 'lda' needs the classes."""
        Z, scale = standardized(X, overwrite=True)
        Z, span = in_span(Z) if isinstance(basis, str) else (Z, None)  # the user's bases may lie outside of the span
        basis, cost = self._priced(basis, Z, scale, triplets, codes, span)
        to_map = partial(map_of, basis=basis, span=span, scale=scale, n_components=self.n_components)
        with progress(self, "raise max_iter or gamma") as report:
            w, self.n_iter_, report.converged = sparse_weights(
                Z,
                triplets,
                basis,
                cost,
                gamma=self.gamma,
                max_iter=self.max_iter,
                report=through(report, to_map),
                weights=weights,
            )
        if not w.any():
            warn(f"beta={self.beta} makes all weights 0; all bases get the same weight. Lower beta, or scale X up.")
            w = np.full(len(w), 1 / len(w))
        return to_map(w)

    def _priced(self, basis, Z, scale, triplets, codes, span=None):
        """Bases as unit vectors of the standardised space, and the cost of a unit weight on each."""
        d = len(scale)
        if not isinstance(basis, str):
            basis = check_basis(basis, d) * scale
            norms = np.linalg.norm(basis, axis=1)
            return basis / norms[:, None], self.beta / np.maximum(norms**2, np.finfo(float).tiny)
        rng = random_state_of(self.random_state)
        if basis == "lda":
            basis = local_discriminants(Z[codes >= 0], codes[codes >= 0], self.n_basis or 20 * d, rng)
        else:
            basis = triplet_directions(Z, triplets, self.n_basis or 80 * d, rng)
        prices = np.diag(scale**-2.0) if span is None else (span.T / scale**2) @ span
        return basis, self.beta * np.einsum("ij,ij->i", basis @ prices, basis)


def map_of(
    w: np.ndarray, basis: np.ndarray, span: np.ndarray | None, scale: np.ndarray, n_components: int | None
) -> np.ndarray:
    """The map of the features from the weights of a basis, of features in units of ``scale`` or of their span."""
    M = (basis.T * w) @ basis
    if span is not None:
        return components_of_root(span / scale[:, None] @ components_from_metric(M), n_components)
    return components_from_metric(M / np.outer(scale, scale), n_components)


class SCML(_BaseSCML, TripletsLearner):
    """Sparse compositional metric learning (SCML), from triplets.

    Learn M as a sparse combination of rank-one metrics.  Their directions, the bases b, are generated first; only
    their weights w are learned, so that M is positive semi-definite without any projection.  Minimise

        1/T Σ_t [1 + d²(a_t, b_t) − d²(a_t, c_t)]₊ + beta ‖w‖₁  over w >= 0,  M = Σ_b w_b b bᵀ.

    The paper takes stochastic gradient steps; here L-BFGS-B minimises the full objective, with the corner of
    the hinge smoothed, until an iteration lowers it by less than 1e-5.  M is formed from w, so that an
    iteration takes O(p d + (n + n_basis) d²) time, with p the number of different pairs in the triplets,
    and memory is O((n + n_basis) d + n_triplets): there is no array of triplets by bases.  If
    beta is so large that w = 0 is the optimum, there is a warning, and all bases get the same weight.

    Parameters
    ----------
    basis : 'triplet_diffs' or array-like of shape (n_basis, n_features), default='triplet_diffs'
        'triplet_diffs' takes, for a random sample of the triplets, the unit vector along which
        d²(a, c) − d²(a, b) is largest.

    See Also
    --------
    SCML_Supervised : The same method from classes.
    LSML : Squared residuals of comparisons of distances, from quadruplets.
    TripletsNet : Network trained with triplets.

    References
    ----------
    Y. Shi, A. Bellet and F. Sha, "Sparse compositional metric learning", AAAI 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import SCML
    >>> triplets = np.array([[[0, 0], [0, 5], [2, 0]], [[3, 9], [3, 1], [1, 8]]])
    >>> SCML(random_state=0).fit(triplets).predict(triplets)
    array([1, 1])
    """

    basis: Literal["triplet_diffs"] | Array = "triplet_diffs"

    _from_labels = "SCML_Supervised"

    def _solve_tuples(self, X, triplets, labels, weights):
        return self._combine(X, triplets, weights, self.basis)


class SCML_Supervised(_BaseSCML, LinearMetric):  # noqa: N801
    """Sparse compositional metric learning (SCML), from classes.

    Each sample forms triplets with its nearest neighbours in its class and its nearest neighbours in other
    classes; see `SCML` for the objective and the solver.  Sparse samples stay sparse, and bases are dense.  Labels
    that are None, NaN or negative numbers are unknown: these samples are in no triplet.

    Parameters
    ----------
    k_genuine : int >= 1, default=3
        Number of neighbours in the same class.  In smaller classes all are taken, with a warning.
    k_impostor : int >= 1, default=10
        Number of neighbours in other classes.  If there are fewer, all are taken, with a warning.
    basis : {'lda', 'triplet_diffs'} or array-like of shape (n_basis, n_features), default='lda'
        'lda' takes unit vectors along the discriminants of local analyses: of the 20, and of the 50, samples of
        each class that are nearest to the centre of a k-means cluster.  For 'triplet_diffs' see `SCML`.

    See Also
    --------
    SCML : The same method from triplets.
    LSML_Supervised : Squared residuals of comparisons of distances, from classes.

    References
    ----------
    Y. Shi, A. Bellet and F. Sha, "Sparse compositional metric learning", AAAI 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import SCML_Supervised
    >>> X, y = load_iris(return_X_y=True)
    >>> SCML_Supervised(n_components=2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """

    k_genuine: Count = 3
    k_impostor: Count = 10
    basis: Literal["lda", "triplet_diffs"] | Array = "lda"

    _labels = staticmethod(supervised_codes)
    _sparse = "csr"
    _few_dense = True

    def _solve_points(self, X, codes, weights):
        codes = partial_codes(codes)  # there may be fewer classes that count
        check_triplets(codes)
        triplets = knn_triplets(X, codes, self.k_genuine, self.k_impostor)
        return self._combine(X, triplets, weights_of_tuples(weights, triplets), self.basis, codes)


def check_basis(basis: ArrayLike, d: int) -> np.ndarray:
    """Validate a basis given by the user, and remove its zero rows."""
    basis = as_matrix(basis, "basis")
    if basis.shape[1] != d or not basis.any():
        raise ValueError(f"basis has shape {basis.shape}; it needs {d} columns, and a row that is not zero.")
    return basis[basis.any(axis=1)]
