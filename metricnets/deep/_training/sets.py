"""Which sets of samples are held back for early stopping, and folds of sets."""

import numpy as np

from metricnets._groups import places_in_groups

N_SETS = 4  # that are held back, at least


def hold_back_sets(codes: np.ndarray, sets: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Choose the sets to hold back: two sets of a class, as neighbours are of other sets, then two of the next class.

    Each class keeps at least one set.  No set is held back unless at least two classes have several.

    Parameters
    ----------
    codes, sets : ndarray of int of shape (n,)
        Class and set of each row.
    fraction : float in (0, 1)
        Share of the sets to hold back, which are at least `N_SETS`, if there are as many.
    rng : numpy.random.Generator

    Returns
    -------
    is_held_back : ndarray of bool of shape (n,)
    """
    _, first, number = np.unique(sets, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    order = order[np.argsort(codes[first[order]], kind="stable")]  # class by class
    _, code, counts = np.unique(codes[first[order]], return_inverse=True, return_counts=True)
    turn = places_in_groups(code)
    is_free = turn < np.repeat(counts, counts) - 1
    ranks = np.repeat(rng.permutation(len(counts)), counts)
    order = order[np.lexsort((ranks, turn // 2, ~is_free))]
    n_held = min(max(N_SETS, int(np.ceil(fraction * len(order)))), np.count_nonzero(is_free))
    return np.isin(number, order[: n_held if np.count_nonzero(counts > 1) > 1 else 0])


def folds_of_sets(codes: np.ndarray, sets: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two folds of the rows, (kept, held), with half of the sets of each class; a class of one set is always kept.

    There are none unless at least two classes have several sets.
    """
    _, first, number = np.unique(sets, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    _, code, counts = np.unique(codes[first[order]], return_inverse=True, return_counts=True)
    if np.count_nonzero(counts > 1) < 2:
        return []
    fold = np.empty(len(first), int)
    fold[order] = np.where(counts[code] > 1, places_in_groups(code) % 2, -1)
    return [(np.flatnonzero(fold[number] != k), np.flatnonzero(fold[number] == k)) for k in (0, 1)]
