"""Relatedness of tasks: probabilities of the classes of one task given that of another."""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.special import gammaln, softmax

from metricnets._labels import UNKNOWN
from metricnets._weights import rows_of

SMOOTHING = 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0  # how many samples class frequencies may count as


class Relatedness(Mapping):
    """Matrices R of task relatedness by pairs of columns: R[a, b][c, k] = P(class k of b given class c of a).

    Parameters
    ----------
    matrices : dict of ndarray
        Keys are pairs of names; rows sum to 1.
    classes : dict of ndarray
        The classes of each column by its name.
    """

    def __init__(self, matrices: dict, classes: dict) -> None:
        self.matrices, self.classes = matrices, classes

    def __getitem__(self, pair: tuple) -> np.ndarray:
        try:
            return self.matrices[pair]
        except KeyError:
            raise KeyError(f"{pair!r} are no two tasks; the pairs are {list(self.matrices)[:6]}") from None

    def __iter__(self) -> Iterator:
        return iter(self.matrices)

    def __len__(self) -> int:
        return len(self.matrices)

    def __repr__(self) -> str:
        if not self.matrices:
            return "Relatedness of no tasks"
        with np.printoptions(precision=2, suppress=True, threshold=200, linewidth=110):
            return "\n".join(
                f"P({b} given {a}): rows {self.classes[a]}, columns {self.classes[b]}\n{R}"
                for (a, b), R in self.matrices.items()
            )


def class_frequencies(codes: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Frequencies of the classes among codes (n,), each counted once more; unknown ones do not count.

    >>> class_frequencies(np.array([0, 0, 1, -1]), 2)
    array([0.6, 0.4])
    """
    known = codes != UNKNOWN
    counts = 1 + np.bincount(codes[known], rows_of(weights, known), minlength=n_classes)
    return counts / counts.sum()


def counted(codes_a: np.ndarray, codes_b: np.ndarray, n_a: int, prior: np.ndarray, weights: np.ndarray | None = None):
    """Count relatedness in samples that are annotated in both tasks.

    If the class frequencies π of the second task count as s samples, it is R[c, k] = (n_ck + s π_k) / (n_c + s), where
    n_ck samples have the classes c and k.  R is the mean over some s from 0.1 to 1000, weighted by s times the
    likelihood of the counts, which is Dirichlet-multinomial: few samples, and tasks that do not depend on each other,
    leave it near π.

    Parameters
    ----------
    codes_a, codes_b : ndarray of int of shape (n,)
        Class codes; −1 if unknown.
    n_a : int
        Number of classes of the first task.
    prior : ndarray of shape (n_b,)
        The frequencies π.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    R : ndarray of shape (n_a, n_b)

    Examples
    --------
    >>> codes = np.repeat([0, 1], 10)
    >>> counted(codes, codes, 2, np.array([0.5, 0.5])).round(2)
    array([[0.96, 0.04],
           [0.04, 0.96]])
    """
    counts = counts_of(codes_a, codes_b, (n_a, len(prior)), weights)
    given, likelihoods = [], []
    for s in SMOOTHING:
        given.append((counts + s * prior) / (counts.sum(axis=1, keepdims=True) + s))
        likelihoods.append(dirichlet_multinomial(counts, s * prior))
    return np.tensordot(softmax(np.log(SMOOTHING) + likelihoods), given, axes=1)


def counts_of(codes_a: np.ndarray, codes_b: np.ndarray, shape: tuple, weights: np.ndarray | None = None) -> np.ndarray:
    """Numbers (n_a, n_b) of samples that have the classes c and k, of those annotated in both tasks."""
    both, counts = (codes_a != UNKNOWN) & (codes_b != UNKNOWN), np.zeros(shape)
    np.add.at(counts, (codes_a[both], codes_b[both]), 1.0 if weights is None else weights[both])
    return counts


def dirichlet_multinomial(counts: np.ndarray, alpha: np.ndarray) -> float:
    """The log-likelihood of counts (n, k) in a given order, Σ log Γ(α + n_ck) / Γ(α) of all, over those of the sums."""
    total, totals = alpha.sum(), counts.sum(axis=1)
    of_cells = (gammaln(counts + alpha) - gammaln(alpha)).sum()
    return float(of_cells - (gammaln(totals + total) - gammaln(total)).sum())


def reversed_relatedness(R: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Relatedness the other way round by Bayes' theorem, R'[k, c] ∝ π_c R[c, k], of shape (n_b, n_a).

    >>> reversed_relatedness(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.5, 0.5])).round(2)
    array([[0.67, 0.33],
           [0.  , 1.  ]])
    """
    joint = (prior[:, None] * R).T
    totals = joint.sum(axis=1, keepdims=True)
    return np.where(totals > 0, joint / np.where(totals > 0, totals, 1), prior)
