"""Identification in two views: networks that also output the logits of classes, and a cross-entropy of both views."""

import torch
from torch import nn
from torch.nn import functional as F

from metricnets._labels import UNKNOWN
from metricnets.deep._training.two_networks import FromProbabilities, points_of_views

SHARE = 0.5  # of the other view's class probabilities in what a view should predict


class WithClassLogits(nn.Module):
    """`TwoNetworks` that also outputs the logits of both views, if these start from class probabilities."""

    def __init__(self, networks):
        super().__init__()
        self.networks = networks

    def forward(self, x):
        parts = self.networks.first, self.networks.second
        if not all(isinstance(part, FromProbabilities) for part in parts):
            return [self.networks(x)]
        logits = [part.logits(view) for part, view in zip(parts, points_of_views(x, self.networks.shapes))]
        return [torch.cat([part.embedded(each) for part, each in zip(parts, logits)]), *logits]


class WithCrossEntropy:
    """A loss of embeddings, plus ``weight`` times the cross-entropy of the classes if the networks output logits.

    Parameters
    ----------
    loss : callable
        Function of embeddings and targets.
    classes : ndarray of shape (n_classes,) or None
        Codes of the columns of the logits.
    weight : float
    """

    def __init__(self, loss, classes, weight):
        self.loss, self.classes, self.weight = loss, None if classes is None else torch.as_tensor(classes), weight

    def __call__(self, output, targets):
        z, *logits = output
        loss = self.loss(z, targets)
        if not (logits and self.weight):
            return loss
        is_column = targets.labels[:, None] == self.classes.to(z.device)  # (n, n_columns)
        codes = torch.where(is_column.any(1), is_column.int().argmax(1), UNKNOWN)
        return loss + self.weight * mutual_cross_entropy(*logits, codes)


def mutual_cross_entropy(logits, others, codes, share=SHARE):
    """Cross-entropy of the class probabilities of two views, the mean of both.

    What a view should predict is its class, and, with a weight of ``share``, what the other view predicts; if the class
    is unknown, that alone.

    Parameters
    ----------
    logits, others : tensor of shape (n, n_classes)
    codes : tensor of int64 of shape (n,)
        Columns of the classes; −1 if unknown.
    share : float in [0, 1], default=0.5

    Returns
    -------
    loss : tensor of shape ()
    """
    known = codes >= 0
    truth = F.one_hot(codes.clamp_min(0), logits.shape[1]).to(logits.dtype)
    weight = torch.where(known, share, 1.0)[:, None]  # (n, 1)
    total = 0
    for own, other in ((logits, others), (others, logits)):
        wanted = (1 - weight) * truth + weight * other.detach().softmax(1)
        total = total + F.cross_entropy(own, wanted)
    return total / 2
