"""Training that goes on: the networks it starts from, and the rows of a stream that it learns from again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from torch import nn

from metricnets._labels import partial_codes, read


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
        The trained networks, which are copied.
    """

    shape: tuple[int, ...]
    layers: list[nn.Module]
    networks: list[nn.Module]

    def layers_for(self, X: np.ndarray) -> list[nn.Module]:
        """The layers; ValueError if the points have another shape."""
        if X.shape[1:] != self.shape:
            raise ValueError(
                f"X has points of shape {X.shape[1:]}, and those of the fit that training goes on from have "
                f"{self.shape}; set warm_start=False, or fit a clone."
            )
        return list(self.layers)

    def load(self, network: nn.Module, member: int) -> None:
        """Give a new network the weights of the ``member``-th one; ValueError if it has others."""
        old = self.networks[member].state_dict() if member < len(self.networks) else {}
        shapes = ({name: value.shape for name, value in state.items()} for state in (old, network.state_dict()))
        if len({tuple(each.items()) for each in shapes}) > 1:
            raise ValueError(
                "training goes on from networks of other shapes, as a parameter of the network was changed; set it "
                "back, set warm_start=False, or fit a clone."
            )
        network.load_state_dict(old)


def rows_of_targets(y: ArrayLike, before: np.ndarray | None) -> np.ndarray:
    """Targets as rows of an array; ValueError if they are of another kind than those ``before``."""
    y = y.toarray() if issparse(y) else np.asarray(y)
    if before is not None and (y.shape[1:], are_strings(y)) != (before.shape[1:], are_strings(before)):
        raise ValueError(
            f"y holds {y[0]!r}, and y of the batches before {before[0]!r}; use targets of one type and shape."
        )
    return y


def are_strings(y: np.ndarray) -> bool:
    """Whether targets are strings, some of which may be missing."""
    return y.dtype.kind == "U" or (y.dtype.kind == "O" and any(isinstance(label, str) for label in y.flat))


def class_groups(y: np.ndarray, relation: object) -> np.ndarray | None:
    """Codes of the classes of targets, negative if unknown; None if they are not classes."""
    if y.ndim > 1 or relation == "absolute":
        return None
    labels, missing, _ = read(y)
    if labels.dtype.kind == "f" and (labels[~missing] % 1).any():
        return None
    return partial_codes(y)


def suffices(codes: np.ndarray | None, n: int) -> bool:
    """Whether there are two classes and two samples of one of them; two of ``n`` samples if there are no classes."""
    if codes is None:
        return n > 1
    counts = np.bincount(codes[codes >= 0])
    return len(counts) > 1 and counts.max() > 1
