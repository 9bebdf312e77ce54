"""QueryAdapter: a linear map of queries, learned for documents whose embeddings stay as they are."""

from typing import Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from metricnets._arrays import checked_array
from metricnets._params import Array, Count, Folds, MaybeArray, MaybeCount, MaybePositive, NonNegative, fitting
from metricnets._tuples import FLOATS
from metricnets.exceptions import warn
from metricnets.linear._low_rank_map import LowRankMap
from metricnets.linear._pairwise.index import Index
from metricnets.linear._pairwise.relevant_pairs import check_groups, check_relevance, check_shapes
from metricnets.linear._pairwise.units import common_unit
from metricnets.linear._solvers.cross_validation import choose_strength
from metricnets.linear._solvers.low_rank_change import low_rank_change


class QueryAdapter(LowRankMap):
    """Linear map of queries, so that an index of documents that stays as it is answers them better.

    The adapted query is W x, with W = I + A and A of low rank.  Relevant documents get a large share in the softmax of
    scores s(x, z) = (W x) · z − ‖z‖²/2, which sort documents z as their Euclidean distance to W x does: minimise

        mean of −r log(exp(s(x, z) / T) / Σ_z' exp(s(x, z') / T)) + λ/2 mean of (x' · A z' / T)²

    over pairs of a query x and a document z with relevance r > 0.  z' in the sum are z and negatives: all documents, or
    in equal parts those that are most similar to a query before it is adapted and a sample of all; except copies of z
    and documents that are at least as relevant to x.  The second mean is over pairs of documents x', z', with a ridge:
    A may change few scores of documents that have nothing to do with the queries.  Among the changes of rank
    ``n_components`` A has the best directions at A = 0, by its gradient there, so that the problem is convex; L-BFGS
    solves it from the identity.

    λ is chosen by cross-validation, from those that lower the loss of held-out queries by more than three standard
    errors: the one that lowers the mean logarithm of the ranks of their documents most, less two standard errors.  If
    none lowers both the identity is kept.

    Parameters
    ----------
    n_components : int >= 1 or None, default=128
        Largest rank of A; it is at most the number of features and of queries, which are also the limit of None.
    regularization : float > 0 or None, default=None
        λ.  None chooses among 1000, 316, 100, ...
    temperature : float > 0 or None, default=None
        T.  None takes that of the largest likelihood before queries are adapted.
    n_negatives : int >= 1, default=2000
        Largest number of documents with which each query is compared, besides the relevant ones.
    cv : int >= 2, default=5
        Number of folds of the queries by which λ is chosen.
    max_iter : int >= 1, default=100
        Largest number of iterations for each λ.
    tol : float >= 0, default=1e-4
        Converged when an iteration lowers the objective by at most this share.

    Attributes
    ----------
    query_components_ : ndarray of shape (rank, n_features)
        Q; W x = x + Pᵀ Q x.
    document_components_ : ndarray of shape (rank, n_features)
        P.
    regularization_ : float
        λ; infinite if the identity is kept.
    temperature_ : float
        T.
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        For each candidate of ``regularization``: ``"loss"``, the mean loss of held-out queries; ``"gain"``, by how much
        it is lower than that of the identity, and ``"gain_error"``, the standard error of this; ``"rank_gain"`` and
        ``"rank_gain_error"``, the same of the logarithm of ranks.  Empty if ``regularization`` is given.
    keeps_norm_ : bool
        Whether `transform` preserves norms: if the queries and documents of ``fit`` have norm 1.
    n_iter_ : int
        Number of iterations for the last λ.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names. Defined only when the queries were given with feature names, as in a data frame.

    See Also
    --------
    EmbeddingNet : Map of both sides, if documents may be embedded again.
    OASIS : Bilinear similarity from triplets, which is learned for both sides.
    XQDA : Metric across two views, which maps both of them.

    Notes
    -----
    Time is that of n_queries × n_documents scores, to find negatives, and in each iteration that of n_pairs ×
    n_negatives scores of n_components numbers.  Memory beside the data is about 8 × n_pairs × n_negatives bytes in
    single and twice that in double precision.

    References
    ----------
    The loss is InfoNCE of A. van den Oord, Y. Li, O. Vinyals.  Representation learning with contrastive predictive
    coding.  arXiv:1807.03748, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets import QueryAdapter
    >>> documents = np.random.default_rng(0).normal(size=(60, 5))
    >>> queries = documents * [1, 1, 1, 1, -1]  # the last column is the wrong way round
    >>> adapter = QueryAdapter().fit(queries, documents)
    >>> [float(round(np.corrcoef(Z[:, 4], documents[:, 4])[0, 1])) for Z in (queries, adapter.transform(queries))]
    [-1.0, 1.0]
    """

    __metadata_request__fit = {"documents": True, "groups": True}

    n_components: MaybeCount = 128
    regularization: MaybePositive = None
    temperature: MaybePositive = None
    n_negatives: Count = 2000
    cv: Folds = 5
    max_iter: Count = 100
    tol: NonNegative = 1e-4

    @fitting
    def fit(
        self,
        X: Array,
        Y: Array,
        y: MaybeArray = None,
        *,
        documents: MaybeArray = None,
        groups: MaybeArray = None,
    ) -> Self:
        """Learn the map of queries.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features)
            Queries; a query with several documents is repeated.
        Y : array-like of shape (n_pairs, n_features)
            The document of each pair, as it is in the index.
        y : array-like of shape (n_pairs,) or None, default=None
            Relevance of the document to the query, in [0, 1], by which the pair is weighted; 0 says that it is not
            relevant, though it may be similar.  None means 1.
        documents : array-like of shape (n_documents, n_features) or None, default=None
            Further documents of the index, all of them or some, among which negatives are found; rows of Y may be
            among them.  None takes those of Y only.
        groups : array-like of shape (n_pairs,) or None, default=None
            Topic of each pair.  Pairs of a group are held out together when λ is chosen, which is needed if later
            queries are of topics that X does not have.  None holds out single queries.

        Returns
        -------
        self : object
            The fitted adapter.

        Raises
        ------
        ValueError
            If the arrays do not have this form, no document is relevant, or all documents are zero.
        """
        X, Y = validate_data(self, X, dtype=FLOATS), checked_array(Y, "Y", ensure_2d=False, dtype=FLOATS)
        further = Y[:0] if documents is None else checked_array(documents, "documents", dtype=FLOATS)
        check_shapes(X, Y, further)
        relevance = check_relevance(y, len(X))
        groups = groups if groups is None else check_groups(groups, len(X))
        pool = np.vstack([Y, further]).astype(X.dtype, copy=False)
        unit, self.keeps_norm_ = common_unit(X, pool)
        index = Index.of(X / unit, pool / unit, relevance)
        ranking, judge, T = index.rankings(self.n_negatives, self.temperature and self.temperature / unit**2)
        self.temperature_, strength, self.cv_results_ = float(T * unit**2), self.regularization, {}
        how = {"n_components": self.n_components, "max_iter": self.max_iter, "tol": self.tol}
        if strength is None:
            held_out = np.unique(index.query if groups is None else groups[relevance > 0], return_inverse=True)[1]
            choice = choose_strength(ranking, judge, held_out, self.cv, **how)
            self.cv_results_, strength = choice.results(), choice.best
        left, right, self.n_iter_, converged = low_rank_change(ranking, strength, **how)
        self.regularization_ = float(strength)
        if not converged:
            warn(f"QueryAdapter did not converge in max_iter={self.max_iter} iterations; raise it.", ConvergenceWarning)
        self.query_components_, self.document_components_ = (index.basis @ right).T, (T * index.basis @ left).T
        return self
