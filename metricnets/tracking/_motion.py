"""Where and how large the target is, and where it is looked for if it is not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metricnets.tracking._patches import apart

OVERLAP = 0.6  # windows further away than this share of the size are other places
SMALLEST, LARGEST = 0.3, 3.0  # scale of the target in relation to the first frame
RATE = 0.2  # of the last frame in the mean of scales and angles
ONSET = 4  # frames in which something begins to hide the target
PATIENCE = 6  # frames after which every other one is searched at another part of the frame
DAMPING = 0.85  # of the velocity while the target is not seen


@dataclass(frozen=True)
class Motion:
    """Centre (2,) in rows and columns, scale, angle and velocity (2,) of the target, for how long it was not seen.

    ``hint`` is the best place in the last frame in which it was not seen, and ``evidence`` the sum of its margins.
    ``steady`` is the mean of the last logarithms of the scale and angles: the very last ones are wrong if something
    begins to hide the target.
    """

    center: np.ndarray
    scale: float
    angle: float
    velocity: np.ndarray
    n_lost: int = 0
    hint: np.ndarray | None = None
    evidence: float = 0.0
    steady: np.ndarray | None = None

    def predicted(self) -> np.ndarray:
        """Centre in the next frame."""
        return self.center + self.velocity

    @property
    def is_sweeping(self) -> bool:
        """Whether the target is looked for elsewhere than where it is expected."""
        return self.n_lost > PATIENCE and self.n_lost % 2 == 1

    def seen(self, center: np.ndarray, scale: float, angle: float) -> Motion:
        """Motion after the target was found."""
        velocity = np.zeros(2) if self.n_lost else (self.velocity + center - self.center) / 2
        scale, pose = float(np.clip(scale, SMALLEST, LARGEST)), np.array([np.log(scale), angle])
        steady = pose if self.n_lost or self.steady is None else (1 - RATE) * self.steady + RATE * pose
        return Motion(center, scale, angle, velocity, steady=steady)

    def unseen(self, shape: tuple[int, int], hint: np.ndarray, evidence: float) -> Motion:
        """Motion after the target was not found: it goes on, more slowly, within the frame."""
        if self.is_sweeping:
            hint, evidence = self.hint, self.evidence
        found = {"hint": hint, "evidence": evidence, "n_lost": self.n_lost + 1}
        if self.steady is not None:
            found |= {"scale": float(np.exp(self.steady[0])), "angle": float(self.steady[1])}
        return replace(self, center=np.clip(self.predicted(), 0, shape), velocity=DAMPING * self.velocity, **found)

    def evidence_for(self, center: np.ndarray, margin: float, size: np.ndarray) -> float:
        """Sum of the margins of a place over the last frames in which it was the best one.

        The first frames do not count, as then what hides the target has just begun to.
        """
        if self.n_lost < ONSET:
            return 0.0
        again = self.hint is not None and not apart(center[None], self.hint, size * self.scale, OVERLAP)[0]
        return max(0.0, margin) + (self.evidence if again else 0.0)


def part_of(shape: tuple[int, int], reach: np.ndarray, center: np.ndarray, turn: int) -> np.ndarray:
    """Centre of one of the parts of a frame, each of which reaches so far: in turn, those near a point first."""
    n = np.maximum(1, np.ceil(shape / (2 * reach))).astype(int)
    parts = (np.indices(n).reshape(2, -1).T + 0.5) * shape / n
    order = np.argsort(np.linalg.norm(parts - center, axis=1), kind="stable")
    return parts[order[turn % len(parts)]]
