"""Training that goes on: the networks it starts from, and what is kept of a stream."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import nn

from metricnets._reservoir import Reservoir
from metricnets.deep._training.renewed import ClassSums

LEAST = 0.1  # share of the networks of a call in the mean


@dataclass
class Start:
    """Networks from which training goes on.

    Parameters
    ----------
    shape : tuple
        Shape of a point.
    layers : list of torch.nn.Module
        Layers before the networks, which stay as they are.
    networks : list of torch.nn.Module
        The trained networks, whose weights are copied.
    n_components : int
        The parameter with which they were trained.
    n_samples : int
        Number of samples that they learned from in the last call.
    shrinkage : float in [0, 1]
        How far what is trained is moved back to these networks.
    sums : ClassSums or None
        Sums over all samples, by which the layers before the networks are renewed.
    """

    shape: tuple[int, ...]
    layers: list[nn.Module]
    networks: list[nn.Module]
    n_components: int
    n_samples: int = 0
    shrinkage: float = 0.0
    sums: ClassSums | None = None

    def check(self, n_components: int) -> Self:
        """Raise ValueError for another number of components."""
        if n_components != self.n_components:
            raise ValueError(
                f"n_components={n_components}, and training goes on from networks with n_components="
                f"{self.n_components}; set it back, set warm_start=False, or fit a clone."
            )
        return self

    def layers_for(self, X: np.ndarray) -> list[nn.Module]:
        """The layers; ValueError if the points have another shape."""
        if X.shape[1:] != self.shape:
            raise ValueError(
                f"X has points of shape {X.shape[1:]}, and training goes on from networks of points of shape "
                f"{self.shape}; set warm_start=False, or fit a clone."
            )
        return list(self.layers)

    def load(self, network: nn.Module, member: int) -> None:
        """Give a new network the weights of the ``member``-th one; ValueError if that has others."""
        old = self.networks[member].state_dict() if member < len(self.networks) else {}
        shapes = [{name: value.shape for name, value in state.items()} for state in (old, network.state_dict())]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "training goes on from networks of other shapes, as a parameter that they depend on was changed; set "
                "it back, set warm_start=False, or fit a clone."
            )
        network.load_state_dict(old)


@dataclass
class Memory:
    """What a learner keeps of the batches of a stream.

    Parameters
    ----------
    kept : Reservoir
        Some of the points, targets and weights.
    n_before : int
        Number of samples of a ``fit`` before the stream, which are not kept.
    sums : ClassSums or None
        Sums over all samples, if what networks start from is renewed by them.
    classes : ndarray of shape (n_classes,) or None
        Those of all samples, which may be more than those of the samples that are kept; None before the first batch.
    """

    kept: Reservoir
    n_before: int = 0
    sums: ClassSums | None = None
    classes: np.ndarray | None = None

    def joined(self, *batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is kept, followed by a batch of points, targets and weights; ValueError if points differ in shape."""
        shapes = [arrays[0].shape[1:] for arrays in (self.kept.arrays, batch) if arrays]
        if shapes[0] != shapes[-1]:
            raise ValueError(f"the points have shape {shapes[1]}, and those of the batches before {shapes[0]}.")
        return self.kept.joined(*batch)

    def after(
        self, rows: tuple[np.ndarray, ...], groups: np.ndarray, classes: np.ndarray, sums: ClassSums | None = None
    ) -> Self:
        """The memory after a batch of these classes, which ``rows`` have last, with the sums after it."""
        classes = classes if self.classes is None else np.union1d(self.classes, classes)
        return Memory(self.kept.after(*rows, groups=groups), self.n_before, sums, classes)

    def shrinkage(self, n: int) -> float:
        """How far networks that go on with n samples are moved back: so they become the mean over all samples so far.

        Each sample that came counts as much as another, but those at hand at least `LEAST`, as what comes may change.
        """
        return 1 - max(LEAST, n / (self.n_before + self.kept.n_seen))

    def goes_on(self, classes: np.ndarray) -> bool:
        """Whether training goes on, rather than from new networks, which learn from all samples if all are kept.

        If a class is new, what networks start from, the scale and a linear map, has to know it: it is renewed by sums.
        """
        if self.n_before or not self.kept.size:
            return True
        is_renewed = self.sums is not None and self.sums.have_digits()
        return len(self.kept) < self.kept.n_seen and (is_renewed or bool(np.isin(classes, self.classes).all()))
