"""Relations of classes, and of labels in a hierarchy."""

from typing import Any, TypeVar

Targets = TypeVar("Targets", bound=Any)  # arrays or tensors; PyTorch is not imported here


def indicator(condition: Targets) -> Targets:
    """1.0 where a condition is true, 0.0 where it is not; tensors take half the memory of a product."""
    return condition.float() if hasattr(condition, "float") else condition * 1.0


def same_class(y_a: Targets, y_b: Targets) -> Targets:
    """1 for equal class codes, 0 for different ones.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a,)
    y_b : array or tensor of shape (n_b,)
        Class codes.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> same_class(np.array([0, 1]), np.array([1, 1, 0]))
    array([[0., 0., 1.],
           [1., 1., 0.]])
    """
    return indicator(y_a[:, None] == y_b[None, :])  # (n_a, n_b)


def known_class(y_a: Targets, y_b: Targets) -> Targets:
    """1 for equal class codes, 0 for different ones, NaN if a class is unknown.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a,)
    y_b : array or tensor of shape (n_b,)
        Class codes; a negative code means that the class is unknown.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    Examples
    --------
    >>> import numpy as np
    >>> known_class(np.array([0, -1]), np.array([0, 1]))
    array([[ 1.,  0.],
           [nan, nan]])
    """
    unknown = (y_a[:, None] < 0) | (y_b[None, :] < 0)
    r = same_class(y_a, y_b)
    r[unknown] = float("nan")
    return r


def hierarchy(y_a: Targets, y_b: Targets) -> Targets:
    """Wu–Palmer similarity of labels in a hierarchy: the share of its levels on which two samples agree.

    It is the depth of the deepest label that both samples have, over the number of levels L.  Below a level on which
    they differ no further level counts.  As r > 0.5 is similar, more than half of the levels have to agree: of two
    levels both.

    Memory n_a × n_b × L.

    Parameters
    ----------
    y_a : array or tensor of shape (n_a, L)
    y_b : array or tensor of shape (n_b, L)
        Codes of the labels, the columns from the coarsest to the finest level.

    Returns
    -------
    r : array or tensor of shape (n_a, n_b)

    References
    ----------
    Z. Wu, M. Palmer, "Verb semantics and lexical selection", ACL 1994.

    Examples
    --------
    >>> import numpy as np
    >>> hierarchy(np.array([[0, 0, 0]]), np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]))
    array([[1.        , 0.66666667, 0.33333333, 0.        ]])
    """
    agree = indicator(y_a[:, None] == y_b[None, :])  # (n_a, n_b, L)
    return agree.cumprod(2).mean(2)
