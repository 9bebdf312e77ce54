"""FaissKNeighborsTransformer: graph of neighbours by an index of FAISS."""

from typing import Annotated, Literal, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from metricnets._checks import check_count
from metricnets._faiss import drawn, nearest, origin_and_unit, rows_of, threads, words_of_faiss
from metricnets._lazy import needed
from metricnets._params import (
    Array,
    Count,
    Jobs,
    MaybeArray,
    MaybeCount,
    MaybeDict,
    Parametrized,
    Seed,
    fitting,
)

MaybeText = Annotated[str, str] | None
FEW = 20_000  # samples up to which all are searched
ROWS = 65_536  # rows that are in single precision at a time


class FaissKNeighborsTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Parametrized):
    """Transform samples into a sparse graph of their nearest neighbours, found by an index of FAISS.

    It is scikit-learn's :class:`~sklearn.neighbors.KNeighborsTransformer` for millions of samples: after a learner
    and before an estimator that takes such a graph, as ``KNeighborsClassifier(metric="precomputed")``.

    Parameters
    ----------
    n_neighbors : int >= 1, default=5
        Number of neighbours of a sample.  With ``mode="distance"`` the graph has one more, as a sample of the training
        data is its own first neighbour.

    mode : {'distance', 'connectivity'}, default='distance'
        Whether the graph has distances, or ones.

    metric : {'euclidean', 'cosine'}, default='euclidean'
        Distance, for 'cosine' 1 minus the cosine similarity.

    factory : str or None, default=None
        The index in the words of FAISS: "Flat" searches all samples, "HNSW32" a graph with 32 links of a sample,
        "IVF1024,Flat" the nearest of 1024 cells.  None takes "Flat" up to 20,000 samples, and "HNSW32" for more.

    search_params : dict or None, default=None
        Parameters of the search by the names of FAISS, which exchange time for recall, as ``{"efSearch": 128}`` for
        "HNSW32" and ``{"nprobe": 32}`` for "IVF1024,Flat".

    n_jobs : int or None, default=None
        Number of threads of FAISS; see :ref:`cores`.  -1 is all cores; None is that of
        ``joblib.parallel_config``, or 1.  An "HNSW32" that is made by several threads differs from fit to fit.

    random_state : int, RandomState or None, default=None
        Which 500,000 samples an index that has to be trained, such as "IVF1024,Flat", is trained on if there are more.

    Attributes
    ----------
    index_ : object
        The index, a ``faiss.Index`` of the samples in single precision.

    n_features_in_ : int
        Number of features.

    n_samples_fit_ : int
        Number of samples in the index.

    Raises
    ------
    ImportError
        If FAISS is not installed: ``pip install 'metricnets[faiss]'``.

    See Also
    --------
    HammingNeighbors : Search for binary codes.

    Notes
    -----
    Distances are of single precision, from the middle of the samples.  "Flat" and "HNSW32" keep a copy of the
    samples, 4 bytes a number.

    As with scikit-learn's transformer, ``fit`` of a pipeline searches the neighbours of all training samples too, and
    the last step keeps their graph: for n samples, n (k + 1) distances of 8 bytes and indices of 4 or 8 bytes, 0.1 GB
    for a million samples and 5 neighbours, after as long a search as a prediction of n samples takes.  `kneighbors`
    needs no such graph.

    An index whose search visits too few samples may find fewer neighbours than asked
    for, which is an error.

    References
    ----------
    M. Douze et al., "The Faiss library", 2024, arXiv:2401.08281.

    Examples
    --------
    >>> from metricnets import LDA, FaissKNeighborsTransformer
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> search = FaissKNeighborsTransformer(n_neighbors=3)
    >>> model = make_pipeline(LDA(), search, KNeighborsClassifier(3, metric="precomputed"))
    >>> X, y = load_digits(return_X_y=True)
    >>> round(model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]), 1)
    0.9
    """

    n_neighbors: Count = 5
    mode: Literal["distance", "connectivity"] = "distance"
    metric: Literal["euclidean", "cosine"] = "euclidean"
    factory: MaybeText = None
    search_params: MaybeDict = None
    n_jobs: Jobs = None
    random_state: Seed = None

    @fitting
    def fit(self, X: Array, y: MaybeArray = None) -> Self:
        """Build the index.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If FAISS does not know ``factory`` or ``search_params``, or cannot train the index from so few samples.
        """
        faiss = needed("faiss", type(self).__name__)
        X = validate_data(self, X, dtype=[np.float32, np.float64])
        origin, unit = origin_and_unit(X) if self.metric == "euclidean" else (None, 1.0)
        metric = faiss.METRIC_L2 if self.metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
        factory = self.factory or ("Flat" if len(X) <= FEW else "HNSW32")
        with words_of_faiss(f"factory={factory!r}"), threads(faiss, self.n_jobs):
            index = faiss.index_factory(X.shape[1], factory, metric)
            for name, value in (self.search_params or {}).items():
                with words_of_faiss(f"search_params={{{name!r}: {value!r}}}"):
                    faiss.ParameterSpace().set_index_parameter(index, name, value)
            if not index.is_trained:
                index.train(rows_of(drawn(X, self.random_state), origin, unit))
            for rows in gen_batches(len(X), ROWS):
                index.add(rows_of(X[rows], origin, unit))
            if (cells := faiss.try_extract_index_ivf(index)) is not None:
                cells.make_direct_map()  # to the points, whose distances are measured again
        self.index_, self._origin, self._unit = index, origin, unit
        self.n_samples_fit_ = self._n_features_out = len(X)
        return self

    def kneighbors(
        self, X: Array, n_neighbors: MaybeCount = None, return_distance: bool = True
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Find the nearest samples of the index.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.
        n_neighbors : int or None, default=None
            Number of neighbours; None takes that of the constructor.
        return_distance : bool, default=True
            Whether distances are returned.

        Returns
        -------
        distances : ndarray of float32 of shape (n_queries, n_neighbors)
            Ascending; only with ``return_distance``.
        indices : ndarray of int64 of shape (n_queries, n_neighbors)
            Rows of the samples.

        Raises
        ------
        ValueError
            If there are fewer samples, or the search visits too few of them.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_count(n_neighbors=k)
        if k > self.n_samples_fit_:
            raise ValueError(f"n_neighbors={k} is larger than the number of samples, {self.n_samples_fit_}.")
        X = validate_data(self, X, reset=False, dtype=[np.float32, np.float64])
        distances, indices = np.empty((len(X), int(k)), np.float32), np.empty((len(X), int(k)), np.int64)
        with threads(needed("faiss", type(self).__name__), self.n_jobs):
            for rows in gen_batches(len(X), ROWS):
                queries = rows_of(X[rows], self._origin, self._unit)
                distances[rows], indices[rows] = nearest(self.index_, queries, int(k))
        if (indices < 0).any():
            raise ValueError(
                f"The index found fewer than {k} neighbours for {(indices < 0).any(axis=1).sum()} of {len(X)} samples; "
                "let it visit more by search_params, {'efSearch': ...} or {'nprobe': ...}."
            )
        if not return_distance:
            return indices
        if self.metric == "cosine":
            return np.maximum(1 - distances, 0), indices
        return np.sqrt(np.maximum(distances, 0)) * np.float32(self._unit), indices

    def transform(self, X: Array) -> csr_matrix:
        """Compute the graph of the nearest samples of the index.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        graph : sparse matrix of shape (n_queries, n_samples)
            In CSR format; the numbers of a row are ascending distances, or ones.
        """
        check_is_fitted(self)
        k = self.n_neighbors + (self.mode == "distance")
        if k > self.n_samples_fit_ == self.n_neighbors:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} should be less than the number of samples, {self.n_samples_fit_}, as "
                "with mode='distance' the graph has one neighbour more."
            )
        distances, indices = self.kneighbors(X, k)
        data = distances.ravel().astype(float) if self.mode == "distance" else np.ones(indices.size)
        return csr_matrix(
            (data, indices.ravel(), np.arange(0, indices.size + 1, k)), (len(indices), self.n_samples_fit_)
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.requires_fit = True
        return tags
