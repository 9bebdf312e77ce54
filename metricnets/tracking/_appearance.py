"""What a target and its background look like, and how similar a patch is to the target by a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

TARGET, BACKGROUND = 0, 1
OLD = 5  # every OLD-th change of the recent patches is kept longer
N_OLD = 4  # times the number of recent frames
TINY = 1e-9


class Views(NamedTuple):
    """Patches of the target: features (n, d) and offsets (n, 4) from it."""

    features: np.ndarray
    offsets: np.ndarray

    def with_last(self, other: Views, n: int) -> Views:
        """Append others, and keep the last n."""
        return Views(*(np.vstack(parts)[-n:] for parts in zip(self, other)))

    def head(self, n: int) -> Views:
        """The first n."""
        return Views(*(part[:n] for part in self))


@dataclass(frozen=True)
class Appearance:
    """Patches of the target, and features (n, d) of the background; those of the first frame stay.

    Parameters
    ----------
    first, recent, older : Views
        Of the target: in the first frame, the given box before its variations; in the last frames; in frames further
        apart.
    first_around, around : ndarray
        Of the background: in the first frame, and in the last frames.
    n_changes : int
        How often patches were added.
    """

    first: Views
    recent: Views
    older: Views
    first_around: np.ndarray
    around: np.ndarray
    n_changes: int = 0

    @property
    def templates(self) -> np.ndarray:
        """Patches that a candidate is compared with, the first one first."""
        return np.vstack([self.first.features[:1], self.older.features, self.recent.features])

    @property
    def background(self) -> np.ndarray:
        """All patches of the background."""
        return np.vstack([self.first_around, self.around])

    @property
    def target(self) -> Views:
        """All patches of the target."""
        return Views(*(np.vstack(parts) for parts in zip(self.first, self.older, self.recent)))

    @property
    def lasting(self) -> Views:
        """Patches of the target without those of the last frames, which would make each place found the right one."""
        return Views(*(np.vstack(parts) for parts in zip(self.first, self.older)))

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Patches to learn from and their classes `TARGET` and `BACKGROUND`."""
        target, background = self.target.features, self.background
        codes = np.repeat([TARGET, BACKGROUND], [len(target), len(background)])
        return np.vstack([target, background]), codes

    def changed(self, target: Views, around: np.ndarray, n_templates: int, n_background: int) -> Appearance:
        """Add patches, and drop the oldest ones, but never those of the first frame."""
        n = self.n_changes + 1
        return replace(
            self,
            recent=self.recent.with_last(target, n_templates * len(target.features)),
            older=self.older.with_last(target.head(len(target.features) if n % OLD == 0 else 0), N_OLD * n_templates),
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
        self.templates, self.background = map(self._embedded, (appearance.templates, appearance.background))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Similarity (n,), d_b / (d_b + d_t), by the distances to the nearest background and to the target."""
        z = self._embedded(X)
        if not z.shape[1]:
            return np.zeros(len(X))
        to_templates, to_background = distances(z, self.templates), distances(z, self.background).min(axis=1)
        to_target = self.first_weight * to_templates[:, 0] + (1 - self.first_weight) * to_templates.min(axis=1)
        return to_background / (to_background + to_target + TINY)

    def _embedded(self, X):
        z = np.asarray(self.embed(X))
        if z.ndim != 2 or len(z) != len(X) or not np.isfinite(z).all():
            raise ValueError(
                f"metric should transform {len(X)} patches to finite numbers of shape ({len(X)}, n_components); got "
                f"{'NaN or infinity' if z.ndim == 2 and len(z) == len(X) else f'shape {z.shape}'}."
            )
        return z


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
