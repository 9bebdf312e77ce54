"""Pairs of points as training rows, with jitter by the differences of similar pairs."""

import torch

from metricnets.deep._training.data import Rows


class Pairs(Rows):
    """Pairs of rows of X: a batch holds their first points, then their second points.

    In each pass, each point x of the training pairs becomes x ± ``jitter`` (a − b) / √2, for a random similar
    pair (a, b) among them.  The difference of similar points is noise that does not depend on their place, so this
    is a data augmentation, which reduces overfitting.

    Parameters
    ----------
    X : tensor of shape (n, ...)
    targets : Targets
        +1 for similar, −1 for dissimilar pairs.
    members : tensor of int of shape (n_pairs, 2)
    kept : array of int
        The pairs to train on.
    jitter : float
    generator : torch.Generator
        Generator of the draws.
    """

    def __init__(self, X, targets, members, kept, jitter, generator):
        super().__init__(X, targets, torch.as_tensor(kept))
        self.members, self.jitter, self.generator = members, jitter, generator
        self.is_kept = torch.zeros(len(targets), dtype=torch.bool).index_fill_(0, self.kept, True)
        similar = members[self.kept[targets.labels[self.kept] > 0]]
        self.similar = torch.cat([similar, similar.flip(1)])

    def __getitem__(self, indices):
        x = self.X[self.members[indices].T.reshape(-1)]
        if self.jitter and len(self.similar):
            moves = self.is_kept[indices].repeat(2).reshape(-1, *[1] * (x.ndim - 1))
            x += moves * self.steps(len(x))
        return x, self.targets[indices]

    def steps(self, n):
        """Random steps (n, ...)."""
        a, b = self.X[self.similar[torch.randint(len(self.similar), (n,), generator=self.generator)].T]
        return (a - b) * (self.jitter / 2**0.5)

    def sample(self, n, generator):
        """Points (2 m, d) of at most n of the training pairs, and the differences of the similar ones among them."""
        some = self.kept[torch.randperm(len(self.kept), generator=generator)[:n]]
        a, b = self.X[self.members[some].T].double()
        return torch.cat([a, b]).numpy(), (a - b)[self.targets.labels[some] > 0].numpy()
