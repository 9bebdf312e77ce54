"""Relations of label sets."""

from metricnets.relations._classes import Targets, indicator


def hamming(y_a: Targets, y_b: Targets) -> Targets:
    """Hamming similarity of label sets, the share of labels on which they agree: 1 − ‖a − b‖₁ / L.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Label sets, rows of 0 and 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> hamming(np.array([[1, 0, 1, 0]]), np.array([[1, 1, 1, 0]]))
    array([[0.75]])
    """
    y_a, y_b = y_a * 1.0, y_b * 1.0
    different = y_a.sum(1)[:, None] + y_b.sum(1)[None, :] - 2 * y_a @ y_b.T
    return 1 - different / y_a.shape[1]


def jaccard(y_a: Targets, y_b: Targets) -> Targets:
    """Jaccard similarity of label sets: the number of labels in both over the number in either.

    Two empty sets have the similarity 1.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Label sets, rows of 0 and 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> jaccard(np.array([[1, 0, 1, 0]]), np.array([[1, 1, 0, 0], [0, 0, 0, 0]]))
    array([[0.33333333, 0.        ]])
    """
    y_a, y_b = y_a * 1.0, y_b * 1.0
    both = y_a @ y_b.T
    either = y_a.sum(1)[:, None] + y_b.sum(1)[None, :] - both
    return (both + (either == 0)) / (either + (either == 0))


def shared_label(y_a: Targets, y_b: Targets) -> Targets:
    """1 for label sets with a common label, 0 for disjoint ones.

    Photographs are similar, for example, if a person is on both.  An empty set is disjoint from all.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Label sets, rows of 0 and 1.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> shared_label(np.array([[1, 0, 1, 0]]), np.array([[1, 1, 0, 0], [0, 1, 0, 1]]))
    array([[1., 0.]])
    """
    y_a, y_b = y_a * 1.0, y_b * 1.0
    return indicator(y_a @ y_b.T > 0)
