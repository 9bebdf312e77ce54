"""Active learning: pairs of samples that a person should label next."""

from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import checked_array, lengths
from metricnets._checks import check_count, check_option
from metricnets._embedded import embedded
from metricnets._neighbors import Neighbors
from metricnets._params import check_instance, random_state_of

__all__ = ["query_pairs"]

STRATEGIES = ("uncertain", "nearest", "random")


def query_pairs(
    metric: Any,
    X: ArrayLike,
    n_pairs: int = 100,
    *,
    strategy: Literal["uncertain", "nearest", "random"] = "uncertain",
    threshold: float | None = None,
    exclude: ArrayLike | None = None,
    n_neighbors: int = 10,
    n_per_sample: int | None = 2,
    n_queries: int | None = 10_000,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Choose pairs of samples of which a person should say whether they are similar.

    A person labels them, the metric is fitted to all pairs labelled so far, and proposes the next ones (Cui et al.).
    Random pairs of many classes are nearly all dissimilar and far from each other, and teach little.

    Candidates are pairs of a sample and one of its nearest neighbours and, for 'uncertain', as many random ones.  The
    search compares ``n_queries`` samples with all, in chunks: it takes O(n_queries n d) operations, and memory for the
    embeddings of X and n_queries × n_neighbors candidates.

    Parameters
    ----------
    metric : fitted metric learner, Distance or None
        What embeds the samples: any fitted estimator with ``transform``, or what ``get_metric`` returned; None for the
        Euclidean distance of X.
    X : array-like of shape (n_samples, n_features), or what ``metric`` takes
        The samples.
    n_pairs : int >= 1, default=100
        Largest number of pairs to choose; there are fewer if all other candidates are excluded.
    strategy : {'uncertain', 'nearest', 'random'}, default='uncertain'
        Which pairs come first.

        - 'uncertain': those whose distance is nearest to the threshold, by the ratio of the two.
        - 'nearest': those of the smallest distance.  The dissimilar ones among them are hard negatives.
        - 'random': in random order, of all pairs of samples.
    threshold : float > 0 or None, default=None
        Distance up to which pairs are similar, for 'uncertain'.  None means ``metric.threshold_``.
    exclude : array-like of int of shape (n_excluded, 2) or None, default=None
        Pairs of rows of X that are not chosen, in either order, such as those that were labelled before.
    n_neighbors : int >= 1, default=10
        Number of neighbours of each sample that are candidates; more if these are too few.
    n_per_sample : int >= 1 or None, default=2
        Largest number of chosen pairs that one sample is in, for diversity, unless there are too few pairs otherwise;
        None for any number.
    n_queries : int >= 1 or None, default=10000
        Number of samples, drawn at random, whose neighbours are searched; None for all.
    random_state : int, RandomState instance or None, default=None
        Seed of the random pairs and samples.  Pass an int for reproducible results.

    Returns
    -------
    pairs : ndarray of int of shape (n_found, 2)
        Rows of X, the smaller one first; the most informative pair comes first, and none occurs twice.

    Raises
    ------
    ValueError
        If a parameter is out of its range, there is no threshold for 'uncertain', or the metric cannot embed X.
    NotFittedError
        If the metric is not fitted.

    See Also
    --------
    metricnets.inspection.hard_negatives : Pairs of labelled samples that contradict their labels.

    References
    ----------
    Y. Cui, F. Zhou, Y. Lin, S. Belongie, "Fine-grained categorization and dataset bootstrapping using deep metric
    learning with humans in the loop", CVPR 2016.

    Examples
    --------
    >>> from metricnets.active import query_pairs
    >>> X = [[0.0], [1.0], [4.0], [4.5]]
    >>> query_pairs(None, X, 1, strategy="nearest")
    array([[2, 3]])
    >>> query_pairs(None, X, 1, threshold=1.2, exclude=[[1, 0]], random_state=0)
    array([[2, 3]])
    """
    check_option("strategy", strategy, STRATEGIES)
    counts = {"n_per_sample": n_per_sample, "n_queries": n_queries}
    check_count(n_pairs=n_pairs, n_neighbors=n_neighbors, **{k: v for k, v in counts.items() if v is not None})
    threshold = _threshold(metric, threshold) if strategy == "uncertain" else None
    z, rng = embedded(metric, X), random_state_of(random_state)
    n, asked = len(z), _numbers(_excluded(exclude, len(z)), len(z))
    if n < 2:
        raise ValueError(f"pairs need two samples or more; X has {n}.")
    rows = rng.permutation(n)[:n_queries]
    k, most = min(n_neighbors, n - 1), len(asked) + n_pairs
    while True:
        found = _candidates(z, rows, k, strategy, rng)
        found = np.setdiff1d(_numbers(found, n), asked)
        if len(found) >= n_pairs or k == n - 1 or k * len(rows) > 4 * n * most:
            break
        k = min(2 * k, n - 1)
    pairs = np.stack(np.divmod(rng.permutation(found), n), axis=1)
    if strategy != "random":
        d = lengths(z[pairs[:, 0]] - z[pairs[:, 1]])
        score = d if threshold is None else np.abs(np.log(np.maximum(d, 1e-300) / threshold))
        pairs = pairs[np.argsort(score, kind="stable")]
    return _diverse(pairs, n_pairs, n_per_sample)


def _threshold(metric, threshold):
    check_instance(metric, "metric")
    found = getattr(metric, "threshold_", None) if threshold is None else threshold
    if found is None and hasattr(metric, "fit"):
        check_is_fitted(metric)
    if found is None:
        raise ValueError(
            "strategy='uncertain' needs a threshold: give a learner from pairs, which has threshold_, or threshold=, "
            "such as that of PairsClassifier(metric) after fit; or set strategy='nearest'."
        )
    if threshold is not None and not (isinstance(threshold, Real) and 0 < threshold < np.inf):
        raise ValueError(f"threshold={threshold!r} should be a finite distance above 0.")
    return max(float(found), 1e-300)  # a learner that takes no pair for similar has one below 0


def _excluded(exclude, n):
    """Pairs of rows, (n_excluded, 2)."""
    if exclude is None or not len(exclude):
        return np.empty((0, 2), int)
    pairs = checked_array(exclude, "exclude", dtype=None, ensure_2d=False, allow_nd=True)
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.min() < 0 or pairs.max() >= n:
        raise ValueError(
            f"exclude should hold pairs of rows of X, integers from 0 to {n - 1}, in shape (n_excluded, 2); got "
            f"{pairs.dtype} in shape {pairs.shape}."
        )
    return pairs


def _numbers(pairs, n):
    """A number for each unordered pair of different rows, sorted, each once."""
    low, high = np.sort(pairs, axis=1).astype(np.int64).T
    return np.unique((low * n + high)[low < high])


def _candidates(z, rows, k, strategy, rng):
    """Pairs of rows, some of which may be the same, (n_pairs, 2)."""
    drawn = np.stack([np.repeat(rows, k), rng.randint(len(z), size=len(rows) * k)], axis=1)
    if strategy == "random":
        return drawn
    near = Neighbors(z, k + 1)(z[rows])  # a row is among its own nearest, or copies of it are
    pairs = np.stack([np.repeat(rows, k + 1), near.ravel()], axis=1)
    return pairs if strategy == "nearest" else np.concatenate([pairs, drawn])


def _diverse(pairs, n_pairs, n_per_sample):
    """The first pairs that leave each row in at most ``n_per_sample``, then the first of the others."""
    if n_per_sample is None:
        return pairs[:n_pairs]
    times, chosen, others = {}, [], []
    for i, (a, b) in enumerate(pairs.tolist()):
        if len(chosen) == n_pairs:
            break
        if max(times.get(a, 0), times.get(b, 0)) < n_per_sample:
            chosen.append(i)
            times[a], times[b] = times.get(a, 0) + 1, times.get(b, 0) + 1
        else:
            others.append(i)
    return pairs[chosen + others[: n_pairs - len(chosen)]]
