"""Check that targets have similar and dissimilar pairs of samples."""

from collections.abc import Callable

import numpy as np

from metricnets.relations import known_class, same_class

CLASS_RELATIONS = (same_class, known_class)
N_PAIRS = 2**24  # pairs that are searched at most


def check_pairs(
    relation: Callable, targets: np.ndarray, name: str | Callable, where: str = "y", with_itself: bool = False
) -> None:
    """Raise ValueError unless some pairs of samples are similar and some are dissimilar.

    Class codes are counted, in O(n).  For other targets pairs are searched until one of each kind is found: at most
    16 million, those of randomly drawn samples with all others if there are more.

    Parameters
    ----------
    relation : callable
        ``(y_a, y_b) -> r``.
    targets : ndarray or tensor of shape (n, ...)
        As `resolve` encodes them.
    name : str or callable
        The relation as given by the user.
    where : str, default='y'
        Name of the targets in the message.
    with_itself : bool, default=False
        Whether a sample forms a similar pair with itself, so that no other need be similar.
    """
    similar, dissimilar = _kinds_of_codes(targets) if relation in CLASS_RELATIONS else _kinds(relation, targets)
    by = f"related by {'more than' if similar else 'at most'} 0.5 by relation={name!r}"
    if not (similar or with_itself):
        raise ValueError(
            f"there is no similar pair in {where}, as all pairs of samples are {by}; a class needs two samples or "
            "more. For other targets use a relation that is above 0.5 for some pairs, or loss='alignment', which takes "
            "graded relations."
        )
    if not dissimilar:
        raise ValueError(
            f"there is no dissimilar pair in {where}, as all pairs of samples are {by}; there should be two classes "
            "or more. For other targets use a relation that is at most 0.5 for some pairs, such as 'jaccard' or "
            "'cosine' for sparse label sets, or loss='alignment', which takes graded relations."
        )


def _kinds_of_codes(codes):
    codes = np.asarray(codes)
    counts = np.unique(codes[codes >= 0], return_counts=True)[1]
    return counts.max(initial=0) > 1, len(counts) > 1


def _kinds(relation, targets):
    """Whether some pairs of rows are similar, and some are not."""
    n = len(targets)
    size = max(1, 2**22 // max(1, n * int(np.prod(targets.shape[1:]))))  # 4 million numbers, also for `overlap`
    order = np.random.default_rng(0).permutation(n)[: max(1, N_PAIRS // max(1, n))]
    similar = dissimilar = False
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        r = relation(targets[rows], targets) * 1.0  # (n_rows, n)
        r[np.arange(len(rows)), rows] = float("nan")
        similar, dissimilar = similar or bool((r > 0.5).any()), dissimilar or bool((r <= 0.5).any())
        if similar and dissimilar:
            break
    return similar, dissimilar
