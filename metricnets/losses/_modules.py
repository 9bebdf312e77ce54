"""Base classes of the losses that own learnt parameters, functions of embeddings and class codes."""

import torch
from torch import nn

from metricnets.losses._ops import precise, unit_rows


class ModuleLoss(nn.Module):
    """Loss of embeddings and class codes that owns learnt parameters.

    Hook: ``_loss(z, codes)``, for one or more rows of known class; a loss that classifies has ``logits(z)`` too.
    """

    def forward(self, z: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Parameters
        ----------
        z : tensor of shape (n, n_components)
            Embeddings.
        codes : tensor of int64 of shape (n,)
            Class codes from 0; rows with a negative code (unknown) do not count.

        Returns
        -------
        loss : tensor of shape ()
            0, with a graph, if no class is known.
        """
        z, known = precise(z), codes >= 0
        if not known.all():
            z, codes = z[known], codes[known]
        return self._loss(z, codes) if len(z) else z.sum()

    def start_at(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Set weights that are places among the embeddings, such as centres of classes, from them.

        Parameters
        ----------
        z : tensor of shape (n, n_components)
            Embeddings before training.
        codes : tensor of int64 of shape (n,)
            Class codes from 0; rows with a negative code (unknown) do not count.
        """

    def _loss(self, z, codes):
        """Hook: the loss of embeddings (n, n_components), in single or double precision, and codes >= 0 (n,)."""
        raise NotImplementedError


class CosineClassifier(ModuleLoss):
    """Loss of the cosines of embeddings and directions, of which each class has ``n_centers``, (n, n_classes)."""

    def __init__(self, n_components, n_classes, scale, generator, n_centers=1):
        super().__init__()
        self.scale, self.n_centers = scale, n_centers
        self.weight = drawn((n_classes, n_centers, n_components), generator)

    def _cosines(self, z):
        """Cosines of embeddings (n, n_components) and all directions, (n, n_centers, n_classes)."""
        directions = self.weight.to(z.dtype).transpose(0, 1)  # (n_centers, n_classes, n_components)
        return (unit_rows(z) @ unit_rows(directions.flatten(0, 1)).T).unflatten(1, directions.shape[:2])

    def _similarities(self, z):
        """Cosines of embeddings and the nearest direction of each class, (n, n_classes)."""
        cosines = self._cosines(z)
        return cosines.amax(1) if self.n_centers > 1 else cosines.squeeze(1)

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the classes, without margins.

        Parameters
        ----------
        z : tensor of shape (n, n_components)
            Embeddings.

        Returns
        -------
        logits : tensor of shape (n, n_classes)
        """
        return self.scale * self._similarities(precise(z))

    @torch.no_grad()
    def start_at(self, z, codes):
        means, seen = class_means(unit_rows(precise(z)), codes, len(self.weight))
        spread = self.weight[seen] / self.weight.shape[2] ** 0.5 if self.n_centers > 1 else 0
        self.weight[seen] = unit_rows(means)[seen, None].to(self.weight.dtype) + spread


def drawn(shape, generator):
    """A parameter drawn from the standard normal distribution, in single precision on the CPU."""
    return nn.Parameter(torch.empty(shape, device="cpu", dtype=torch.float32).normal_(generator=generator))


def class_means(z, codes, n_classes):
    """Means of the embeddings of each class, (n_classes, n_components), 0 of no rows, and which classes have rows."""
    z, codes = z[codes >= 0], codes[codes >= 0]
    counts = torch.bincount(codes, minlength=n_classes)
    sums = z.new_zeros(n_classes, z.shape[1]).index_add_(0, codes, z)
    return sums / counts.clamp_min(1)[:, None], counts > 0


def less_margin(similarities, codes, margin):
    """Similarities (n, n_classes) with those of the own class smaller by a margin."""
    return similarities - torch.zeros_like(similarities).scatter_(1, codes[:, None], margin)


def replaced(similarities, codes, targets):
    """Similarities (n, n_classes) with those of the own class replaced by ``targets`` (n, 1)."""
    return similarities.scatter(1, codes[:, None], targets)


def pairs_of(codes, dtype):
    """Masks of 1.0 and 0.0 of the similar and the dissimilar pairs of different rows, each (n, n)."""
    same = (codes[:, None] == codes).to(dtype)
    return same.clone().fill_diagonal_(0), 1 - same
