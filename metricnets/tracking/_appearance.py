"""What a target and its background look like, and how similar a patch is to the target by a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

TARGET, BACKGROUND = 0, 1
OLD = 5  # every OLD-th change of the recent patches is kept longer
TINY = 1e-9


@dataclass(frozen=True)
class Appearance:
    """Features of patches of the target and of the background, each (n, d); those of the first frame stay.

    Parameters
    ----------
    first, recent, older : ndarray
        Of the target: in the first frame, the given box before its variations; in the last frames; in frames further
        apart.
    first_around, around : ndarray
        Of the background: in the first frame, and in the last frames.
    n_changes : int
        How often patches were added.
    """

    first: np.ndarray
    recent: np.ndarray
    older: np.ndarray
    first_around: np.ndarray
    around: np.ndarray
    n_changes: int = 0

    @property
    def templates(self) -> np.ndarray:
        """Patches that a candidate is compared with, the first one first."""
        return np.vstack([self.first[:1], self.older, self.recent])

    @property
    def background(self) -> np.ndarray:
        """All patches of the background."""
        return np.vstack([self.first_around, self.around])

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Patches to learn from and their classes `TARGET` and `BACKGROUND`."""
        target, background = np.vstack([self.first, self.older, self.recent]), self.background
        codes = np.repeat([TARGET, BACKGROUND], [len(target), len(background)])
        return np.vstack([target, background]), codes

    def changed(self, target: np.ndarray, around: np.ndarray, n_templates: int, n_background: int) -> Appearance:
        """Add patches, and drop the oldest ones, but never those of the first frame."""
        n, add = self.n_changes + 1, target[:2] if (self.n_changes + 1) % OLD == 0 else target[:0]
        return replace(
            self,
            recent=np.vstack([self.recent, target])[-n_templates * len(target) :],
            older=np.vstack([self.older, add])[-2 * n_templates :],
            around=np.vstack([self.around, around])[-n_background:],
            n_changes=n,
        )


class Matcher:
    """Similarity of patches to the target, by distances in a metric.

    Parameters
    ----------
    embed : callable
        From features (n, d) to embeddings.
    appearance : Appearance
    first_weight : float
        Share of the distance to the first template; the rest is that of the distance to the nearest template.
    """

    def __init__(self, embed: Callable[[np.ndarray], np.ndarray], appearance: Appearance, first_weight: float) -> None:
        self.embed, self.first_weight = embed, first_weight
        self.templates, self.background = embed(appearance.templates), embed(appearance.background)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Similarity (n,), d_b / (d_b + d_t), by the distances to the nearest background and to the target."""
        z = self.embed(X)
        if not z.shape[1]:
            return np.zeros(len(X))
        to_templates, to_background = distances(z, self.templates), distances(z, self.background).min(axis=1)
        to_target = self.first_weight * to_templates[:, 0] + (1 - self.first_weight) * to_templates.min(axis=1)
        return to_background / (to_background + to_target + TINY)


class Projection:
    """Linear map x ↦ L x of rows in single precision."""

    def __init__(self, L: np.ndarray) -> None:
        self.map = L.T.astype(np.float32)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return X @ self.map


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances (n_a, n_b) by one matrix product, as thousands of windows are compared in each frame."""
    squares = (a**2).sum(axis=1)[:, None] - 2 * (a @ b.T) + (b**2).sum(axis=1)
    return np.sqrt(np.maximum(squares, 0))
