"""The shells of the linear metric learners: validation, embedding and everything else that all methods share."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse, spmatrix
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._blocks import LARGE, Blocks, CheckedBlocks, few_as_array, precision
from metricnets._callbacks import CallbackSupport
from metricnets._labels import UNKNOWN, check_not_missing
from metricnets._lazy import needed
from metricnets._linalg import middle, near_origin
from metricnets._numpy_networks import Linear
from metricnets._params import MaybeCount, MaybeSource, Parametrized, Points, fitting
from metricnets._runtime import one_blas_thread
from metricnets._tables import Table, advise, is_larger, parts_of
from metricnets._tuples import FLOATS
from metricnets._weights import check_weights, counted, rows_of
from metricnets.base import MetricMixin

LARGEST, SMALLEST = 1e75, 1e-75  # of features and weights: their fourth powers do not overflow


class MahalanobisMetric(CallbackSupport, MetricMixin, Parametrized):
    """Mahalanobis metric, d(x, x') = ‖L(x − x')‖₂.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Number of rows of L, the dimension of the embedding; at most the number of features.  None takes
        all features.
    preprocessor : array-like, sparse matrix, callable or None, default=None
        Where points that are given as indicators are looked up: an array of points, or a function that
        takes a 1-D array of indicators (integers, strings, paths) and returns their points.  The rows of a sparse
        matrix that are looked up become dense.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The linear map L.
    n_features_in_ : int
        Number of features of the points seen in ``fit``.
    """

    n_components: MaybeCount = None
    preprocessor: MaybeSource = None

    _linear = True
    _by_blocks = False  # whether there is ``_solve_table``, or ``_fit_table`` of pairs

    def _keep(self, L, dtype):
        if np.abs(L).max() > np.finfo(dtype).max:
            raise ValueError(f"the metric reaches {np.abs(L).max():.3g}, beyond single precision: scale X first.")
        self.components_ = np.ascontiguousarray(L, dtype=dtype)
        self._n_features_out = len(self.components_)
        return self

    def _take(self, L, task):
        self._keep(L, np.float64)
        self.n_iter_ = task.n_passes

    def _ready(self, X, rows=slice(None)):
        """Check the scale of X and shift it near the origin, to the middle of some ``rows``, in double precision."""
        Z = in_double(X, self.n_components)
        return check_spread(near_origin(Z, middle(Z[rows]), overwrite=Z.dtype != X.dtype))

    def transform(self, X: Points) -> np.ndarray:
        """Embed points as X Lᵀ.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples,) indicators
            Points to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Embeddings, in the precision of X.
        """
        if isinstance(X, Table) and X.size > LARGE:
            return self._transform_parts(X)
        return self._points(self._checked(X))

    def _transform_parts(self, X):
        """Embed the points of a table, some rows at a time."""
        check_is_fitted(self)
        Z = np.empty((len(X), len(self.components_)), precision(X.dtype))
        for part in parts_of(X.shape):
            Z[part] = self._points(self._checked(X[part]))
        return Z

    def _checked(self, X):
        """Points to embed, validated and looked up."""
        check_is_fitted(self)
        try:
            return validate_data(self, self._looked_up(X), reset=False, dtype=FLOATS, accept_sparse=True)
        except (TypeError, ValueError) as error:
            advise(error, X, self._shape())
            raise

    def get_mahalanobis_matrix(self) -> np.ndarray:
        """Return the matrix of the metric, M = LᵀL.

        Returns
        -------
        M : ndarray of shape (n_features, n_features)
            Positive semi-definite, in double precision.
        """
        check_is_fitted(self)
        L = self.components_.astype(float, copy=False)  # squares may overflow in single precision
        return L.T @ L

    def _embed(self, X):
        components = self.components_.astype(X.dtype, copy=False)
        with one_blas_thread:
            return np.asarray(X @ components.T)

    def _shape(self):
        return (self.components_.shape[1],)

    def _frozen(self):
        return Linear(self.components_.astype(float))


class LinearMetric(MahalanobisMetric):
    """Mahalanobis metric learned from points.

    Hook: ``_solve_points``.
    """

    _supervised = True  # whether y is needed
    _multi_output = False  # whether y may have several columns
    _sparse = False  # or the sparse format that `_solve_points`, or `_solve_table`, takes
    _few_dense = False  # whether sparse rows become an array if there are no more of them than features

    @fitting
    def fit(self, X: Points, y: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples,) indicators
            Training points: an array, which may be a memory map, `Batches`, or for most learners also a sparse matrix,
            or an array or data frame of Dask; see :ref:`large_linear`.
        y : array-like of shape (n_samples,), or (n_samples, n_targets) for RAML
            Classes, or the targets that the learner takes.  Unsupervised learners ignore it.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample counts, non-negative; see :doc:`/user_guide/weights`.  None counts each once.

        Returns
        -------
        self : object
            The fitted learner.
        """
        if self._by_blocks and hasattr(X, "__dask_graph__"):
            X, y, sample_weight = needed("metricnets._dask", type(self).__name__).of_dask(X, y, sample_weight)
        X, labels = self._validated(X, y)
        solve = self._solve_table if isinstance(X, Blocks) else self._solve
        return self._keep(solve(X, labels, y, sample_weight), X.dtype)

    def _solve(self, X, labels, y, sample_weight):
        """Learn L from validated points and labels, and y as it was given."""
        Z, labels, weights = self._counted(X, labels, sample_weight)
        if self._few_dense and issparse(Z):
            Z = few_as_array(Z, type(self).__name__)
        return self._solve_points(self._ready(Z), labels, weights)

    def _validated(self, X, y, reset=True):
        """Points, looked up, and y as ``_labels`` gives it; without ``reset`` the features are those of before."""
        X = X if self.preprocessor is None else self._looked_up(X)
        y = y if y is None else self._labels(y)
        large = self._by_blocks and is_larger(X, LARGE)  # its blocks are converted to floats
        X = CheckedBlocks(X) if large and isinstance(X, Table) else X
        if isinstance(X, Blocks):
            return X, X.validated(self, y, reset)
        checks = {"reset": reset, "accept_sparse": self._sparse, "ensure_min_samples": 2}
        checks["dtype"] = "numeric" if large else FLOATS
        if self._supervised:
            X, y = validate_data(self, X, y, multi_output=self._multi_output, **checks)
        else:
            X = validate_data(self, X, **checks)
        return Blocks(X) if large or (self._by_blocks and issparse(X)) else X, y

    def _counted(self, X, y, sample_weight):
        """The rows of X and y that count, and their weights, or None if all are 1."""
        if sample_weight is None:
            return X, y, None
        rows, weights = counted(self._weights(sample_weight, X.shape[0]))
        if rows is not None:
            check_two_count(rows)
        return (X, y, weights) if rows is None else (X[rows], rows_of(y, rows), weights)

    def _counted_codes(self, codes, sample_weight):
        """Class codes, negative also where the weight is 0, and the weights, or None if all others are 1."""
        weights = self._weights(sample_weight, len(codes))
        rows, found = counted(weights)
        if rows is not None:
            check_two_count(rows)
            codes = np.where(rows, codes, UNKNOWN)
        return codes, None if found is None else weights

    def _weights(self, sample_weight, n):
        """Validated weights of n samples, or None."""
        weights = check_weights(sample_weight, n)
        if weights is not None and not SMALLEST <= weights.max() <= LARGEST:
            raise ValueError(f"sample_weight is at most {weights.max():.3g}; scale it to a mean of about 1.")
        return weights

    def _labels(self, y):
        """Hook: encode y before validation, which refuses labels that are unknown."""
        check_not_missing(y)
        return y

    def _solve_table(self, X, labels, y, sample_weight):
        """Hook: do what ``_solve`` does, of `Blocks`."""
        raise NotImplementedError

    def _solve_points(self, X, y, weights):
        """Learn L from points.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            In double precision, near the origin, so that centring loses no digits.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets), or None
            As ``_labels`` gives it.
        weights : ndarray of shape (n_samples,) or None
            How often each sample counts, positive; None if all count once.

        Returns
        -------
        L : ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._supervised
        tags.target_tags.multi_output = self._multi_output
        tags.input_tags.sparse = bool(self._sparse)
        return tags


def in_double(X: np.ndarray | spmatrix, n_components: int | None = None) -> np.ndarray | spmatrix:
    """X in double precision; ValueError if it has fewer features than ``n_components``, or powers would overflow."""
    if n_components is not None and n_components > X.shape[1]:
        raise ValueError(f"n_components={n_components} is more than the {X.shape[1]} features.")
    if issparse(X):
        X = X.astype(np.float64)
        largest = float(max(X.max(), -X.min()))  # sorts the indices of the matrix, which is our copy by now
    else:
        X = np.ascontiguousarray(X, dtype=np.float64)
        largest = float(max(np.fmax.reduce(X, axis=None), -np.fmin.reduce(X, axis=None)))
    if largest > LARGEST:
        raise ValueError(f"the features reach {largest:.3g}, beyond {LARGEST:.0e}: scale them first.")
    return X


def check_two_count(weights: np.ndarray) -> None:
    """Raise ValueError if the weight of one sample only is not 0."""
    if np.count_nonzero(weights) < 2:
        raise ValueError("sample_weight is positive for one sample only; a metric needs two.")


def check_spread(X: np.ndarray | spmatrix) -> np.ndarray | spmatrix:
    """Return points near the origin; raise ValueError if they are so close that squares would underflow."""
    spread = abs(X).max() if issparse(X) else max(X.max(), -X.min())
    if 0 < spread < SMALLEST:
        raise ValueError(f"the features differ by at most {spread:.3g}, below {SMALLEST:.0e}: scale them first.")
    return X
